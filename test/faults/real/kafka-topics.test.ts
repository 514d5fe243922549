/** Leaders move, partitions are added, topics are cut off in front, deleted and made anew, on a real cluster under load. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { Kafka, logLevel } from 'kafkajs';
import type { Sluice } from '../../fixtures/sluice.ts';
import { until } from '../../fixtures/until.ts';
import { type AuditOptions, describeViolations } from '../ledger.ts';
import type { Load } from '../load.ts';
import { record } from '../report.ts';
import { flightOf, lazyKafka, type Scenario } from './kafka-bench.ts';

const bench = lazyKafka();
const TIMEOUT_MS = 240_000;
const PER_SECOND = 200;

/** Stops load and instances, waits for the rest, and holds the ledger to be exact. */
async function settle(
  t: TestContext,
  of: Scenario,
  what: { readonly rows: readonly number[]; readonly fault: string; readonly times?: number },
  loads: readonly Load[],
  terms: AuditOptions = {},
) {
  for (const load of loads) await load.stop();
  const drainedMs = await of.drained(90_000);
  for (const child of of.instances) assert.equal(await child.stop(), 0, child.stderr.slice(-3_000));
  const acknowledged = new Set(loads.flatMap((load) => [...load.acknowledged]));
  const account = await of.audit({ acknowledged, ...terms });
  record({
    rows: what.rows,
    test: t.name,
    faults: { [what.fault]: what.times ?? 1 },
    invariants: account.checked,
    duplicates: account.duplicates.count,
    recoveryMs: Math.round(drainedMs),
    violations: account.violations.map(({ invariant, what: which }) => `${invariant} ${which}`),
  });
  t.diagnostic(
    `${account.inputs} inputs, ${account.published} published, ${account.deadLettered} dead-lettered, ${account.truncated} cut off, ` +
      `${account.duplicates.count} duplicates, lag gone after ${Math.round(drainedMs)} ms`,
  );
  assert.equal(describeViolations(account), '');
  return account;
}

/** Replicas of every partition without its leader, so that another one leads; and all three again. */
async function moveLeaders(of: Scenario, topic: string): Promise<void> {
  const { cluster } = of;
  const before = await cluster.leaders(topic);
  const reassign = (replicas: (leader: number) => number[]) =>
    cluster.ask(`new replicas of ${topic}`, (admin) =>
      admin.alterPartitionReassignments({
        topics: [
          {
            topic,
            partitionAssignment: before.map((leader, partition) => ({ partition, replicas: replicas(leader) })),
          },
        ],
      }),
    );
  await reassign((leader) => cluster.nodes.filter((node) => node !== leader));
  await until(`leaders of ${topic} have moved`, async () =>
    (await cluster.leaders(topic)).every((leader, partition) => leader > 0 && leader !== before[partition]),
  );
  await reassign((leader) => [...cluster.nodes.filter((node) => node !== leader), leader]);
  await cluster.inSync(topic);
}

const committedOf = (of: Scenario) =>
  of.cluster.ask(`positions of ${of.group}`, async (admin) => {
    const [{ partitions }] = await admin.fetchOffsets({ groupId: of.group, topics: [...of.inputs] });
    return partitions.toSorted((a, b) => a.partition - b.partition).map(({ offset }) => Number(offset));
  });

/** Deletes what is below these offsets, by partition. */
const cutOff = (of: Scenario, offsets: readonly number[]) =>
  of.cluster.ask('records are deleted', async (admin) => {
    const [topic] = of.inputs;
    // The client asks itself for the leaders, and only this makes it know them.
    await admin.fetchTopicOffsets(topic);
    const partitions = offsets.map((offset, partition) => ({ partition, offset: String(offset) }));
    await admin.deleteTopicRecords({ topic, partitions });
  });

const notReady = (child: Sluice, why: RegExp) =>
  child.until(`/ready says no: ${why}`, async () => {
    const { status, reason } = await child.health();
    return status === 503 && why.test(reason);
  });

