import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import fc from 'fast-check';
import type { FetchedMessage } from '../../../../../src/adapters/kafka/client/internals.ts';
import {
  type BatchProducer,
  batchBound,
  batchProducer,
  writeBatch,
} from '../../../../../src/adapters/kafka/record-batch/write.ts';
import { encodeHeaders, type Header } from '../../../../../src/kernel/headers.ts';
import { RecordSlab } from '../../../../../src/kernel/record-slab.ts';
import { appendBody } from '../../../../fixtures/bodies.ts';
import { readBatch } from '../../../../fixtures/kafka/read-batch.ts';

const require = createRequire(import.meta.url);
const Decoder = require('kafkajs/src/protocol/decoder') as new (bytes: Buffer) => { offset: number };
const stockDecode = require('kafkajs/src/protocol/recordBatch/v0/decoder') as (
  decoder: object,
) => Promise<{ records: FetchedMessage[] }>;

interface Row {
  readonly timestamp: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: readonly Header[] | null;
}

const NOBODY: BatchProducer = batchProducer('-1', -1, false);

function slabOf(rows: readonly Row[]): RecordSlab {
  const slab = new RecordSlab(1, 1);
  for (const { timestamp, key, value, headers } of rows) {
    slab.append(timestamp, key, value, headers === null ? null : encodeHeaders(headers));
  }
  return slab;
}

/** Written behind something else, into no more than the bound. */
function written(rows: RecordSlab, from = 0, to = rows.count, producer = NOBODY, sequence = -1): Buffer {
  const bound = batchBound(rows, from, to);
  const into = Buffer.alloc(7 + bound + 5, 0xee);
  const end = writeBatch(into, 7, rows, from, to, producer, sequence);
  assert.ok(end <= 7 + bound, 'the bound is one');
  assert.ok(
    into.subarray(0, 7).every((byte) => byte === 0xee) && into.subarray(end + 1).every((byte) => byte === 0xee),
  );
  return into.subarray(7, end);
}

const bytes = (maxLength: number) => fc.uint8Array({ maxLength }).map((each) => Buffer.from(each));
const part = fc.option(fc.oneof(bytes(40), bytes(400)), { nil: null });
const header = fc.record({ name: fc.string({ maxLength: 20 }), value: fc.option(bytes(30), { nil: null }) });
const now = fc.integer({ min: 1_700_000_000_000, max: 1_700_000_100_000 });
const timestamp = fc.oneof(
  { weight: 4, arbitrary: now },
  fc.constantFrom(-1, 0, 2 ** 31, -(2 ** 31), 2 ** 53, -(2 ** 53), 2 ** 62, 1_700_000_000_000 + 2 ** 30),
  fc.maxSafeInteger(),
);
const row: fc.Arbitrary<Row> = fc.record({
  timestamp,
  key: part,
  value: part,
  headers: fc.option(fc.array(header, { maxLength: 4 }), { nil: null }),
});

test('any rows, decoded, are the rows: bytes, nulls, header order, timestamps however far apart', () => {
  fc.assert(
    fc.property(fc.array(row, { minLength: 1, maxLength: 20 }), fc.nat(19), (rows, skip) => {
      const from = Math.min(skip, rows.length - 1);
      const batch = readBatch(written(slabOf(rows), from));
      assert.deepEqual(
        batch.records,
        rows.slice(from).map(({ timestamp: ms, key, value, headers }, i) => ({
          timestamp: BigInt(ms),
          offsetDelta: i,
          key,
          value,
          headers: (headers ?? []).map((each) => [Buffer.from(each.name).toString(), each.value]),
        })),
      );
      assert.equal(batch.lastOffsetDelta, rows.length - from - 1);
      assert.equal(batch.firstTimestamp, BigInt(rows[from].timestamp));
      assert.equal(batch.maxTimestamp, BigInt(Math.max(...rows.slice(from).map((each) => each.timestamp))));
    }),
    { numRuns: 300 },
  );
});

