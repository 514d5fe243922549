import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { columnFormat, encodeColumn, floatFormat } from '../../../../src/kernel/cells/cell-numbers.ts';

test('integers are those of Bigtable’s increments, whole up to 2^53', () => {
  const { decode } = columnFormat('int64-be', 1);
  fc.assert(
    fc.property(fc.maxSafeInteger(), (number) => {
      const bytes = Buffer.alloc(8);
      bytes.writeBigInt64BE(BigInt(number));
      assert.equal(decode(bytes)?.[0], number);
      assert.deepEqual(encodeColumn('int64-be', Float64Array.of(number)), bytes);
    }),
  );
  assert.equal(decode(Buffer.alloc(4)), null);
  assert.equal(encodeColumn('int64-be', Float64Array.of(1.5)), undefined);
});

test('floats come in either width and either order', () => {
  fc.assert(
    fc.property(fc.float({ noNaN: true }), fc.boolean(), fc.boolean(), (number, bigEndian, double) => {
      const bytes = Buffer.alloc(double ? 8 : 4);
      if (double && bigEndian) bytes.writeDoubleBE(number);
      else if (double) bytes.writeDoubleLE(number);
      else if (bigEndian) bytes.writeFloatBE(number);
      else bytes.writeFloatLE(number);
      assert.equal(columnFormat(bigEndian ? 'float-be' : 'float-le', 1).decode(bytes)?.[0], number);
    }),
  );
});

test('what was written is read back', () => {
  fc.assert(
    fc.property(fc.array(fc.float({ noNaN: true }), { minLength: 1, maxLength: 9 }), (numbers) => {
      for (const encoding of ['float-le', 'float-be'] as const) {
        const decoded = columnFormat(encoding, numbers.length).decode(
          encodeColumn(encoding, Float64Array.from(numbers))!,
        );
        assert.deepEqual(Array.from(decoded!).slice(0, numbers.length), numbers);
      }
    }),
  );
  fc.assert(
    fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (number) => {
      assert.equal(columnFormat('text', 1).decode(encodeColumn('text', Float64Array.of(number))!)?.[0], number || 0);
    }),
  );
});

test('text that is no decimal number is none', () => {
  const { decode } = columnFormat('text', 1);
  for (const text of ['12', '-1.5e3', ' 7 ', '.5', '3.\n']) assert.equal(decode(Buffer.from(text))?.[0], Number(text));
  for (const text of ['', ' ', 'NaN', 'null', '1,5', '0x10', '1e999', '١', `1${'0'.repeat(70)}`, '\0\0\0\0\0\0\0*'])
    assert.equal(decode(Buffer.from(text)), null, text);
});

test('a counter read as a double is told from a number', () => {
  for (const count of [1n, 42n, 1_700_000_000_000n]) {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64BE(count);
    assert.equal(columnFormat('float-le', 1).decode(bytes), null, `${count} as float-le`);
    assert.equal(columnFormat('float-be', 1).decode(bytes), null, `${count} as float-be`);
  }
  assert.equal(floatFormat(1, 'f64', false).decode(Buffer.from('000000000000002a', 'hex'))?.[0] !== undefined, true);
});
