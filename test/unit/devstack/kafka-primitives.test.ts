import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { crc32c } from '../../../src/devstack/kafka/crc32c.ts';
import { Reader, Writer } from '../../../src/devstack/kafka/wire.ts';

/** The definition, a bit at a time. */
function crcByBits(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  }
  return (crc ^ 0xffffffff) >>> 0;
}

test('crc32c gives the check value of the catalogue, and of the iSCSI standard', () => {
  assert.equal(crc32c(Buffer.from('123456789')), 0xe3069283);
  assert.equal(crc32c(Buffer.alloc(32)), 0x8a9136aa);
});

test('crc32c agrees with its definition on any part of any bytes', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), fc.nat(20), (bytes, skip) => {
      const from = Math.min(skip, bytes.length);
      assert.equal(crc32c(bytes, from), crcByBits(bytes.subarray(from)));
    }),
  );
});

/** A body as the next reader sees it: without the length prefix. */
const bodyOf = (writer: Writer): Reader => new Reader(writer.finish().subarray(4));

test('what the writer writes the reader reads back, across growth and referenced pieces', () => {
  const text = fc.string({ maxLength: 700, unit: 'binary' });
  const long = fc.maxSafeInteger();
  const bytes = fc.uint8Array({ maxLength: 900 }).map((data) => Buffer.from(data));
  fc.assert(
    fc.property(fc.array(fc.tuple(text, long, bytes), { maxLength: 8 }), (rows) => {
      const w = new Writer();
      w.array(rows, ([name, value, data]) => w.str(name).i64(value).blob(data).i16(-7));
      const r = bodyOf(w);
      const read = r.array(() => [r.str(), r.i64(), Buffer.from(r.blob()), r.i16()]);
      assert.deepEqual(
        read,
        rows.map((row) => [...row.map((v) => (typeof v === 'string' ? Buffer.from(v).toString() : v)), -7]),
      );
    }),
  );
});

test('the length prefix counts everything behind it', () => {
  const frame = new Writer().str('x').blob(Buffer.alloc(5000)).i8(1).finish();
  assert.equal(frame.readInt32BE(0), frame.length - 4);
});

test('a request that ends early or announces too much is a RangeError', () => {
  const wild = Buffer.alloc(8);
  wild.writeInt32BE(0x7fffffff);
  assert.throws(() => new Reader(wild).array(() => 1), RangeError);
  assert.throws(() => new Reader(wild).blob(), RangeError);
  assert.throws(() => new Reader(Buffer.alloc(3)).i32(), RangeError);
});
