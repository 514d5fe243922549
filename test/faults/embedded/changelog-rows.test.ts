import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import kafkajs, { CompressionTypes, type Message } from 'kafkajs';
import type { Fault, RequestInfo } from '../../../src/devstack/kafka/server.ts';
import type { Labels } from '../../../src/ports/telemetry.ts';
import { quietKafka } from '../../fixtures/reader.ts';
import { until } from '../../fixtures/until.ts';
import { framed } from '../../fixtures/upstream.ts';
import { audit, describeViolations, untilDrained } from '../ledger.ts';
import { openReader } from '../read-apart.ts';
import { record } from '../report.ts';
import { UPSTREAM } from './faults.ts';
import { eventTypes, PARTITIONS, scoreType, TOPICS } from './pipeline.ts';
import { openStage } from './stage.ts';

const LIMIT = { timeout: 150_000 };
const SOON_MS = 45_000;
const CHANGED = 'rows.changed';
const FETCH = 1;
const LIST_OFFSETS = 2;
/** Rows are believed for longer than any test takes: only a change replaces them. */
const BELIEVED = `{ entries: 100, ttl: 1h, negativeTtl: 1h, invalidateBy: ${CHANGED} }`;
/** So short that rows are re-read while the changelog topic is away. */
const BRIEF = `{ entries: 100, ttl: 300ms, negativeTtl: 300ms, invalidateBy: ${CHANGED} }`;
/** Leads the changelog topic, and nothing else. */
const NODE = 3;
const X = 5;
const OLD = 1;
const NEW = 9;

/** A pipeline with a feature cache that a changelog topic invalidates; that topic's broker can be made unreachable for it alone. */
async function begin(t: TestContext, seed: number, cache: string) {
  let isAway = false;
  const onKafka = ({ clientId, apiKey, nodeId }: RequestInfo): Fault | undefined =>
    isAway && nodeId === NODE && clientId.startsWith('m') && (apiKey === FETCH || apiKey === LIST_OFFSETS)
      ? { closeConnection: true }
      : undefined;
  const stage = await openStage(seed, { onKafka });
  const { broker, watched } = stage;
  broker.createTopic(CHANGED, { partitions: 1 });
  broker.moveLeader(CHANGED, 0, NODE);
  broker.moveCoordinator(TOPICS.group, 1);
  for (const topic of [TOPICS.input, TOPICS.output, TOPICS.deadLetter] as const) {
    for (const partition of broker.endOffsets(topic).keys()) broker.moveLeader(topic, partition, 1 + (partition % 2));
  }
  const reader = openReader(watched.brokers);
  t.after(async () => {
    for (const { runner } of stage.members) runner.stop();
    await Promise.all(stage.members.map(({ outcome }) => outcome));
    await reader.close();
    await stage.close();
  });
  const member = await stage.join({ cache, sessionMs: 15_000 });
  const { telemetry } = member;
  const scores = new Map<number, number>();
  let next = 0;
  /** Writes to the changelog topic as another program would. */
  const tell = async (messages: Message[], compression?: CompressionTypes): Promise<void> => {
    const producer = quietKafka(watched.brokers, UPSTREAM).producer();
    await producer.connect();
    await producer.send({ topic: CHANGED, messages, compression });
    await producer.disconnect();
  };
  const count = (name: string, labels: Labels): number => telemetry.count(name, labels);
  const heard = (event: string) => telemetry.eventsNamed(event);
  const up = () => telemetry.gauges.get(`sluice_changelog_up{topic=${CHANGED}}`)?.();
  return {
    tell,
    heard,
    up,
    dropped: () => count('sluice_cache_invalidations_total', { view: 'side', result: 'dropped' }),
    nameless: (reason: string) => count('sluice_changelog_nameless_total', { topic: CHANGED, reason }),
    /** Changes the row in the store without a record in the changelog. */
    store: (feature: number) => stage.features([['k1', [feature]]]),

    async away(): Promise<void> {
      isAway = true;
      await until('it is said that nobody reads', () => heard('changelog-unread').length > 0 && up() === 0, SOON_MS);
    },

    back(): void {
      isAway = false;
    },

    /** The feature that an event is scored with from here on. */
    async feature(): Promise<number> {
      const id = next++;
      const value = framed(1, eventTypes[0].toBuffer({ id, key: 'k1', x: X, extra_a: 0 }));
      await stage.write(id % PARTITIONS.input, [{ value }]);
      const written = async (): Promise<number | undefined> => {
        for (const { value: output } of await reader.readOn(TOPICS.output)) {
          const found = scoreType.fromBuffer((output as Buffer).subarray(5));
          scores.set(Number(found.id), found.score);
        }
        return scores.get(id);
      };
      return Math.round(Math.exp(await until(`the score of event ${id}`, written, SOON_MS)) - X);
    },

    /** Deletes all that the changelog topic holds. */
    async remove(): Promise<void> {
      const admin = quietKafka(watched.brokers, UPSTREAM).admin();
      await admin.connect();
      // The client deletes nothing from a topic that it does not know.
      await admin.fetchTopicOffsets(CHANGED);
      const partitions = [{ partition: 0, offset: String(broker.endOffsets(CHANGED)[0]) }];
      await admin.deleteTopicRecords({ topic: CHANGED, partitions });
      await admin.disconnect();
    },

    /** Every event has its output, once, and the member is in its first life. */
    async exact(faults: Readonly<Record<string, number>>): Promise<void> {
      await untilDrained(watched, SOON_MS);
      const account = await audit(watched, { maxDuplicates: 0 });
      assert.equal(describeViolations(account), '');
      assert.deepEqual(
        [account.deadLettered, heard('group-joined').length, heard('group-rejoining').length],
        [0, 1, 0],
      );
      record({ rows: [37], test: t.name, faults, invariants: account.checked, duplicates: 0 });
    },
  };
}

