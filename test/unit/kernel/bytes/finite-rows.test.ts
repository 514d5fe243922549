import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { floatRows, nonFiniteRows } from '../../../../src/kernel/bytes/finite-rows.ts';

const MAX_FLOAT32 = (2 - 2 ** -23) * 2 ** 127;
const BAD = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
const LARGE = 40_000;

function verdicts(values: Float32Array, width: number, rows: number): number[] {
  const found = nonFiniteRows(values, width, rows);
  assert.ok(found !== undefined, 'the memory is of there');
  return [...found.subarray(0, rows)];
}

test('one value that is not finite is seen wherever it stands, and in its row only', () => {
  for (const width of [4, 5, 7, 8, 15, 16, 17, 19, 20, 21, 63, 64, 65, 80, 83]) {
    const rows = Math.ceil(LARGE / width);
    const values = floatRows(rows, width).fill(MAX_FLOAT32);
    for (let k = 0; k < width; k++) {
      for (const bad of BAD) {
        values[width + k] = bad;
        assert.deepEqual(verdicts(values, width, 3), [0, 1, 0], `${bad} at ${k} of ${width}`);
      }
      values[width + k] = -MAX_FLOAT32;
    }
    assert.deepEqual(verdicts(values, width, 3), [0, 0, 0]);
  }
});

test('bits decide: every float32 is judged as Number.isFinite judges it', () => {
  const width = 24;
  const rows = 2_000;
  const values = floatRows(rows, width);
  const words = new Uint32Array(values.buffer, 0, values.length);
  const edges = [0, 0x80000000, 1, 0x80000001, 0x7f7fffff, 0xff7fffff, 0x7f800000, 0xff800000, 0x7f800001, 0xffc00000];
  const word = fc.oneof(fc.constantFrom(...edges), fc.integer({ min: 0, max: 0xffffffff }));
  fc.assert(
    fc.property(
      fc.array(word, { minLength: 4 * width, maxLength: 4 * width }),
      fc.integer({ min: 0, max: 4 }),
      (of, n) => {
        words.set(of);
        const expected = Array.from({ length: n }, (_, row) =>
          values.subarray(row * width, (row + 1) * width).every(Number.isFinite) ? 0 : 1,
        );
        assert.deepEqual(verdicts(values, width, n), expected);
      },
    ),
  );
});

test('all rows there is room for, and not one more; the values stay as they are', () => {
  const width = 784;
  const rows = 165;
  const values = floatRows(rows, width);
  assert.equal(values.length, rows * width);
  for (let i = 0; i < values.length; i++) values[i] = i;
  values[rows * width - 1] = Number.NaN;
  const before = values.slice();
  assert.deepEqual(verdicts(values, width, rows).indexOf(1), rows - 1);
  assert.equal(nonFiniteRows(values, width, rows + 1), undefined);
  assert.deepEqual(values, before);
  assert.deepEqual(verdicts(values, width, 0), []);
});

test('what is small, of somebody else, or does not begin where its memory does, is left to others', () => {
  const small = floatRows(10, 784);
  assert.equal(small.length, 7_840);
  assert.equal(nonFiniteRows(small, 784, 10), undefined);
  assert.equal(nonFiniteRows(floatRows(100_000, 3), 3, 10), undefined);
  assert.equal(nonFiniteRows(new Float32Array(165 * 784), 784, 165), undefined);
  assert.equal(nonFiniteRows(floatRows(165, 784).subarray(784), 784, 1), undefined);
});
