import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Message, Producer } from 'kafkajs';
import { createBroker, type EmbeddedBroker } from '../../src/devstack/kafka/broker.ts';
import type { RequestInfo } from '../../src/devstack/kafka/server.ts';
import { codeOf, importsOf } from '../architecture/scan.ts';
import { quietKafka } from '../fixtures/reader.ts';
import { until } from '../fixtures/until.ts';
import { audit, describeViolations, observe, type Watched } from './ledger.ts';
import { partitionOf } from './positions.ts';
import { AUDITOR, openReader, stockCluster } from './read.ts';

test('the auditor shares no code with what it audits', () => {
  const seen = new Set<string>();
  const visit = (file: URL): void => {
    if (seen.has(file.href)) return;
    seen.add(file.href);
    const text = readFileSync(fileURLToPath(file), 'utf8');
    assert.doesNotMatch(codeOf(text), /src\/(?!cluster|consumer\/batch|loggers|network)/, file.pathname);
    for (const specifier of importsOf(text)) {
      if (specifier.startsWith('.')) visit(new URL(specifier, file));
      else
        assert.ok(
          /^kafkajs(\/|$)/.test(specifier) || specifier.startsWith('node:'),
          `${file.pathname} imports ${specifier}`,
        );
    }
  };
  visit(new URL('./ledger.ts', import.meta.url));
  visit(new URL('./read-worker.ts', import.meta.url));
  assert.deepEqual([...seen].map((href) => href.slice(href.lastIndexOf('/') + 1)).sort(), [
    'judge.ts',
    'ledger.ts',
    'positions.ts',
    'read-apart.ts',
    'read-worker.ts',
    'read.ts',
    'until.ts',
    'visible.ts',
  ]);
});

