import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DEAD_LETTERED, DROPPED, OPEN, REASONS, reasonCode } from '../../src/kernel/fate.ts';
import { decide } from '../../src/kernel/frame.ts';
import { FrameBuilder } from '../../src/kernel/frame-builder.ts';
import { decodeHeaders, encodeHeaders, varintLength, writeVarint } from '../../src/kernel/headers.ts';
import { emptyRecords } from '../fixtures/frames.ts';

const ORIGIN = { topic: 'in', partition: 3, epoch: 7 };
const bytes = fc.option(fc.uint8Array({ maxLength: 20 })).map((part) => (part === null ? null : Buffer.from(part)));
const record = fc.record({
  gap: fc.nat(5),
  timestampMs: fc.maxSafeInteger(),
  key: bytes,
  value: bytes,
  headers: bytes,
  tooLarge: fc.integer({ min: 0, max: 9 }).map((dice) => dice === 0),
});

test('a frame holds what was put in, and retains exactly the bytes that it says', () => {
  fc.assert(
    fc.property(fc.array(record, { maxLength: 50, size: 'max' }), fc.nat(10), (records, spare) => {
      const kept = records.filter(({ tooLarge }) => !tooLarge);
      const size = kept.reduce(
        (sum, { key, value, headers }) => sum + (key?.length ?? 0) + (value?.length ?? 0) + (headers?.length ?? 0),
        0,
      );
      const builder = new FrameBuilder(ORIGIN, records.length + spare, size);
      let offset = 2 ** 40;
      const offsets = records.map(({ gap }) => (offset += 1 + gap));
      records.forEach(({ timestampMs, key, value, headers, tooLarge }, i) => {
        if (tooLarge) builder.appendReference(offsets[i], timestampMs, 5_000_000);
        else builder.append(offsets[i], timestampMs, key, value, headers);
        assert.equal(builder.count, i + 1);
      });
      const frame = builder.build(offset + 9, 1_000, 2.5);
      assert.deepEqual(
        [frame.origin, frame.count, frame.unsettled, frame.bytes, frame.arena.length, frame.nextOffset],
        [ORIGIN, records.length, records.length, size, size, offset + 9],
      );
      assert.deepEqual([frame.receivedAtMs, frame.receivedMonotonicMs], [1_000, 2.5]);
      const part = (start: number, end: number): Buffer | null =>
        start < 0 ? null : Buffer.from(frame.arena.subarray(start, end));
      records.forEach(({ timestampMs, key, value, headers, tooLarge }, i) => {
        assert.deepEqual([frame.offsets[i], frame.timestamps[i], frame.schemaId[i]], [offsets[i], timestampMs, -1]);
        const found = [
          part(frame.keyStart[i], frame.keyEnd[i]),
          part(frame.valueStart[i], frame.valueEnd[i]),
          part(frame.headersStart[i], frame.headersEnd[i]),
        ];
        assert.deepEqual(found, tooLarge ? [null, null, null] : [key, value, headers]);
        assert.equal(frame.valueBytes[i], tooLarge ? 5_000_000 : (value?.length ?? 0));
        assert.equal(frame.fate[i], tooLarge ? DEAD_LETTERED : OPEN);
        assert.equal(REASONS[frame.reason[i]], tooLarge ? 'too-large' : 'none');
      });
    }),
    { seed: 11, numRuns: 200 },
  );
});

test('a frame sized too small is refused, not silently wrong', () => {
  const short = new FrameBuilder(ORIGIN, 2, 3);
  short.append(0, 0, null, Buffer.from('four'), null);
  assert.throws(() => short.build(1, 0, 0), /arena was sized too small/);
  const few = new FrameBuilder(ORIGIN, 1, 0);
  few.append(0, 0, null, null, null);
  few.append(1, 0, null, null, null);
  assert.throws(() => few.build(2, 0, 0), /sized too small/);
});

test('a record keeps its first fate', () => {
  const frame = emptyRecords(ORIGIN, 0, 2);
  decide(frame, 0, DEAD_LETTERED, reasonCode('decode-failed'));
  decide(frame, 0, DROPPED, reasonCode('tombstone'));
  assert.deepEqual([...frame.fate], [DEAD_LETTERED, OPEN]);
  assert.equal(REASONS[frame.reason[0]], 'decode-failed');
});

const header = fc.record(
  {
    name: fc.string({ maxLength: 200, size: 'max', unit: 'binary' }).map((text) => text.toWellFormed()),
    value: fc
      .option(fc.uint8Array({ maxLength: 300, size: 'max' }))
      .map((part) => (part === null ? null : Buffer.from(part))),
  },
  { noNullPrototype: true },
);

test('headers come back in order, with names given twice, null and empty values', () => {
  fc.assert(
    fc.property(fc.array(header, { maxLength: 80 }), (headers) => {
      assert.deepEqual(decodeHeaders(encodeHeaders(headers)), headers);
    }),
    { seed: 12, numRuns: 200 },
  );
});

test('the block is the record batch layout of Kafka, byte for byte', () => {
  const block = encodeHeaders([
    { name: 'id', value: Buffer.from([7]) },
    { name: 'ä', value: null },
    { name: '', value: Buffer.alloc(0) },
  ]);
  assert.equal(block.toString('hex'), ['06', '046964', '0207', '04c3a4', '01', '00', '00'].join(''));
  assert.equal(
    encodeHeaders([{ name: 'x'.repeat(64), value: null }])
      .subarray(0, 3)
      .toString('hex'),
    '028001',
  );
});

test('varints: zigzag of any int32, as long as announced', () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }), fc.integer({ min: -130, max: 130 })),
      (n) => {
        const into = new Uint8Array(8);
        const end = writeVarint(into, 1, n);
        assert.equal(end - 1, varintLength(n));
        let raw = 0n;
        for (let at = 1; at < end; at++) raw |= BigInt(into[at] & 0x7f) << BigInt(7 * (at - 1));
        assert.equal(Number(raw % 2n === 0n ? raw / 2n : -(raw + 1n) / 2n), n);
      },
    ),
    { seed: 13, numRuns: 500 },
  );
});

test('any bytes are either headers or a RangeError, never more work than there are bytes', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60, size: 'max' }), (noise) => {
      try {
        const headers = decodeHeaders(Buffer.from(noise));
        assert.ok(headers.length * 2 < noise.length + 1);
      } catch (thrown) {
        assert.ok(thrown instanceof RangeError);
      }
    }),
    { seed: 14, numRuns: 1_000 },
  );
});
