import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { copyBytes } from '../../src/kernel/bytes/copy-bytes.ts';
import { type HeaderBlock, RecordSlab } from '../../src/kernel/record-slab.ts';
import { appendBody } from '../fixtures/bodies.ts';

interface Row {
  readonly timestampMs: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: Buffer | null;
}

const bytes = fc
  .option(fc.uint8Array({ maxLength: 40, size: 'max' }))
  .map((part) => (part === null ? null : Buffer.from(part)));
const row: fc.Arbitrary<Row> = fc.record(
  { timestampMs: fc.integer(), key: bytes, value: bytes, headers: bytes },
  { noNullPrototype: true },
);
const rows = fc.array(row, { maxLength: 60, size: 'max' });

function read(slab: RecordSlab, i: number): Row {
  const part = (start: number, end: number): Buffer | null =>
    start < 0 ? null : Buffer.from(slab.arena.subarray(start, end));
  return {
    timestampMs: slab.timestamps[i],
    key: part(slab.keyStart[i], slab.keyEnd[i]),
    value: part(slab.valueStart[i], slab.valueEnd[i]),
    headers: part(slab.headersStart[i], slab.headersEnd[i]),
  };
}

function size({ key, value, headers }: Row): number {
  return (key?.length ?? 0) + (value?.length ?? 0) + (headers?.length ?? 0);
}

test('rows come back as they were put in, however small the slab was made; null is not empty', () => {
  fc.assert(
    fc.property(rows, fc.nat(8), fc.nat(64), (given, capacity, arenaBytes) => {
      const slab = new RecordSlab(capacity, arenaBytes);
      // What is left from an earlier use must not show.
      for (const { timestampMs, key, value, headers } of given) slab.append(timestampMs + 1, value, headers, key);
      slab.clear();
      given.forEach(({ timestampMs, key, value, headers }, i) => {
        assert.equal(slab.append(timestampMs, key, value, headers), i);
      });
      assert.equal(slab.count, given.length);
      assert.equal(
        slab.used,
        given.reduce((sum, each) => sum + size(each), 0),
      );
      given.forEach((each, i) => {
        assert.deepEqual(read(slab, i), each);
        assert.equal(slab.rowBytes(i), size(each));
      });
    }),
    { seed: 8, numRuns: 200 },
  );
});

test('a row copied from another slab, or from the same one while it grows, is the same row', () => {
  fc.assert(
    fc.property(
      fc.array(row, { minLength: 1, maxLength: 20 }),
      fc.array(fc.nat(), { maxLength: 60 }),
      (given, picks) => {
        const from = new RecordSlab(1, 1);
        for (const { timestampMs, key, value, headers } of given) from.append(timestampMs, key, value, headers);
        const to = new RecordSlab(0, 0);
        const expected = picks.map((pick) => given[pick % given.length]);
        for (const pick of picks) to.appendRow(from, pick % given.length);
        for (const pick of picks) from.appendRow(from, pick % given.length);
        expected.forEach((each, i) => {
          assert.deepEqual(read(to, i), each);
          assert.deepEqual(read(from, given.length + i), each);
        });
        for (const [i, each] of given.entries()) assert.deepEqual(read(from, i), each);
      },
    ),
    { seed: 9, numRuns: 200 },
  );
});

test('reserved room lies behind the used part, and the used part survives', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(3_000), { minLength: 1, maxLength: 20 }), (sizes) => {
      const slab = new RecordSlab(1, 16);
      let used = 0;
      sizes.forEach((bytes, n) => {
        const at = slab.reserve(bytes);
        assert.equal(at, used);
        assert.ok(slab.arena.length >= at + bytes);
        slab.arena.fill(n, at, at + bytes);
        used += bytes;
        slab.used = used;
      });
      let at = 0;
      sizes.forEach((bytes, n) => {
        assert.ok(slab.arena.subarray(at, at + bytes).every((byte) => byte === n));
        at += bytes;
      });
    }),
    { seed: 10, numRuns: 100 },
  );
});