test('row 6: leaders of inputs and outputs move without a failure: no record lost, none twice', {
  timeout: TIMEOUT_MS,
}, async (t) => {
  const { scenario } = await bench();
  const of = await scenario('moves');
  const child = of.run();
  await child.ready();
  const load = of.load(PER_SECOND);
  t.after(() => load.stop());
  await pause(1_000);
  for (const topic of [of.inputs[0], of.output, of.inputs[0], of.output]) await moveLeaders(of, topic);
  const joined = child.logged('joined the group').length;
  const account = await settle(t, of, { rows: [6], fault: 'leader move', times: 4 * of.partitions }, [load]);
  assert.equal(account.duplicates.count, 0);
  assert.equal(joined, 1, 'a leader that moves is no reason to join again');
});

test('row 10: partitions are added while it runs; they are read from their beginning, even with from: latest', {
  timeout: TIMEOUT_MS,
}, async (t) => {
  const { scenario } = await bench();
  const of = await scenario('growth', { partitions: 3, from: 'latest' });
  const group = [of.run(), of.run()];
  for (const child of group) await child.ready();
  const first = of.load(PER_SECOND);
  t.after(() => first.stop());
  await pause(1_000);
  await of.cluster.ask('more partitions', async (admin) => {
    const { topics } = await admin.fetchTopicMetadata({ topics: [...of.inputs] });
    if (topics[0].partitions.length === 3)
      await admin.createPartitions({ topicPartitions: [{ topic: of.inputs[0], count: 12 }] });
  });
  await of.cluster.inSync(of.inputs[0]);
  const second = of.load(PER_SECOND, 12);
  t.after(() => second.stop());
  const grownMs = Date.now();
  await until('the new partitions are read', async () =>
    (await committedOf(of)).slice(3).every((offset) => offset > 0),
  );
  t.diagnostic(`read ${Date.now() - grownMs} ms after they were there`);
  const account = await settle(t, of, { rows: [10], fault: 'partitions added', times: 9 }, [first, second]);
  assert.equal(account.duplicates.count, 0);
});

test('row 11: an input that was cut off past the position begins where it can, and counts it', {
  timeout: TIMEOUT_MS,
}, async (t) => {
  const { scenario } = await bench();
  const of = await scenario('cut', { partitions: 2 });
  const before = of.run();
  await before.ready();
  const first = of.load(PER_SECOND);
  await pause(1_000);
  await first.stop();
  await of.drained();
  assert.equal(await before.stop(), 0);
  const second = of.load(PER_SECOND);
  await pause(1_000);
  await second.stop();
  const behind = await committedOf(of);
  await cutOff(
    of,
    behind.map((offset) => offset + 20),
  );
  const child = of.run();
  await child.ready();
  await of.drained();
  assert.equal(await child.metric('sluice_offset_resets_total', { policy: 'earliest' }), 2);
  const account = await settle(t, of, { rows: [11], fault: 'records deleted', times: 2 }, [first, second]);
  assert.equal(account.truncated, 40);

  const strict = await scenario('cut', { partitions: 2, from: 'fail' });
  await of.cluster.ask('a position from before', (admin) =>
    admin.setOffsets({
      groupId: of.group,
      topic: of.inputs[0],
      partitions: behind.map((_, partition) => ({ partition, offset: '1' })),
    }),
  );
  const refusing = strict.run();
  assert.equal(await refusing.ended, 1);
  assert.match(refusing.stderr, /is out of range .*source\.from is fail/);
});

