import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MemoryLimit } from '../../../src/batching/memory-limit.ts';

function runsUntilRaised(limit: MemoryLimit): number {
  const from = limit.rows;
  for (let runs = 1; runs < 100_000; runs++) {
    limit.ran();
    if (limit.rows > from) return runs;
  }
  return Number.NaN;
}

test('a run that did not fit halves the limit, down to a row', () => {
  const limit = new MemoryLimit();
  assert.equal(limit.rows, Number.POSITIVE_INFINITY);
  const seen = [100, 50, 25, 12, 6, 3, 1, 1].map((rows) => {
    limit.exceeded(rows);
    return limit.rows;
  });
  assert.deepEqual(seen, [50, 25, 12, 6, 3, 1, 1, 1]);
});

test('the limit grows by steps, after so many runs each, and is lifted where it was', () => {
  const limit = new MemoryLimit();
  limit.exceeded(128);
  const steps: number[] = [];
  let runs = 0;
  for (let lifted = false; !lifted && runs < 10_000; runs++) {
    const before = limit.rows;
    lifted = limit.ran();
    if (limit.rows !== before) steps.push(limit.rows);
  }
  assert.deepEqual(steps, [72, 80, 88, 96, 104, 112, 120, Number.POSITIVE_INFINITY]);
  assert.equal(runs, 8 * 50);
  assert.equal(limit.isReduced, false);
});

test('failing on the way up makes the steps rarer, up to a bound; a full recovery forgives', () => {
  const limit = new MemoryLimit();
  limit.exceeded(128);
  const first = runsUntilRaised(limit);
  limit.ran();
  limit.exceeded(limit.rows);
  assert.equal(runsUntilRaised(limit), 2 * first);
  for (let n = 0; n < 20; n++) {
    limit.ran();
    limit.exceeded(64);
  }
  assert.ok(runsUntilRaised(limit) <= 32 * first);
  limit.lift();
  limit.exceeded(128);
  assert.equal(runsUntilRaised(limit), first);
});
