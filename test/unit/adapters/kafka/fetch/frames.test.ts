import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { BatchContext, FetchedBatch, FetchedMessage } from '../../../../../src/adapters/kafka/client/internals.ts';
import {
  BEGINNING,
  type CutLimits,
  cut,
  endOf,
  fill,
  firstFrom,
  offsetBehind,
} from '../../../../../src/adapters/kafka/fetch/frames.ts';
import { singly } from '../../../../../src/adapters/kafka/record-batch/messages.ts';
import { decodeBatches, freshBudget } from '../../../../../src/adapters/kafka/record-batch/read.ts';
import { DEAD_LETTERED, reasonCode } from '../../../../../src/kernel/fate.ts';
import type { Frame } from '../../../../../src/kernel/frame.ts';
import { decodeHeaders } from '../../../../../src/kernel/headers.ts';
import { startOf } from '../../../../../src/kernel/record-columns.ts';
import { batchOf as written } from '../../../../fixtures/kafka/batches.ts';

const ORIGIN = { topic: 't', partition: 3, epoch: 1 };
const LIMITS: CutLimits = { maxRecords: 512, maxBytes: 1_000, maxRecordBytes: 5_000 };

function message(offset: number, valueBytes: number | null, more: Partial<FetchedMessage> = {}): FetchedMessage {
  const value = valueBytes === null ? null : Buffer.alloc(valueBytes, offset);
  return { offset: String(offset), timestamp: String(1_000 + offset), key: null, value, ...more };
}

function batchOf(raw: readonly FetchedMessage[], fetchedOffset: number): FetchedBatch {
  return {
    topic: 't',
    partition: 3,
    fetchedOffset: String(fetchedOffset),
    highWatermark: '99',
    rawMessages: raw,
    messages: raw,
    lastOffset: () => raw.at(-1)?.offset ?? '',
  };
}

test('cuts cover every message once, in order, within the limits, whatever the sizes', () => {
  const sizes = fc.array(fc.option(fc.nat({ max: 3_000 }), { nil: null }), { minLength: 1, maxLength: 60 });
  fc.assert(
    fc.property(
      sizes,
      fc.integer({ min: 1, max: 10 }),
      fc.integer({ min: 1, max: 2_500 }),
      (values, records, bytes) => {
        const limits = { maxRecords: records, maxBytes: bytes, maxRecordBytes: 2_000 };
        const messages = values.map((size, i) => message(i, size));
        let at = BEGINNING;
        while (at.message < messages.length) {
          const next = cut(messages, at, limits);
          assert.equal(next.from, at);
          assert.equal(next.to.message - at.message, next.count);
          assert.ok(next.count > 0 && next.count <= records);
          const kept = values.slice(at.message, next.to.message).map((size) => ((size ?? 0) > 2_000 ? 0 : (size ?? 0)));
          assert.equal(
            next.bytes,
            kept.reduce((a, b) => a + b, 0),
          );
          assert.ok(next.bytes <= bytes || next.count === 1, 'only a single record may be larger than a frame');
          const frame = fill(ORIGIN, messages, next, limits, {
            nextOffset: 0,
            receivedAtMs: 0,
            receivedMonotonicMs: 0,
          });
          assert.equal(frame.bytes, next.bytes, 'what the credit is asked for is what the frame holds');
          assert.equal(frame.arena.length, next.bytes);
          at = next.to;
        }
      },
    ),
  );
});