describe('rows of the fault matrix: topics that invalidate caches', () => {
  test(
    'row 37: what changes while the broker of a changelog topic is away is heard of late, and none of it is lost',
    LIMIT,
    async (t) => {
      const { away, back, up, heard, dropped, feature, store, tell, exact } = await begin(t, 37, BELIEVED);
      assert.deepEqual([await feature(), up()], [OLD, 1]);
      await away();
      await store(NEW);
      await tell([{ key: 'k1', value: null }]);
      assert.equal(await feature(), OLD, 'events go on, and a row is believed for its ttl');
      assert.equal(dropped(), 0);
      back();
      await until('the change is heard of', () => dropped() === 1 && up() === 1, SOON_MS);
      assert.equal(await feature(), NEW);
      assert.deepEqual([heard('changelog-over').length, heard('changelog-missed')], [1, []]);
      await exact({ 'changelog-away': 1 });
    },
  );

  test(
    'row 37: while a changelog topic cannot be read, rows live as long as their ttl, as without it',
    LIMIT,
    async (t) => {
      const { away, up, dropped, feature, store, exact } = await begin(t, 38, BRIEF);
      assert.equal(await feature(), OLD);
      await away();
      await store(NEW);
      await until('the row is read anew', async () => (await feature()) === NEW, SOON_MS);
      assert.deepEqual([up(), dropped()], [0, 0], 'nobody said so');
      await exact({ 'changelog-away': 1 });
    },
  );

  test(
    'row 37: changes that are removed before anybody reads them empty the cache, and it is said',
    LIMIT,
    async (t) => {
      const { away, back, up, heard, dropped, feature, store, tell, remove, exact } = await begin(t, 39, BELIEVED);
      await tell([{ key: 'k7', value: null }]);
      assert.equal(await feature(), OLD);
      await away();
      await store(NEW);
      await tell([{ key: 'k1', value: null }]);
      await remove();
      back();
      await until('it is said what is missed', () => heard('changelog-missed').length > 0 && up() === 1, SOON_MS);
      assert.match(String(heard('changelog-missed')[0].reason), /^removed before they were read/);
      assert.equal(dropped(), 1);
      assert.equal(await feature(), NEW);
      await exact({ 'changelog-away': 1, 'changelog-removed': 1 });
    },
  );

  test(
    'row 37: a changelog record that nobody can read is counted, the cache emptied, and reading goes on',
    LIMIT,
    async (t) => {
      const { up, heard, dropped, nameless, feature, store, tell, exact } = await begin(t, 40, BELIEVED);
      assert.equal(await feature(), OLD);
      await store(NEW);
      await tell([{ key: null, value: 'k1' }]);
      await until('a record without a key', () => nameless('no-key') === 1, SOON_MS);
      assert.equal(await feature(), OLD, 'it names nothing');
      await unreadable(() => tell([{ key: 'k1', value: null }], CompressionTypes.Snappy));
      await until('a record that nobody can read', () => nameless('batch-unreadable') === 1, SOON_MS);
      assert.deepEqual(heard('changelog-missed'), [
        { topic: CHANGED, reason: '1 records of partition 0 cannot be read' },
      ]);
      assert.equal(dropped(), 1);
      assert.equal(await feature(), NEW);
      await store(OLD);
      await tell([{ key: 'k1', value: null }]);
      await until('what comes behind it', () => dropped() === 2, SOON_MS);
      assert.equal(await feature(), OLD);
      assert.deepEqual([up(), heard('changelog-unread')], [1, []]);
      await exact({ 'changelog-unreadable': 1, 'changelog-nameless': 1 });
    },
  );
});

/** Batches written meanwhile declare another compression than they have. */
async function unreadable(work: () => Promise<void>): Promise<void> {
  const codecs: Record<number, unknown> = kafkajs.CompressionCodecs;
  const before = codecs[CompressionTypes.Snappy];
  codecs[CompressionTypes.Snappy] = () => ({ compress: async (encoder: { buffer: Buffer }) => encoder.buffer });
  try {
    await work();
  } finally {
    codecs[CompressionTypes.Snappy] = before;
  }
}
