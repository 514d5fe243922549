import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hitRatio, zipf } from '../../../../src/commands/tune/zipf.ts';
import { seeded } from '../../../fixtures/random.ts';

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

test('more entries never hit less, LRU never more than the optimum, and all keys hit always', () => {
  const popularity = zipf(50_000, 0.8);
  let last = 0;
  for (const entries of [1, 10, 500, 5_000, 25_000, 49_999]) {
    const { optimum, lru } = hitRatio(popularity, entries, FOREVER);
    assert.ok(lru >= last && lru <= optimum && optimum < 1);
    last = lru;
  }
  const all = hitRatio(popularity, 50_000, FOREVER);
  assert.ok(Math.abs(all.lru - 1) < 1e-9);
});

test('LRU is what a simulated LRU cache does, within a point and a half', () => {
  const keys = 2_000;
  const popularity = zipf(keys, 0.99);
  const until: number[] = [];
  popularity.each.reduce((sum, p, i) => {
    until[i] = sum + p;
    return until[i];
  }, 0);
  const random = seeded(5);
  const draw = (): number => {
    const at = random();
    let [low, high] = [0, keys - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (until[middle] < at) low = middle + 1;
      else high = middle;
    }
    return low;
  };
  for (const entries of [20, 200]) {
    const cache = new Set<number>();
    let hits = 0;
    for (let n = 0; n < 120_000; n++) {
      const key = draw();
      if (n >= 20_000 && cache.has(key)) hits++;
      cache.delete(key);
      cache.add(key);
      if (cache.size > entries) cache.delete(cache.values().next().value as number);
    }
    const { lru } = hitRatio(popularity, entries, FOREVER);
    assert.ok(Math.abs(lru - hits / 100_000) < 0.015, `${entries}: ${lru} said, ${hits / 100_000} found`);
  }
});

test('rows that expire hit less: a key asked for once within its time to live half of the time', () => {
  const one = { counts: Float64Array.of(1), each: Float64Array.of(1) };
  assert.equal(hitRatio(one, 1, 1).lru, 0.5);
  assert.equal(hitRatio(one, 1, 99).lru, 0.99);
});
