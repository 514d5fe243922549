import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PathTimes } from '../../../src/batching/path-times.ts';
import { seeded } from '../../fixtures/random.ts';

function learned(samples: number, before: (n: number) => number, after: (n: number) => number): PathTimes {
  const times = new PathTimes({ budgetMs: 100 });
  for (let n = 0; n < samples; n++) times.observe(before(n), after(n));
  return times;
}

test('half of the budget is for waiting and running until the rest of the path is known', () => {
  const times = learned(
    63,
    () => 1,
    () => 1,
  );
  assert.deepEqual([times.inferMs, times.beforeMs], [50, 0]);
});

test('what 99 in 100 records need elsewhere is left out, whatever the last one needs', () => {
  const random = seeded(3);
  const times = learned(
    256,
    (n) => (n % 200 === 0 ? 90 : 10 * random()),
    () => 20 * random(),
  );
  assert.ok(times.inferMs > 70 && times.inferMs < 76, `${times.inferMs}`);
  assert.ok(times.beforeMs > 9 && times.beforeMs <= 10, `${times.beforeMs}`);
});

test('the share is a fifth at least and four fifths at most, and what came before is never more than the rest', () => {
  const quick = learned(
    64,
    () => 0,
    () => 0,
  );
  assert.deepEqual([quick.inferMs, quick.beforeMs], [80, 0]);
  const slow = learned(
    64,
    () => 95,
    () => 300,
  );
  assert.deepEqual([slow.inferMs, slow.beforeMs], [20, 80]);
});

test('a path that changes is followed; what is no time is no sample', () => {
  const times = learned(
    256,
    () => 40,
    () => 30,
  );
  assert.equal(Math.round(times.inferMs), 30);
  for (let n = 0; n < 256; n++) times.observe(5, 5);
  assert.equal(Math.round(times.inferMs), 80);
  for (let n = 0; n < 256; n++) {
    times.observe(Number.NEGATIVE_INFINITY, 5);
    times.observe(5, Number.NaN);
  }
  assert.equal(Math.round(times.inferMs), 80);
});
