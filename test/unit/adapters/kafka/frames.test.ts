import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type CutLimits, cut, endOf, fill } from '../../../../src/adapters/kafka/frames.ts';
import type { BatchContext, FetchedBatch, FetchedMessage } from '../../../../src/adapters/kafka/internals.ts';
import { DEAD_LETTERED } from '../../../../src/kernel/fate.ts';
import { decodeHeaders } from '../../../../src/kernel/headers.ts';

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
        let at = 0;
        while (at < messages.length) {
          const next = cut(messages, at, limits);
          assert.equal(next.from, at);
          assert.ok(next.to > at && next.to - at <= records);
          const kept = values.slice(at, next.to).map((size) => ((size ?? 0) > 2_000 ? 0 : (size ?? 0)));
          assert.equal(
            next.bytes,
            kept.reduce((a, b) => a + b, 0),
          );
          assert.ok(next.bytes <= bytes || next.to - at === 1, 'only a single record may be larger than a frame');
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
  const next = cut(messages, 0, LIMITS);
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
  const next = cut(messages, 0, LIMITS);
  assert.deepEqual([next.to, next.bytes], [3, 20]);
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