test('row 11: an input that is deleted and made anew is not ready meanwhile, then read from its beginning', {
  timeout: TIMEOUT_MS,
}, async (t) => {
  const { scenario } = await bench();
  const of = await scenario('anew', { partitions: 2 });
  const [input] = of.inputs;
  const child = of.run();
  await child.ready();
  const first = of.load(PER_SECOND);
  await pause(1_000);
  const sent = await first.stop();
  await of.drained();
  await of.cluster.ask('the topic is deleted', async (admin) => {
    if ((await admin.listTopics()).includes(input)) await admin.deleteTopics({ topics: [input] });
  });
  await notReady(child, /deleted/);
  await child.until(
    'its positions are forgotten',
    () => child.logged('an input topic was deleted: once it is back, source.from says where it begins').length > 0,
  );
  await of.cluster.createTopic(input, 2);
  // More records than the old one had: their offsets alone would not tell.
  const second = of.load(2 * PER_SECOND);
  t.after(() => second.stop());
  await until('more than before', () => second.acknowledged.size > 1.5 * sent);
  await child.ready();
  await second.stop();
  await of.drained();
  assert.equal(await child.metric('sluice_offset_resets_total', { policy: 'earliest' }), 2);
  const records = await of.read(of.output);
  assert.equal(await child.stop(), 0);
  const answered = new Set(records.slice().map(({ headers }) => String(headers['sluice-source'])));
  for (const source of second.acknowledged) assert.ok(answered.has(source), `${source} has no answer`);
  // The same coordinates stand for two records each: every event has its own output.
  const ids = new Set(records.map(({ value }) => JSON.parse(String(value)).id));
  assert.equal(ids.size, Math.max(sent, second.acknowledged.size));
  assert.equal(records.length, sent + second.acknowledged.size);
  record({
    rows: [11],
    test: t.name,
    faults: { 'input deleted and made anew': 1 },
    invariants: ['I1', 'I10'],
    duplicates: 0,
  });
});

test('row 11: an output that is deleted and made anew holds what is sent there, and loses nothing after', {
  timeout: TIMEOUT_MS,
}, async (t) => {
  const { scenario } = await bench();
  const of = await scenario('sunk', { partitions: 2 });
  const child = of.run();
  await child.ready();
  const first = of.load(PER_SECOND);
  await pause(1_000);
  await first.stop();
  await of.drained();
  await of.cluster.ask('the topic is deleted', async (admin) => {
    if ((await admin.listTopics()).includes(of.output)) await admin.deleteTopics({ topics: [of.output] });
  });
  const at = await committedOf(of);
  const second = of.load(PER_SECOND);
  t.after(() => second.stop());
  await notReady(child, /topic "sunk\.late" does not exist/);
  assert.deepEqual(await committedOf(of), at, 'nothing is committed past what cannot be sent');
  assert.equal((await child.health('/live')).status, 200);
  await of.cluster.createTopic(of.output, 2);
  await child.ready();
  const old = (source: { partition: number; offset: number }) => source.offset < at[source.partition];
  const account = await settle(t, of, { rows: [11], fault: 'output deleted and made anew' }, [second], {
    dropped: old,
  });
  assert.equal(account.published, second.acknowledged.size);
});

test('row 35: dead letters whose topic is gone stop their partition, not ready, until it is back', {
  timeout: TIMEOUT_MS,
}, async (t) => {
  const { scenario } = await bench();
  const of = await scenario('unlettered', { partitions: 3 });
  const child = of.run();
  await child.ready();
  await of.cluster.ask('the topic is deleted', async (admin) => {
    if ((await admin.listTopics()).includes(of.deadLetter)) await admin.deleteTopics({ topics: [of.deadLetter] });
  });
  const producer = new Kafka({ brokers: of.brokers.split(','), logLevel: logLevel.NOTHING }).producer();
  await producer.connect();
  await producer.send({
    topic: of.inputs[0],
    messages: [
      ...Array.from({ length: 10 }, (_, n) => ({ partition: 0, value: flightOf(n) })),
      { partition: 0, value: 'no flight' },
    ],
  });
  await producer.disconnect();
  const load = of.load(PER_SECOND);
  t.after(() => load.stop());
  await notReady(child, /topic "unlettered\.dead-letter" does not exist/);
  await until('the other partitions go on', async () =>
    (await committedOf(of)).slice(1).every((offset) => offset > 50),
  );
  const [stopped] = await committedOf(of);
  assert.ok(stopped <= 10, `partition 0 is committed up to ${stopped}, past a dead letter that is not written`);
  assert.equal((await child.health('/live')).status, 200);
  await of.cluster.createTopic(of.deadLetter, 3);
  await child.ready();
  const account = await settle(t, of, { rows: [35], fault: 'dead-letter topic gone' }, [load]);
  assert.equal(account.deadLettered, 1);
});