test('a frame holds copies of key, value and headers, and nothing of the fetch they came in', () => {
  const fetched = Buffer.from('key|value|head');
  const headers = { one: fetched.subarray(10), many: ['a', null], ['__proto__']: 'x' };
  const messages = [
    message(7, 0, { key: fetched.subarray(0, 3), value: fetched.subarray(4, 9), headers }),
    message(9, null, { headers: {} }),
  ];
  const next = cut(messages, BEGINNING, LIMITS);
  const at = { nextOffset: 12, receivedAtMs: 5, receivedMonotonicMs: 6 };
  const frame = fill(ORIGIN, messages, next, LIMITS, at);
  fetched.fill(0);
  assert.equal(frame.origin, ORIGIN);
  assert.deepEqual([...frame.offsets], [7, 9]);
  assert.deepEqual([...frame.timestamps], [1_007, 1_009]);
  assert.deepEqual([frame.nextOffset, frame.receivedAtMs, frame.receivedMonotonicMs], [12, 5, 6]);
  assert.equal(frame.arena.toString('utf8', frame.keyStart[0], frame.keyEnd[0]), 'key');
  assert.equal(frame.arena.toString('utf8', frame.valueStart[0], frame.valueEnd[0]), 'value');
  assert.deepEqual(
    decodeHeaders(frame.arena.subarray(frame.headersStart[0], frame.headersEnd[0])).map((h) => [
      h.name,
      h.value?.toString(),
    ]),
    [
      ['one', 'head'],
      ['many', 'a'],
      ['many', undefined],
      ['__proto__', 'x'],
    ],
  );
  assert.deepEqual([frame.keyStart[1], frame.valueStart[1], frame.headersStart[1]], [-1, -1, -1]);
});

test('a record above the whole credit leaves its body behind', () => {
  const messages = [message(0, 10), message(1, 6_000), message(2, 10)];
  const next = cut(messages, BEGINNING, LIMITS);
  assert.deepEqual([next.to, next.count, next.bytes], [{ message: 3, record: 0 }, 3, 20]);
  const frame = fill(ORIGIN, messages, next, LIMITS, { nextOffset: 3, receivedAtMs: 0, receivedMonotonicMs: 0 });
  assert.deepEqual([...frame.fate], [0, DEAD_LETTERED, 0]);
  assert.deepEqual([frame.valueStart[1], frame.valueBytes[1]], [-1, 6_000]);
});

test('the end of a fetch lies behind what compaction took from its last batch, and behind control records', () => {
  const batchContext: BatchContext = { firstOffset: '10', lastOffsetDelta: 9 };
  assert.equal(endOf(batchOf([message(12, 1, { batchContext })], 10)), 20);
  assert.equal(endOf(batchOf([message(12, 1)], 10)), 13, 'an old message set says nothing about its end');
  assert.equal(endOf(batchOf([], 10)), 10);
});

/** Everything of a frame's records, as plain values. */
function contents(frame: Frame): object[] {
  const part = (start: number, end: number): string | null =>
    start < 0 ? null : frame.arena.toString('hex', start, end);
  return Array.from({ length: frame.count }, (_, i) => ({
    offset: frame.offsets[i],
    timestamp: frame.timestamps[i],
    key: part(frame.keyStart[i], frame.keyEnd[i]),
    value: part(frame.valueStart[i], frame.valueEnd[i]),
    headers: part(frame.headersStart[i], frame.headersEnd[i]),
    valueBytes: frame.valueBytes[i],
    fate: frame.fate[i],
    reason: frame.reason[i],
  }));
}

