import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fetchHoldMs } from '../../src/batching/fetch-hold.ts';

const budgets = fc.double({ min: 1, max: 60_000, noNaN: true });
const loads = fc.double({ min: 0, max: 1, noNaN: true });

test('the less processor time is left, the longer a fetch is held: never beyond a quarter of the budget, or 30 ms', () => {
  fc.assert(
    fc.property(budgets, loads, loads, (budget, a, b) => {
      const [less, more] = [Math.min(a, b), Math.max(a, b)].map((load) => fetchHoldMs(budget, load));
      assert.ok(less <= more, `${less} and ${more}`);
      assert.ok(more <= Math.min(budget / 4, 30) + 1e-9, `${more} of ${budget}`);
      assert.ok(less > Math.min(budget / 12, 10) - 1, `${less} of ${budget}`);
      assert.ok(Number.isInteger(less) && Number.isInteger(more));
    }),
  );
});

test('a process with time to spare holds a fetch for a twelfth of the budget, one without for a quarter', () => {
  for (const load of [0, 0.2, 0.4]) assert.equal(fetchHoldMs(48, load), 4);
  for (const load of [0.8, 0.95, 1]) assert.equal(fetchHoldMs(48, load), 12);
  assert.equal(fetchHoldMs(48, 0.65), 9);
  assert.equal(fetchHoldMs(11, 0.4), 0, 'less than a millisecond is none');
});
