import assert from 'node:assert/strict';
import { test } from 'node:test';
import { judge } from '../../../src/features/float32-vectors.ts';

const MAX_FLOAT32 = (2 - 2 ** -23) * 2 ** 127;

test('one value that is not finite is found at any position, and finite ones never count as such', () => {
  for (const width of [1, 15, 16, 17, 48, 50]) {
    const values = new Float32Array(width + 4).fill(MAX_FLOAT32);
    for (const around of [Number.NaN, Number.POSITIVE_INFINITY]) {
      values.fill(around, 0, 2).fill(around, width + 2);
      assert.equal(judge(values, 2, width + 2), 0, 'what stands beside the row does not count');
    }
    for (let k = 2; k < width + 2; k++) {
      for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
        values[k] = bad;
        assert.ok(judge(values, 2, width + 2) < 0, `${bad} at ${k - 2} of ${width}`);
      }
      values[k] = -MAX_FLOAT32;
    }
    assert.equal(judge(values, 2, width + 2), 0);
  }
  const opposite = Float32Array.of(Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, ...new Array(30).fill(0));
  assert.ok(judge(opposite, 0, 32) < 0, 'they do not make up for each other');
  const long = new Float32Array(1_000_000).fill(MAX_FLOAT32);
  assert.equal(judge(long, 0, long.length), 0);
});
