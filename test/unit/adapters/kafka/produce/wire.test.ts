import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { toMessages } from '../../../../../src/adapters/kafka/produce/stock-messages.ts';
import {
  decodeProduced,
  encodeProduce,
  errorOfCode,
  type ProducePart,
  produceCall,
  produceVersion,
} from '../../../../../src/adapters/kafka/produce/wire.ts';
import { batchProducer } from '../../../../../src/adapters/kafka/record-batch/write.ts';
import { encodeHeaders } from '../../../../../src/kernel/headers.ts';
import { RecordSlab } from '../../../../../src/kernel/record-slab.ts';

const require = createRequire(import.meta.url);
type Request = { encode(): Promise<object> };
const createRequest = require('kafkajs/src/protocol/request') as (made: object) => Promise<{ readonly buffer: Buffer }>;
const stockRequest = require('kafkajs/src/protocol/requests/produce/v7/request') as (made: object) => Request;
const stockResponse = (version: number) =>
  require(`kafkajs/src/protocol/requests/produce/v${version}/response`) as {
    decode(bytes: Buffer): Promise<{ topics: { topicName: string; partitions: object[] }[]; throttleTime: number }>;
  };

function slab(rows: number, salt: number): RecordSlab {
  const made = new RecordSlab(rows, 64);
  for (let i = 0; i < rows; i++) {
    const headers = [
      { name: 'sluice-source', value: Buffer.from(`t/0/${salt + i}`) },
      { name: 'b', value: Buffer.alloc(i % 70) },
    ];
    const key = i % 3 === 0 ? null : Buffer.from(`key ${i}`);
    const value = i % 5 === 4 ? null : Buffer.alloc((i * 7) % 300, i);
    made.append(1_700_000_000_000 + 40 * i, key, value, i % 4 === 3 ? null : encodeHeaders(headers));
  }
  return made;
}

const part = (topic: string, partition: number, rows: RecordSlab, sequence: number): ProducePart => ({
  ...{ topic, partition, rows, from: 0, to: rows.count, sequence },
});

/** The bytes that go to the socket, by the client's own way there. */
async function onTheWire(request: Request, clientId: string): Promise<Buffer> {
  return (await createRequest({ correlationId: 77, clientId, request })).buffer;
}

for (const [title, transactionalId, parts] of [
  ['one partition', null, [part('predictions', 3, slab(200, 0), 12)]],
  ['one record', null, [part('p', 0, slab(1, 0), 0)]],
  [
    'several partitions and topics of a transaction',
    'group-topic-0',
    [part('a', 0, slab(9, 1), 0), part('a', 5, slab(80, 2), 7), part('ünï', 1, slab(3, 3), 2 ** 31 - 1)],
  ],
] as const) {
  test(`golden bytes: a request for ${title} is, byte by byte, the stock client's`, async () => {
    const producer = batchProducer('81985529216486895', 3, transactionalId !== null);
    const head = { clientId: 'clïent', transactionalId, timeoutMs: 4_000, producer };
    const ours = encodeProduce(head, parts, (bytes) => Buffer.alloc(bytes, 0xee));
    const { request } = produceCall(7, () => ours);
    const topicData = [...Map.groupBy(parts, ({ topic }) => topic)].map(([topic, own]) => ({
      topic,
      partitions: own.map(({ partition, rows, sequence }) => ({
        ...{ partition, firstSequence: sequence, messages: toMessages(rows, 0, rows.count, partition, assert.fail) },
      })),
    }));
    const made = { acks: -1, timeout: 4_000, transactionalId, producerId: '81985529216486895', producerEpoch: 3 };
    const stock = await onTheWire(stockRequest({ ...made, topicData }), head.clientId);
    const sent = await onTheWire(request, head.clientId);
    assert.ok(sent.equals(stock));
    assert.equal(sent.buffer, ours.buf.buffer, 'no copy on the way');
  });
}

test('a request without room for its header is an error, not a request', async () => {
  const head = { clientId: 'c', transactionalId: null, timeoutMs: 1, producer: batchProducer('1', 0, false) };
  const ours = encodeProduce(head, [part('p', 0, slab(1, 0), 0)], (bytes) => Buffer.alloc(bytes));
  await assert.rejects(onTheWire(produceCall(7, () => ours).request, 'longer'), RangeError);
});

function answer(version: number, partitions: readonly [number, number, bigint, bigint][], throttleMs: number): Buffer {
  const body = partitions.map(([partition, code, offset, time]) => {
    const each = Buffer.alloc(version >= 5 ? 30 : 22);
    each.writeInt32BE(partition);
    each.writeInt16BE(code, 4);
    each.writeBigInt64BE(offset, 6);
    each.writeBigInt64BE(time, 14);
    return each;
  });
  const [topics, count, throttle] = [1, partitions.length, throttleMs].map((value) => {
    const each = Buffer.alloc(4);
    each.writeInt32BE(value);
    return each;
  });
  return Buffer.concat([topics, Buffer.from([0, 1]), Buffer.from('t'), count, ...body, throttle]);
}

for (const version of [3, 4, 5, 6, 7]) {
  test(`an answer of version ${version} is read as the stock client reads it`, async () => {
    const bytes = answer(version, [[4, 0, 2n ** 40n, -1n], [1, 0, 0n, 1_700_000_000_000n]], 250); // biome-ignore format: a table
    const stock = await stockResponse(version).decode(bytes);
    const ours = decodeProduced(bytes, version);
    assert.deepEqual(
      ours.acknowledged,
      stock.topics.flatMap(({ topicName, partitions }) =>
        partitions.map((each) => {
          const { logStartOffset: _, ...rest } = each as { logStartOffset?: string };
          return { topicName, ...rest };
        }),
      ),
    );
    assert.equal(ours.clientSideThrottleTime, version >= 6 ? 250 : 0);
    assert.throws(() => decodeProduced(bytes.subarray(0, bytes.length - 5), version), RangeError);
  });
}

test('an error code is the error that the client makes of it', () => {
  assert.equal((errorOfCode(6) as Error & { type: string }).type, 'NOT_LEADER_FOR_PARTITION');
  assert.equal(errorOfCode(6).name, 'KafkaJSProtocolError');
});

test('the highest Produce version that both sides support is used, none where they share none', () => {
  const of = (minVersion: number, maxVersion: number) => produceVersion({ 0: { minVersion, maxVersion } });
  assert.deepEqual([of(0, 13), of(3, 13), of(3, 5), of(0, 2), of(8, 13)], [7, 7, 5, undefined, undefined]);
  assert.equal(produceVersion({}), undefined);
});