const part = (maxLength: number) => fc.uint8Array({ maxLength, size: 'max' }).map((each) => Buffer.from(each));

const headersOf = fc.option(
  fc.record({
    are: fc.constantFrom('own', 'given'),
    block: fc.uint8Array({ minLength: 1, maxLength: 90, size: 'max' }).map((each) => Buffer.from(each)),
  }),
);

/** Of memory that holds more. */
function blockOf(block: Buffer): HeaderBlock {
  const memory = Buffer.concat([block, Buffer.alloc(20, 0xee)]);
  return { view: new DataView(memory.buffer, memory.byteOffset, memory.length), length: block.length };
}

test('a row with a body is copied as it is, long or short, wherever both begin and end; columns are there when they are looked at', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.option(part(30)), part(300), headersOf, fc.nat(3), fc.integer({ min: -9, max: 9_999 })), {
        minLength: 1,
        maxLength: 12,
      }),
      fc.option(fc.nat(7)),
      fc.nat(12),
      (given, before, lookedAt) => {
        const from = new RecordSlab(0, 0);
        const expected = given.map(([key, value, headers, gap, timestampMs]): Row => {
          from.used = from.reserve(gap) + gap;
          appendBody(from, timestampMs, key, value, headers?.are === 'own' ? headers.block : null);
          // A block that says that there are no headers is none.
          const isNone = headers?.block[0] === 0 && before === null;
          return { timestampMs, key, value, headers: isNone ? null : (headers?.block ?? null) };
        });
        // The last row ends where the arena does.
        from.arena = Buffer.from(new Uint8Array(from.arena.subarray(0, from.used)).buffer);
        from.view = new DataView(from.arena.buffer);
        const to = new RecordSlab(1, 5);
        // What is left from an earlier use must not show.
        for (let n = 0; n < given.length; n += 2) to.appendRow(from, n);
        assert.equal(to.keyStart.length >= to.count, true);
        to.clear();
        const shift = before === null ? 0 : 1;
        if (before !== null) to.append(-1, null, Buffer.alloc(before, 7), null);
        given.forEach(([, , headers], n) => {
          to.appendRow(from, n, headers?.are === 'given' ? blockOf(headers.block) : undefined);
          if (n === lookedAt) assert.deepEqual(read(to, n + shift), expected[n]);
        });
        assert.equal(to.isBatch, before === null, 'the first row is none of a batch');
        if (to.isBatch) {
          const times = given.map(([, , , , timestampMs]) => timestampMs);
          assert.deepEqual([to.firstTimestamp, to.latestTimestamp], [times[0], Math.max(...times)]);
        }
        const again = new RecordSlab(1, 5);
        for (let n = 0; n < to.count; n++) again.appendRow(to, n);
        expected.forEach((each, n) => {
          assert.deepEqual(read(to, n + shift), each);
        });
        for (let n = 0; n < to.count; n++) assert.deepEqual(read(again, n), read(to, n), 'a copy of a copy');
        if (before !== null) assert.deepEqual(read(to, 0).value, Buffer.alloc(before, 7));
      },
    ),
    { seed: 12, numRuns: 300 },
  );
});

test('exactly the given bytes are copied, whatever their number', () => {
  const source = new DataView(Uint8Array.from({ length: 700 }, (_, i) => i * 7).buffer);
  for (let bytes = 0; bytes <= 600; bytes++) {
    const into = new DataView(new ArrayBuffer(bytes + 20));
    copyBytes(into, 10, source, 100 - (bytes % 9), bytes);
    const got = Buffer.from(into.buffer);
    assert.ok(got.subarray(0, 10).equals(Buffer.alloc(10)) && got.subarray(10 + bytes).equals(Buffer.alloc(10)));
    assert.ok(got.subarray(10, 10 + bytes).equals(Buffer.from(source.buffer, 100 - (bytes % 9), bytes)));
  }
});
