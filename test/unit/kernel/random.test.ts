import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createRandom } from '../../../src/kernel/random.ts';

const first = (seed: readonly [number, number, number], count: number): number[] => {
  const random = createRandom(seed);
  return Array.from({ length: count }, random);
};

test('the same seed gives the same numbers, another one others', () => {
  assert.deepEqual(first([1, 2, 3], 20), first([1, 2, 3], 20));
  for (const other of [
    [1, 2, 4],
    [2, 2, 3],
    [0, 0, 0],
  ] as const) {
    const numbers = first(other, 20);
    assert.ok(first([1, 2, 3], 20).every((n, i) => n !== numbers[i]));
  }
});

test('numbers lie in [0, 1), evenly', () => {
  const tenths = new Array(10).fill(0);
  for (const n of first([2 ** 32 - 1, 2 ** 31, 7], 100_000)) {
    assert.ok(n >= 0 && n < 1);
    tenths[Math.floor(10 * n)]++;
  }
  for (const count of tenths) assert.ok(Math.abs(count - 10_000) < 500, tenths.join(' '));
});
