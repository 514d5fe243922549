import assert from 'node:assert/strict';
import { test } from 'node:test';
import { featureCache } from '../../../../bench/cache-policies.ts';
import { hitRatio as traceHits, traceOf } from '../../../../bench/cache-traces.ts';
import { hitRatio, zipf } from '../../../../src/commands/tune/zipf.ts';

const FOREVER = Number.POSITIVE_INFINITY;

test('probabilities add up to one, and groups change next to nothing', () => {
  const keys = 100_000;
  const { counts, each } = zipf(keys, 0.99);
  assert.equal(
    counts.reduce((sum, count) => sum + count, 0),
    keys,
  );
  const total = counts.reduce((sum, count, g) => sum + count * each[g], 0);
  assert.ok(Math.abs(total - 1) < 1e-9);
  let harmonic = 0;
  let head = 0;
  for (let rank = 1; rank <= keys; rank++) {
    harmonic += rank ** -0.99;
    if (rank <= keys / 10) head += rank ** -0.99;
  }
  const { optimum } = hitRatio({ counts, each }, keys / 10, FOREVER);
  assert.ok(Math.abs(optimum - head / harmonic) < 1e-3);
});

test('more entries never hit less, the cache never more than the optimum, and all keys hit always', () => {
  const popularity = zipf(50_000, 0.8);
  let last = 0;
  for (const entries of [1, 10, 500, 5_000, 25_000, 49_999]) {
    const { optimum, hits } = hitRatio(popularity, entries, FOREVER);
    assert.ok(hits >= last && hits <= optimum && optimum < 1, `${entries}: ${last} ≤ ${hits} ≤ ${optimum}`);
    last = hits;
  }
  const all = hitRatio(popularity, 50_000, FOREVER);
  assert.ok(Math.abs(all.hits - 1) < 1e-9);
});

for (const [skew, size] of [
  [0.8, 0.01],
  [0.8, 0.1],
  [0.99, 0.001],
  [0.99, 0.01],
  [0.99, 0.1],
  [1.2, 0.01],
] as const) {
  test(`what is said is what the feature cache does, within a point: Zipf ${skew}, room for ${100 * size} % of the keys`, () => {
    const keys = 20_000;
    const lookUps = 300_000;
    const trace = traceOf({ keys, skew, lookUps, kind: 'steady', seed: 5 });
    const found = traceHits(trace, lookUps / 3, featureCache(keys * size));
    const { hits } = hitRatio(zipf(keys, skew), keys * size, FOREVER);
    assert.ok(Math.abs(hits - found) < 0.01, `${hits} said, ${found} found`);
  });
}

test('rows that expire hit less: a key asked for once within its time to live half of the time', () => {
  const one = { counts: Float64Array.of(1), each: Float64Array.of(1) };
  assert.equal(hitRatio(one, 1, 1).hits, 0.5);
  assert.equal(hitRatio(one, 1, 99).hits, 0.99);
});
