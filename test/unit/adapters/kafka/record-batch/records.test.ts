import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  checkCount,
  RECORDS_A_TURN,
  type RecordBase,
  type Region,
  readManyRecords,
  readRecords,
} from '../../../../../src/adapters/kafka/record-batch/records.ts';
import { RecordColumns, type RecordRange, startOf } from '../../../../../src/kernel/record-columns.ts';
import { seeded } from '../../../../fixtures/random.ts';

const BASE: RecordBase = {
  firstOffset: 100,
  lastOffsetDelta: 2 ** 31 - 1,
  firstTimestamp: 1_000,
  appendedAt: undefined,
};

interface Plain {
  readonly offset: number;
  /** Text where a number does not hold it. */
  readonly timestamp: number | string;
  readonly key: string | null;
  readonly value: string | null;
  readonly headers: string | null;
}

/** Zigzag; `width` pads it to more bytes than it needs. */
function varint(value: number | bigint, width = 1): Buffer {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, (BigInt(value) << 1n) ^ (BigInt(value) >> 63n));
  while (rest > 127n || bytes.length + 1 < width) {
    bytes.push(Number(rest & 127n) | 128);
    rest >>= 7n;
  }
  return Buffer.from([...bytes, Number(rest)]);
}

interface Spec {
  readonly timestampDelta: number;
  readonly gap: number;
  readonly key: number | null;
  readonly value: number | null;
  readonly headers: readonly (readonly [string, string | null])[];
  readonly width: number;
}

function field(bytes: Buffer | null, width: number): Buffer {
  return bytes === null ? varint(-1, width) : Buffer.concat([varint(bytes.length, width), bytes]);
}

function encode(specs: readonly Spec[]): Buffer {
  let offsetDelta = -1;
  return Buffer.concat(
    specs.map(({ timestampDelta, gap, key, value, headers, width }, i) => {
      offsetDelta += 1 + gap;
      const body = Buffer.concat([
        Buffer.from([0]),
        varint(timestampDelta, width),
        varint(offsetDelta, width),
        field(key === null ? null : Buffer.alloc(key, i + 1), width),
        field(value === null ? null : Buffer.alloc(value, i + 2), width),
        varint(headers.length, width),
        ...headers.flatMap(([name, one]) => [
          field(Buffer.from(name), width),
          field(one === null ? null : Buffer.from(one), width),
        ]),
      ]);
      return Buffer.concat([varint(body.length, width), body]);
    }),
  );
}

/** The layout in the plainest words: one number after the other. */
function slowly(bytes: Buffer, count: number, base: RecordBase): Plain[] {
  let at = 0;
  let end = bytes.length;
  const byte = (): number => {
    if (at >= end) throw new RangeError();
    return bytes[at++];
  };
  const number = (most: number): bigint => {
    let raw = 0n;
    for (let k = 0; k < most; k++) {
      const one = byte();
      raw |= BigInt(one & 127) << BigInt(7 * k);
      if (one > 127) continue;
      const unsigned = most === 5 ? BigInt.asUintN(32, raw) : raw;
      return (unsigned >> 1n) ^ -(unsigned & 1n);
    }
    throw new RangeError();
  };
  const int = (): number => Number(number(5));
  const skip = (length: number): string => {
    if (length < 0 || at + length > end) throw new RangeError();
    at += length;
    return bytes.toString('hex', at - length, at);
  };
  const nullable = (): string | null => {
    const length = int();
    return length === -1 ? null : skip(length);
  };
  const records: Plain[] = [];
  let before = -1;
  for (let i = 0; i < count; i++) {
    const length = int();
    if (length < 6 || at + length > bytes.length) throw new RangeError();
    end = at + length;
    byte();
    const timestamp = Number(number(10));
    const delta = int();
    if (delta <= before || delta > base.lastOffsetDelta) throw new RangeError();
    before = delta;
    const key = nullable();
    const value = nullable();
    const from = at;
    const headers = int();
    if (headers < 0 || headers * 2 > end - at) throw new RangeError();
    for (let k = 0; k < headers; k++) {
      skip(int());
      nullable();
    }
    const block = headers === 0 ? null : bytes.toString('hex', from, at);
    if (at !== end) throw new RangeError();
    end = bytes.length;
    records.push({
      offset: base.firstOffset + delta,
      timestamp: dated(base.appendedAt ?? base.firstTimestamp + timestamp),
      key,
      value,
      headers: block,
    });
  }
  if (at !== bytes.length) throw new RangeError();
  return records;
}

/** In the middle of something else, which is to be left alone: more of what looks like records. */
function region(records: Buffer): Region {
  const bytes = Buffer.concat([Buffer.alloc(40, 2), records, Buffer.alloc(40, 2)]);
  return { bytes, start: 40, end: 40 + records.length };
}

function dated(timestamp: number): number | string {
  return Math.abs(timestamp) < 2 ** 52 ? timestamp : 'no time that is';
}

