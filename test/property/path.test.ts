import assert from 'node:assert/strict';
import { test } from 'node:test';
import { REASONS } from '../../src/kernel/fate.ts';
import { type Played, playPath } from '../fixtures/path.ts';
import { seeded } from '../fixtures/random.ts';

/**
 * The whole path under random faults, from start over re-joins, stops and restarts to the end, and then the ledger.
 * To replay a seed that failed: FIRST_SEED = it, SEEDS = 1.
 */
const FIRST_SEED = 1;
const SEEDS = 200;

test(`nothing is lost, repeated without need, out of order or committed too early (${SEEDS} histories)`, async () => {
  const played: Played[] = [];
  for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed++) {
    try {
      played.push(await playPath(seeded(seed)));
    } catch (thrown) {
      throw new Error(`seed ${seed}: ${(thrown as Error).message}`, { cause: thrown });
    }
  }
  if (SEEDS < 100) return;
  // A good end says little unless faults happened on the way.
  const sum = (of: (one: Played) => number): number => played.reduce((total, one) => total + of(one), 0);
  const share = (of: (one: Played) => boolean): number => sum((one) => (of(one) ? 1 : 0)) / SEEDS;
  assert.ok(share(({ mayRepeat }) => mayRepeat) > 0.1, 'histories with a deadline missed');
  assert.ok(share(({ mayRepeat }) => !mayRepeat) > 0.1, 'histories without');
  assert.ok(sum(({ repeated }) => repeated) > 100, 'records that came out again');
  assert.ok(sum(({ commits }) => commits) > 1_000, 'positions stored');
  for (const what of ['sink', 'store', 'commit', 'model']) {
    assert.ok(sum(({ faults }) => faults.get(what) ?? 0) > 100, `faults of the ${what}`);
  }
  const reasons = new Set(played.flatMap((one) => [...one.reasons]));
  for (const reason of ['decode-failed', 'too-large', 'tombstone', 'feature-missing', 'feature-not-finite']) {
    assert.ok(reasons.has(reason) && REASONS.some((known) => known === reason), reason);
  }
  for (const reason of ['model-failed', 'unpublishable']) assert.ok(reasons.has(reason), reason);
});