test('frames of batches hold what frames of single messages hold, wherever the fetch begins, across batches, and no byte more than charged', async () => {
  const bytes = fc.option(fc.uint8Array({ maxLength: 200 }), { nil: null });
  const records = fc.array(
    fc.record({
      key: bytes,
      value: bytes,
      headers: fc.constantFrom<Record<string, Buffer>>({}, { a: Buffer.from('1') }),
      gap: fc.nat(2),
    }),
    { minLength: 1, maxLength: 30 },
  );
  const fetches = fc.array(records, { minLength: 1, maxLength: 6 });
  const limits = fc.record({
    maxRecords: fc.integer({ min: 1, max: 40 }),
    maxBytes: fc.integer({ min: 1, max: 2_000 }),
    maxRecordBytes: fc.integer({ min: 150, max: 2_000 }),
  });
  await fc.assert(
    fc.asyncProperty(fetches, limits, fc.nat(80), async (batches, { maxRecordBytes, ...sizes }, from) => {
      let offset = 0;
      const buffers: Buffer[] = [];
      for (const batch of batches) {
        const list = batch.map(({ key, value, headers }) => ({
          headers,
          key: key && Buffer.from(key),
          value: value && Buffer.from(value),
        }));
        const buffer = await written(list);
        buffer.writeBigInt64BE(BigInt(offset), 0);
        offset += list.length + batch[0].gap;
        buffers.push(buffer);
      }
      const messages = await decodeBatches(Buffer.concat(buffers), freshBudget());
      assert.equal(messages.length, batches.length);
      const single = await singly(messages);
      const at = { nextOffset: 0, receivedAtMs: 0, receivedMonotonicMs: 0 };
      const read = (list: readonly FetchedMessage[], within: CutLimits): [object[], number[]] => {
        const found: object[] = [];
        const nextOffsets: number[] = [];
        const batch = batchOf(list, from);
        for (let cursor = firstFrom(list, from); cursor.message < list.length; ) {
          const next = cut(list, cursor, within);
          assert.ok(next.count > 0 && next.count <= within.maxRecords);
          assert.ok(next.bytes <= within.maxBytes || next.count === 1);
          const frame = fill(ORIGIN, list, next, within, at);
          assert.deepEqual([frame.count, frame.bytes, frame.arena.length], [next.count, next.bytes, next.bytes]);
          found.push(...contents(frame));
          cursor = next.to;
          nextOffsets.push(offsetBehind(batch, cursor));
        }
        return [found, nextOffsets];
      };
      // A record that is too large is so with its frame, which a single message does not know of.
      const large = new Set(
        single.filter((_, i) => framedBytes(messages, i) > maxRecordBytes).map((each) => Number(each.offset)),
      );
      const [found, nextOffsets] = read(messages, { ...sizes, maxRecordBytes });
      const [expected] = read(single, { ...sizes, maxRecordBytes: Number.POSITIVE_INFINITY });
      const offsets = expected.map((each) => (each as { offset: number }).offset);
      assert.deepEqual(
        found,
        expected.map((each, i) =>
          large.has(offsets[i])
            ? { ...each, key: null, value: null, headers: null, fate: DEAD_LETTERED, reason: TOO_LARGE }
            : each,
        ),
      );
      // Each position is that of the record behind it; the last one is the end of the fetch.
      for (const position of nextOffsets.slice(0, -1)) assert.ok(offsets.includes(position));
      if (nextOffsets.length > 0) assert.equal(nextOffsets.at(-1), endOf(batchOf(messages, from)));
    }),
    { numRuns: 300 },
  );
});

const TOO_LARGE = reasonCode('too-large');

/** Bytes of the i-th record of all, framing included. */
function framedBytes(messages: readonly FetchedMessage[], i: number): number {
  let left = i;
  for (const { records } of messages) {
    if (records === undefined) continue;
    const count = records.to - records.from;
    if (left < count) return records.columns.ends[records.from + left] - startOf(records, records.from + left);
    left -= count;
  }
  return Number.NaN;
}

test('many small batches make one frame, and one large batch many', async () => {
  const one = await written([{ value: Buffer.from('a') }]);
  const small = Buffer.concat(
    Array.from({ length: 300 }, (_, i) => {
      const batch = Buffer.from(one);
      batch.writeBigInt64BE(BigInt(i), 0);
      return batch;
    }),
  );
  const limits = { ...LIMITS, maxBytes: 10_000 };
  const messages = await decodeBatches(small, freshBudget());
  const all = cut(messages, BEGINNING, limits);
  assert.deepEqual([all.count, all.to], [300, { message: 300, record: 0 }]);
  const large = await written(Array.from({ length: 1_300 }, () => ({ value: Buffer.from('a') })));
  const [counts, rest] = [[] as number[], await decodeBatches(large, freshBudget())];
  for (let from = BEGINNING; from.message < rest.length; ) {
    const next = cut(rest, from, limits);
    counts.push(next.count);
    from = next.to;
  }
  assert.deepEqual(counts, [512, 512, 276]);
});