test('rows that were put together as a batch make the bytes that the same rows make one by one', () => {
  const whole = fc.record({ timestamp, key: part, value: bytes(300), headers: fc.array(header, { maxLength: 4 }) });
  let copied = 0;
  fc.assert(
    fc.property(fc.array(whole, { minLength: 1, maxLength: 90 }), (rows) => {
      const source = new RecordSlab(1, 1);
      const chunk = new RecordSlab(1, 1);
      // What an earlier chunk was must not show.
      chunk.append(5, null, Buffer.from('before'), null);
      chunk.clear();
      rows.forEach((each, i) => {
        appendBody(source, each.timestamp, each.key, each.value, encodeHeaders(each.headers));
        chunk.appendRow(source, i);
      });
      const far = rows.some((each) => Math.abs(each.timestamp - rows[0].timestamp) >= 2 ** 30);
      assert.equal(chunk.isBatch, !far);
      if (chunk.isBatch) copied++;
      const expected = written(slabOf(rows));
      assert.deepEqual(written(chunk), expected);
      assert.deepEqual(written(source), expected, 'nor does it matter how they lie');
      if (rows.length > 1) assert.deepEqual(written(chunk, 1), written(slabOf(rows), 1));
      chunk.append(7, null, Buffer.from('one more'), null);
      assert.ok(!chunk.isBatch);
    }),
    { numRuns: 300 },
  );
  assert.ok(copied > 20, `${copied}`);
});

test('the stock client reads the same', async () => {
  const plain = fc.record({ timestamp: now, key: part, value: part, headers: fc.constant(null) });
  await fc.assert(
    fc.asyncProperty(fc.array(plain, { minLength: 1, maxLength: 20 }), async (rows) => {
      const { records } = await stockDecode(new Decoder(Buffer.from(written(slabOf(rows)))));
      assert.deepEqual(
        records.map(({ key, value, timestamp: ms, offset }) => ({
          key,
          value,
          ms: Number(ms),
          offset: Number(offset),
        })),
        rows.map(({ key, value, timestamp: ms }, offset) => ({ key, value, ms, offset })),
      );
    }),
    { numRuns: 100 },
  );
});

test('lengths and offsets where their numbers get a byte longer', () => {
  for (const length of [0, 63, 64, 159, 160, 161, 8_191, 8_192, 1_048_575, 1_048_576]) {
    const value = Buffer.alloc(length, 5);
    const [record] = readBatch(written(slabOf([{ timestamp: 1, key: value, value, headers: null }]))).records;
    assert.deepEqual([record.key?.length, record.value?.length], [length, length]);
  }
  const slab = new RecordSlab(1, 1);
  for (let i = 0; i < 9_000; i++) slab.append(i, null, Buffer.from([i & 255]), null);
  const { records } = readBatch(written(slab));
  assert.ok(records.every(({ offsetDelta, value }, i) => offsetDelta === i && value?.[0] === (i & 255)));
});

test('ranges may lie anywhere in the arena, and be shared', () => {
  const slab = slabOf([{ timestamp: 9, key: Buffer.from('key'), value: Buffer.from('value'), headers: null }]);
  const i = slab.begin(8);
  [slab.keyStart[i], slab.keyEnd[i]] = [3, 8];
  [slab.valueStart[i], slab.valueEnd[i]] = [0, 3];
  const [, second] = readBatch(written(slab)).records;
  assert.deepEqual([String(second.key), String(second.value), second.timestamp], ['value', 'key', 8n]);
  [slab.headersStart[i], slab.headersEnd[i]] = [2, 2];
  assert.deepEqual(readBatch(written(slab)).records[1].headers, [], 'a block of no bytes is no headers');
});

test('who sends, and under which sequence', () => {
  const slab = slabOf([{ timestamp: 1, key: null, value: null, headers: null }]);
  for (const id of ['0', '4711', '4294967295', '4294967296', '9223372036854775807', '-1']) {
    const batch = readBatch(written(slab, 0, 1, batchProducer(id, 7, false), 2 ** 31 - 1));
    assert.deepEqual([batch.producerId, batch.epoch, batch.sequence], [BigInt(id), 7, 2 ** 31 - 1]);
    assert.equal(batch.attributes, 0);
  }
  assert.equal(readBatch(written(slab, 0, 1, batchProducer('1', 0, true), 0)).attributes, 16);
});
