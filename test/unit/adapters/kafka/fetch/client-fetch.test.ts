import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Batch, CompressionTypes, PartitionAssigners } from 'kafkajs';
import { type FetchedBatch, hookJoins } from '../../../../../src/adapters/kafka/client/internals.ts';
import { installFetch, keepBatches } from '../../../../../src/adapters/kafka/fetch/client-fetch.ts';
import { BEGINNING, cut, fill, firstFrom } from '../../../../../src/adapters/kafka/fetch/frames.ts';
import { until } from '../../../../fixtures/until.ts';
import { producerOf, type Stack, withBroker } from '../../../devstack/kafka-client.ts';

const LIMITS = { maxRecords: 1_000, maxBytes: 1 << 20, maxRecordBytes: 1 << 20 };

/** What a consumer of the client reads of partition 0 from `from` on, up to `until`. */
async function read(stack: Stack, from: number, until: number, keeps: boolean): Promise<FetchedBatch[]> {
  const groupId = `g-${from}-${keeps}`;
  const assigner = hookJoins(PartitionAssigners.roundRobin, (_, join) => join(), keepBatches);
  const consumer = stack.kafka.consumer({
    groupId,
    maxWaitTimeInMs: 20,
    partitionAssigners: keeps ? [assigner] : [PartitionAssigners.roundRobin],
  });
  await consumer.connect();
  await consumer.subscribe({ topic: 't', fromBeginning: true });
  const batches: FetchedBatch[] = [];
  await new Promise<void>((resolve, reject) => {
    consumer.on(consumer.events.CRASH, ({ payload }) => reject(payload.error));
    const eachBatch = async ({ batch }: { batch: Batch }): Promise<void> => {
      batches.push(batch as unknown as FetchedBatch);
      if (Number(batch.lastOffset()) >= until) resolve();
    };
    consumer.run({ autoCommit: false, eachBatch }).catch(reject);
    consumer.seek({ topic: 't', partition: 0, offset: String(from) });
  }).finally(() => consumer.disconnect());
  return batches;
}

test('two consumers of one process: the one whose cluster is kept gets batches, the other one what the client gives', () =>
  withBroker({}, async (stack) => {
    const admin = stack.kafka.admin();
    await admin.connect();
    await admin.createTopics({ topics: [{ topic: 't' }] });
    await admin.disconnect();
    const producer = await producerOf(stack);
    const messages = Array.from({ length: 5 }, (_, i) => ({
      key: `k${i}`,
      value: i === 3 ? null : `v${i}`,
      headers: { h: [`${i}`, 'again'], one: 'p' },
      timestamp: String(1_000 + i),
    }));
    await producer.send({ topic: 't', messages });
    await producer.send({ topic: 't', messages, compression: CompressionTypes.GZIP });
    const before = await read(stack, 0, 9, false);
    installFetch();
    installFetch();
    for (const from of [0, 2, 5, 7]) {
      const plain = (await read(stack, from, 9, false)).flatMap((batch) => batch.messages);
      const stock = before.flatMap((batch) => batch.messages).slice(from);
      assert.deepEqual(
        plain.map(({ offset, timestamp, key, value, headers }) => ({ offset, timestamp, key, value, headers })),
        stock.map(({ offset, timestamp, key, value, headers }) => ({ offset, timestamp, key, value, headers })),
      );
      const kept = await read(stack, from, 9, true);
      const batches = kept.flatMap((batch) => batch.messages);
      assert.ok(batches.every(({ records }) => records !== undefined));
      const cursor = firstFrom(batches, from);
      const all = cut(batches, cursor, LIMITS);
      const at = { nextOffset: 0, receivedAtMs: 0, receivedMonotonicMs: 0 };
      const frame = fill({ topic: 't', partition: 0, epoch: 1 }, batches, all, LIMITS, at);
      const text = (start: number, end: number): string | undefined =>
        start < 0 ? undefined : frame.arena.toString('utf8', start, end);
      assert.deepEqual(
        Array.from(frame.offsets, (offset, i) => [
          String(offset),
          String(frame.timestamps[i]),
          text(frame.keyStart[i], frame.keyEnd[i]),
          text(frame.valueStart[i], frame.valueEnd[i]),
        ]),
        stock.map(({ offset, timestamp, key, value }) => [offset, timestamp, key?.toString(), value?.toString()]),
      );
    }
    assert.deepEqual(firstFrom([], 0), BEGINNING);
  }));

test('while records come the broker holds a fetch for more of them; after a fetch that brought none, and by default, it does not', async () => {
  const HOLDS_MS = [7, 9, 8];
  const WAIT_MS = 61;
  /** How long the broker was to hold fetches that had too little. */
  const held: number[] = [];
  const after = (delayMs: number, fire: () => void) => {
    if (HOLDS_MS.includes(delayMs) || delayMs === WAIT_MS) held.push(delayMs);
    const timer = setTimeout(fire, delayMs).unref();
    return { cancel: () => clearTimeout(timer) };
  };
  installFetch();
  await withBroker({ after }, async (stack) => {
    const producer = await producerOf(stack);
    const admin = stack.kafka.admin();
    await admin.connect();
    stack.onEnd(() => admin.disconnect());
    for (const isHeld of [true, false]) {
      // It is asked for before each fetch.
      let fetchHoldMs = 0.9;
      const topic = `t-${isHeld}`;
      await admin.createTopics({ topics: [{ topic }] });
      held.length = 0;
      const consumer = stack.kafka.consumer({
        groupId: `g-${isHeld}`,
        maxWaitTimeInMs: WAIT_MS,
        partitionAssigners: [
          hookJoins(
            PartitionAssigners.roundRobin,
            (_, join) => join(),
            (cluster) => keepBatches(cluster, () => fetchHoldMs),
          ),
        ],
      });
      await consumer.connect();
      await consumer.subscribe({ topic, fromBeginning: true });
      let batches = 0;
      const eachBatch = async (): Promise<void> => void batches++;
      await consumer.run({ autoCommit: false, eachBatch });
      const idle = (): boolean => held.at(-1) === WAIT_MS;
      await until('a fetch waits', idle);
      for (let n = 1; n <= 3; n++) {
        if (isHeld) fetchHoldMs = HOLDS_MS[n - 1] + 0.9;
        await producer.send({ topic, messages: [{ value: `v${n}` }] });
        await until('it was read', () => batches >= n);
        await until('a fetch waits again', idle);
      }
      await consumer.disconnect();
      assert.deepEqual(new Set(held), new Set(isHeld ? [WAIT_MS, ...HOLDS_MS] : [WAIT_MS]));
      // Nothing comes after the last record: one fetch finds that out, and from there on they wait as long as they may.
      assert.equal(held.lastIndexOf(WAIT_MS), held.length - 1);
    }
  });
});
