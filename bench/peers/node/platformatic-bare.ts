/**
 * @platformatic/kafka copies the topic, with the two headers and no model: the cost of that client at both ends.
 *
 * Its fastest public way: `fetch` called directly instead of the stream of messages, so that a record is the one object that its decoder
 * makes and passes no queue; bytes unchanged, the partition kept, so that no key is hashed; the next fetch in flight while
 * the records of the last one are sent, in two consecutive sends of up to 2,000 rows. Positions are committed once a second,
 * after their acknowledgements. It is alone in its group: a rebalance ends it.
 */
import { Consumer, ListOffsetTimestamps, ProduceAcks, Producer, type RecordsBatch } from '@platformatic/kafka';

const { BENCH_BROKERS = '', BENCH_INPUT: input = '', BENCH_OUTPUT: output = '', BENCH_GROUP = '' } = process.env;
const ROWS = 2_000;
const FETCH = { minBytes: 1, maxBytes: 4 << 20, maxWaitTime: 100 };
const PARTITION_BYTES = 1 << 20;
const COMMIT_EVERY_MS = 1_000;
const IS_CONTROL = 1 << 5;
const SOURCE = Buffer.from('sluice-source');
const MODEL = Buffer.from('sluice-model');
const MODEL_NAME = Buffer.from('bench@1#0123456789ab');

const client = {
  clientId: 'peer',
  bootstrapBrokers: BENCH_BROKERS.split(','),
  timeout: 30_000,
  metadataMaxAge: 300_000,
};
const producer = new Producer({ ...client, idempotent: true });
const consumer = new Consumer({ ...client, groupId: BENCH_GROUP });
process.once('SIGTERM', () => {
  void Promise.allSettled([consumer.close(true), producer.close()]).finally(() => process.exit(0));
});

consumer.topics.track(input);
await Promise.all([consumer.joinGroup(), producer.initIdempotentProducer({})]);
consumer.on('consumer:group:rebalance', () => fail(new Error('the group was rebalanced')));
const partitions = consumer.assignments?.find(({ topic }) => topic === input)?.partitions ?? [];
const [{ topics }, earliest, committed] = await Promise.all([
  consumer.metadata({ topics: [input] }),
  consumer.listOffsets({ topics: [input], timestamp: ListOffsetTimestamps.EARLIEST }),
  consumer.listCommittedOffsets({ topics: [{ topic: input, partitions }] }),
]);
const { id: topicId, partitions: leaders } = topics.get(input) ?? fail(new Error(`there is no topic ${input}`));

/** By partition: where to read on, what is acknowledged and what of it is committed. */
const next = new Map<number, bigint>();
const acknowledged = new Map<number, bigint>();
for (const partition of partitions) {
  const kept = committed.get(input)?.[partition] ?? -1n;
  next.set(partition, kept >= 0n ? kept : (earliest.get(input)?.[partition] ?? 0n));
}
for (const node of new Set(partitions.map((partition) => leaders[partition].leader))) {
  const led = partitions.filter((partition) => leaders[partition].leader === node);
  void copyFrom(node, led).catch(fail);
}
setInterval(() => void commit().catch(fail), COMMIT_EVERY_MS);

async function copyFrom(node: number, led: readonly number[]): Promise<void> {
  let sending: Promise<void> = Promise.resolve();
  for (;;) {
    const wanted = led.map((partition) => ({
      partition,
      fetchOffset: next.get(partition) ?? 0n,
      partitionMaxBytes: PARTITION_BYTES,
      currentLeaderEpoch: -1,
      lastFetchedEpoch: -1,
    }));
    const { responses } = await consumer.fetch({ ...FETCH, node, topics: [{ topicId, partitions: wanted }] });
    await sending;
    const work: Promise<void>[] = [];
    for (const { partitions: fetched } of responses) {
      for (const { partitionIndex, records } of fetched) {
        const from = next.get(partitionIndex);
        const last = records?.at(-1);
        if (records === null || records === undefined || last === undefined || from === undefined) continue;
        next.set(partitionIndex, last.firstOffset + BigInt(last.lastOffsetDelta) + 1n);
        work.push(copy(partitionIndex, records, Number(from)));
      }
    }
    sending = Promise.all(work).then(() => undefined);
    sending.catch(fail);
  }
}

async function copy(partition: number, batches: readonly RecordsBatch[], from: number): Promise<void> {
  let rows: Parameters<Producer['send']>[0]['messages'] = [];
  let before: Promise<void> | undefined;
  let underWay: Promise<void> | undefined;
  for (let b = 0; b < batches.length; b++) {
    const { firstOffset, lastOffsetDelta, attributes, records } = batches[b];
    const base = Number(firstOffset);
    if ((attributes & IS_CONTROL) === 0) {
      for (const { offsetDelta, key, value } of records) {
        const offset = base + offsetDelta;
        if (offset < from) continue;
        const headers = new Map([
          [SOURCE, Buffer.from(`${input}/${partition}/${offset}`)],
          [MODEL, MODEL_NAME],
        ]);
        rows.push({ topic: output, partition, key: key ?? undefined, value: value ?? undefined, headers });
      }
    }
    if (rows.length < ROWS && b < batches.length - 1) continue;
    await before;
    before = underWay;
    underWay = send(partition, rows, BigInt(base + lastOffsetDelta + 1));
    rows = [];
  }
  await before;
  await underWay;
}

async function send(
  partition: number,
  messages: Parameters<Producer['send']>[0]['messages'],
  upTo: bigint,
): Promise<void> {
  if (messages.length > 0) await producer.send({ messages, acks: ProduceAcks.ALL });
  acknowledged.set(partition, upTo);
}

async function commit(): Promise<void> {
  const offsets = [...acknowledged].map(([partition, offset]) => ({
    topic: input,
    partition,
    offset,
    leaderEpoch: -1,
  }));
  acknowledged.clear();
  if (offsets.length > 0) await consumer.commit({ offsets });
}

function fail(error: unknown): never {
  process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
  process.exit(1);
}
