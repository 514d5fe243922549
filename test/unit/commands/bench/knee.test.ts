import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createKnee } from '../../../../src/commands/bench/knee.ts';

/** Searches against a pipeline that keeps up to `limit`; what the bench itself can do is `own`. */
function search(from: number, limit: number, own = Number.POSITIVE_INFINITY) {
  const knee = createKnee(from);
  const tried: number[] = [];
  for (let rate = knee.next(); rate !== undefined; rate = knee.next()) {
    tried.push(rate);
    knee.tell(rate, rate > own ? 'invalid' : rate <= limit ? 'keeps' : 'breaks');
  }
  return { knee, tried };
}

test('it ends within a tenth below the limit, wherever it begins', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 20_000 }), fc.integer({ min: 20, max: 200_000 }), (from, limit) => {
      const { knee, tried } = search(from, limit);
      if (knee.bound === 'steps') return tried.length === 24;
      return knee.highest <= limit && knee.highest * 1.1 * (1 + 1e-9) >= limit && knee.bound === 'budget';
    }),
    { seed: 3, numRuns: 300 },
  );
});

test('a rate breaks only when it does so twice', () => {
  const knee = createKnee(100);
  knee.tell(100, 'breaks');
  assert.equal(knee.next(), 100);
  knee.tell(100, 'keeps');
  assert.equal(knee.next(), 160);
  knee.tell(160, 'breaks');
  knee.tell(160, 'breaks');
  assert.equal(knee.next(), Math.sqrt(100 * 160));
});

test('if no rate keeps the budget the result is 0; a bench that is too slow is named as the bound', () => {
  const none = search(64, 0);
  assert.equal(none.knee.highest, 0);
  assert.deepEqual(none.tried, [64, 64, 16, 16, 4, 4, 1, 1]);
  const { knee } = search(100, 1e9, 5_000);
  assert.equal(knee.bound, 'bench');
  assert.ok(knee.highest > 4_500 && knee.highest <= 5_000);
});