function plain(range: RecordRange): Plain[] {
  const { columns, from, to, bytes } = range;
  const part = (start: number, end: number): string | null => (start < 0 ? null : bytes.toString('hex', start, end));
  return Array.from({ length: to - from }, (_, i) => ({
    offset: columns.offsets[from + i],
    timestamp: dated(columns.timestamps[from + i]),
    key: part(columns.keyStart[from + i], columns.keyEnd[from + i]),
    value: part(columns.valueStart[from + i], columns.valueEnd[from + i]),
    headers: part(columns.headersStart[from + i], columns.headersEnd[from + i]),
  }));
}

const spec: fc.Arbitrary<Spec> = fc.record({
  timestampDelta: fc.oneof(
    fc.integer({ min: -70, max: 70 }),
    fc.maxSafeInteger().map((n) => Math.trunc(n / 4)),
  ),
  gap: fc.oneof({ weight: 5, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat(100_000) }),
  key: fc.option(fc.oneof(fc.nat(70), fc.nat(300)), { nil: null }),
  value: fc.option(fc.oneof(fc.nat(200), fc.nat(20_000)), { nil: null }),
  headers: fc.array(fc.tuple(fc.string({ maxLength: 90 }), fc.option(fc.string(), { nil: null })), { maxLength: 4 }),
  width: fc.constantFrom(1, 1, 1, 2, 3, 5),
});

test('records are read as the layout says, whatever their numbers, and behind what the columns hold already', () => {
  fc.assert(
    fc.property(
      fc.array(spec, { minLength: 1, maxLength: 12 }),
      fc.option(fc.nat(), { nil: undefined }),
      (specs, appendedAt) => {
        const bytes = encode(specs);
        const base = { ...BASE, appendedAt };
        const columns = new RecordColumns(2 * specs.length);
        for (const from of [0, specs.length]) {
          const range = readRecords(columns, region(bytes), specs.length, base);
          assert.deepEqual([range.from, range.to, columns.count], [from, from + specs.length, from + specs.length]);
          assert.deepEqual(plain(range), slowly(bytes, specs.length, base));
          assert.equal(startOf(range, from), 40);
          assert.equal(columns.ends[range.to - 1], 40 + bytes.length);
        }
      },
    ),
    { numRuns: 500 },
  );
});

test('row 17: of changed bytes it reads what the layout says, or throws RangeError where that cannot be read, and takes no row then', () => {
  const random = seeded(3);
  const below = (n: number): number => Math.floor(random() * n);
  const originals = fc.sample(fc.array(spec, { minLength: 1, maxLength: 4 }), { numRuns: 60, seed: 4 });
  const tally = { read: 0, refused: 0 };
  for (let n = 0; n < 30_000; n++) {
    const specs = originals[n % originals.length];
    let bytes = encode(specs.map((one) => ({ ...one, value: one.value === null ? null : one.value % 150 })));
    for (let k = below(3); k >= 0; k--) bytes[below(Math.min(bytes.length, 60))] = below(3) === 0 ? 255 : below(256);
    if (below(4) === 0) bytes = bytes.subarray(0, below(bytes.length));
    const columns = new RecordColumns(specs.length);
    let expected: Plain[] | undefined;
    try {
      expected = slowly(bytes, specs.length, BASE);
    } catch (error) {
      assert.ok(error instanceof RangeError);
    }
    if (expected === undefined) {
      assert.throws(() => readRecords(columns, region(bytes), specs.length, BASE), RangeError);
      assert.equal(columns.count, 0);
      tally.refused++;
    } else {
      assert.deepEqual(plain(readRecords(columns, region(bytes), specs.length, BASE)), expected);
      tally.read++;
    }
  }
  assert.ok(tally.read > 2_000 && tally.refused > 2_000, JSON.stringify(tally));
});

test('none is beyond the batch, and none goes back', () => {
  const one = { timestampDelta: 0, gap: 0, key: null, value: 1, headers: [], width: 1 };
  const three = encode([one, one, one]);
  assert.throws(
    () => readRecords(new RecordColumns(3), region(three), 3, { ...BASE, lastOffsetDelta: 1 }),
    /not in order/,
  );
  assert.throws(
    () => readRecords(new RecordColumns(6), region(Buffer.concat([three, three])), 6, BASE),
    /not in order/,
  );
  assert.throws(() => readRecords(new RecordColumns(2), region(three), 2, BASE), /left over/);
  assert.throws(() => checkCount(4, region(Buffer.alloc(27))), /more records than/);
  checkCount(4, region(Buffer.alloc(28)));
});

test('more than a turn holds are read in several, to the same end', async () => {
  const count = 2 * RECORDS_A_TURN + 5;
  const specs = Array.from({ length: count }, (_, i) => ({
    timestampDelta: i,
    gap: 0,
    key: i % 3,
    value: i % 7,
    headers: [],
    width: 1,
  }));
  const bytes = encode(specs);
  let turns = 0;
  let next = setImmediate(function turn() {
    turns++;
    next = setImmediate(turn);
  });
  const range = await readManyRecords(new RecordColumns(count), region(bytes), count, BASE);
  clearImmediate(next);
  assert.ok(turns > 0, 'the loop had its turn');
  assert.deepEqual(plain(range), slowly(bytes, count, BASE));
});