describe('the auditor, over topics of a broker', { timeout: 60_000 }, () => {
  let broker: EmbeddedBroker;
  let producer: Producer;
  let run = 0;
  let failing = 0;
  /** The node that answers no fetch, like one that died and whose partitions have no new leader yet. */
  let silent = -1;

  before(async () => {
    const hooks = {
      // The auditor's own requests fail now and then, too; it must go on.
      onRequest({ apiKey, nodeId, clientId }: RequestInfo) {
        if (clientId !== AUDITOR) return undefined;
        const fails = (apiKey === 1 && nodeId === silent) || ([1, 2, 9].includes(apiKey) && failing++ % 23 === 1);
        return fails ? { errorCode: 6 } : undefined;
      },
    };
    broker = await createBroker({ brokers: 3, log: () => {}, hooks });
    producer = quietKafka(broker.brokers.join(','), 'hand').producer();
    await producer.connect();
  });
  after(async () => {
    await producer.disconnect();
    await broker.close();
  });

  async function scene(): Promise<
    Watched & {
      send(topic: string, partition: number, ...messages: Message[]): Promise<void>;
      commit(offsets: number[]): Promise<void>;
    }
  > {
    const n = run++;
    const watched = {
      brokers: broker.brokers.join(','),
      group: `g${n}`,
      inputs: [`in${n}`],
      output: `out${n}`,
      deadLetter: `dead${n}`,
    };
    for (const topic of [watched.inputs[0], watched.output, watched.deadLetter])
      broker.createTopic(topic, { partitions: 2 });
    return {
      ...watched,
      async send(topic, partition, ...messages) {
        await producer.send({ topic, messages: messages.map((message) => ({ ...message, partition })) });
      },
      async commit(offsets) {
        const cluster = stockCluster(watched.brokers);
        await cluster.connect();
        const partitions = offsets.map((offset, partition) => ({ partition, offset: String(offset) }));
        const {
          group: groupId,
          inputs: [topic],
        } = watched;
        const coordinator = await cluster.findGroupCoordinator({ groupId });
        const nobody = { groupId, groupGenerationId: -1, memberId: '' };
        await coordinator.offsetCommit({ ...nobody, topics: [{ topic, partitions }] });
        await cluster.disconnect();
      },
    };
  }
  const published = (source: string, key = 'k'): Message => ({
    key,
    value: 'v',
    headers: { 'sluice-source': source, 'sluice-model': 'm@1#a' },
  });

  test('when a read fails in one partition, the others lose nothing: the next read returns it all', async () => {
    const { send, output, brokers } = await scene();
    await send(output, 0, published('a'));
    await send(output, 1, published('b'));
    broker.moveLeader(output, 0, 1);
    broker.moveLeader(output, 1, 2);
    const reader = openReader(brokers, { withinMs: 400 });
    try {
      silent = 2;
      await assert.rejects(reader.readOn(output), /not within 0\.4 s: records of out\d+\/1/);
      silent = -1;
      const seen = await reader.readOn(output);
      assert.deepEqual(seen.map(({ headers }) => String(headers['sluice-source'])).sort(), ['a', 'b']);
      assert.deepEqual(await reader.readOn(output), [], 'and each once');
    } finally {
      silent = -1;
      await reader.close();
    }
  });

  test('an exact ledger has no violations; a dead letter counts as an answer', async () => {
    const { send, commit, ...watched } = await scene();
    const [input] = watched.inputs;
    await send(input, 0, { value: 'a' }, { value: 'b' });
    await send(input, 1, { value: 'c' });
    await send(watched.output, 1, published(`${input}/0/0`), published(`${input}/1/0`));
    await send(watched.deadLetter, 0, {
      key: 'k',
      value: 'b',
      headers: {
        '__dlq.errors.topic': input,
        '__dlq.errors.partition': '0',
        '__dlq.errors.offset': '1',
        '__dlq.errors.reason': 'decode-failed',
      },
    });
    await commit([2, 1]);
    for (const inputs of ['read', 'contiguous'] as const) {
      const account = await audit(watched, { inputs });
      assert.equal(describeViolations(account), '');
      assert.deepEqual([account.inputs, account.published, account.deadLettered], [3, 2, 1]);
    }
    const leaking = await audit(watched, { secrets: ['v'] });
    assert.deepEqual(
      leaking.violations.map(({ invariant }) => invariant),
      ['I11'],
    );
    const flawed = await audit(watched, { flaw: (output, of) => `${output.value} came of ${of?.value}` });
    assert.match(describeViolations(flawed), /published although v came of a/);
  });

  test('names lost records, duplicates and answers without an input', async () => {
    const { send, commit, ...watched } = await scene();
    const [input] = watched.inputs;
    await send(input, 0, ...Array.from({ length: 5 }, (_, n) => ({ value: String(n) })));
    await send(
      watched.output,
      0,
      published(`${input}/0/1`),
      published(`${input}/0/0`),
      published(`${input}/0/1`, 'other'),
      published(`${input}/0/7`),
    );
    await commit([3, -1]);
    const account = await audit(watched);
    assert.deepEqual(
      account.violations.map(({ invariant, examples }) => `${invariant} ${examples}`),
      [
        `I5 ${input}/0/0 in ${watched.output}/0@1 after ${input}/0/1 in ${watched.output}/0@0`,
        `I3 ${input}/0/1 in ${watched.output}/0@2`,
        `I2 ${input}/0/7 in ${watched.output}/0@3`,
        `I1 ${input}/0/2`,
        `I2 ${input}/0/3,${input}/0/4`,
        `I8 ${input}/0: 2 behind, 3 of 5`,
      ],
    );
  });

  test('the observer sees a commit ahead of its answer, and one that goes back', async () => {
    const { send, commit, ...watched } = await scene();
    const [input] = watched.inputs;
    const observer = observe(watched, { everyMs: 5 });
    await send(input, 0, { value: 'a' }, { value: 'b' });
    await send(watched.output, 0, published(`${input}/0/0`));
    await commit([1, -1]);
    const settle = async (): Promise<void> => {
      const before = failing;
      await until('the observer looked', () => failing > before + 24);
    };
    await settle();
    await commit([2, -1]);
    await settle();
    await send(watched.output, 0, published(`${input}/0/1`));
    await commit([0, -1]);
    await settle();
    await commit([2, -1]);
    const observed = await observer.stop();
    const account = await audit(watched, { observed });
    assert.deepEqual(
      account.violations.map(({ invariant, examples }) => `${invariant} ${examples}`),
      [`I4 ${input}/0/1`, `I4 ${input}/0 from 2 to 0`, `I6 ${input}/0 from 2 to 0`],
    );
  });

  test('a dated answer counts from its append, however late the observer sees it', async () => {
    const { send, commit, ...watched } = await scene();
    const [input] = watched.inputs;
    const observer = observe(watched, { everyMs: 5, dated: true });
    await send(input, 0, { value: 'a' }, { value: 'b' });
    const before = String(Date.now());
    await commit([2, -1]);
    const looks = failing;
    await until('the observer looked', () => failing > looks + 24);
    const after = String(Date.now() + 1);
    await send(watched.output, 0, { ...published(`${input}/0/0`), timestamp: before });
    await send(watched.output, 0, { ...published(`${input}/0/1`), timestamp: after });
    const account = await audit(watched, { observed: await observer.stop() });
    assert.deepEqual(
      account.violations.map(({ invariant, examples }) => `${invariant} ${examples}`),
      [`I4 ${input}/0/1`],
    );
  });

  test('the partition of a group in the log of positions is the one that Kafka chooses', () => {
    // Java: Math.abs("hello".hashCode()) % 50, and of a name whose hash is below zero.
    assert.equal(partitionOf('hello', 50), 99_162_322 % 50);
    assert.equal(partitionOf('polygenelubricants', 50), 0);
  });

  test('reading goes on when the front of the log is deleted', async () => {
    const { send, commit, ...watched } = await scene();
    const [input] = watched.inputs;
    await send(input, 0, ...Array.from({ length: 4 }, (_, n) => ({ value: String(n) })));
    await send(watched.output, 0, published(`${input}/0/3`));
    const admin = quietKafka(watched.brokers, 'hand').admin();
    await admin.connect();
    await admin.fetchTopicOffsets(input);
    await admin.deleteTopicRecords({ topic: input, partitions: [{ partition: 0, offset: '3' }] });
    await admin.disconnect();
    await commit([4, -1]);
    const acknowledged = new Set([0, 1, 2, 3].map((offset) => `${input}/0/${offset}`));
    const account = await audit(watched, { acknowledged });
    assert.equal(describeViolations(account), '');
    assert.equal(account.truncated, 3);
  });
});
