import assert from 'node:assert/strict';
import { test } from 'node:test';
import { clock, featureCache } from '../../bench/cache-policies.ts';
import { hitRatio, keysOf, staticOptimum, type TraceSettings, traceOf } from '../../bench/cache-traces.ts';

/** Hit ratios depend on the seed alone; `node bench/cache.ts` prints many more. */
const LOOK_UPS = 400_000;
const ENTRIES = 1_000;

function measured(settings: Pick<TraceSettings, 'skew' | 'kind' | 'seed'>) {
  const trace = traceOf({ keys: 100 * ENTRIES, lookUps: LOOK_UPS, ...settings });
  const keys = keysOf({ keys: 100 * ENTRIES, lookUps: LOOK_UPS, ...settings });
  const from = LOOK_UPS / 4;
  return {
    ours: hitRatio(trace, from, featureCache(ENTRIES)),
    clock: hitRatio(trace, from, clock(ENTRIES, keys)),
    optimum: staticOptimum(trace, keys, ENTRIES, from),
  };
}

for (const seed of [1, 2, 3]) {
  test(`with room for one key in a hundred, Zipf 0.99: within 3 points of the static optimum (seed ${seed})`, () => {
    const { ours, optimum } = measured({ skew: 0.99, kind: 'steady', seed });
    assert.ok(ours > optimum - 0.03, `${ours} against ${optimum}`);
  });
}

test('keys that are asked for once do not drive out the others', () => {
  const { ours, optimum, clock } = measured({ skew: 0.99, kind: 'scan', seed: 4 });
  assert.ok(ours > optimum - 0.03, `${ours} against ${optimum}`);
  assert.ok(ours > clock + 0.05, `${ours} against ${clock} of CLOCK`);
});
