import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { murmur2 } from '../../src/kernel/bytes/murmur2.ts';
import { FeatureCache, type Keys } from '../../src/stages/features/cache.ts';
import { INLINE_BYTES } from '../../src/stages/features/cache-entries.ts';
import { seeded } from '../fixtures/random.ts';

/** The cache against a Map: it may forget, but returns only what was last stored, and never holds more than `entries`. */
const ROW_WIDTH = 2;
const VIEWS = 1;

interface Stored {
  readonly value: number;
  readonly writtenAtMs: number;
  readonly present: boolean;
  readonly expiresAtMs: number;
}

function find(cache: FeatureCache, key: Buffer, nowMs: number): number {
  // The key stands inside a larger buffer, as it does in a KeyTable.
  const bytes = Buffer.concat([Buffer.from('xx'), key, Buffer.from('yy')]);
  return cache.find(bytes, 2, 2 + key.length, murmur2(key, 0, key.length), nowMs);
}

function keysOf(keys: readonly Buffer[]): Keys {
  const starts = new Int32Array(keys.length);
  const ends = new Int32Array(keys.length);
  let at = 0;
  for (const [k, key] of keys.entries()) {
    starts[k] = at;
    at += key.length;
    ends[k] = at;
  }
  const hashes = Int32Array.from(keys, (key) => murmur2(key, 0, key.length));
  return { bytes: Buffer.concat(keys), starts, ends, hashes, distinct: keys.length };
}

function put(cache: FeatureCache, key: Buffer, stored: Stored): void {
  const values = Float64Array.of(-1, -1, stored.value, stored.value + 0.5);
  cache.put(key, values, Float64Array.of(-1, stored.writtenAtMs), 1, stored.present, {
    expiresAtMs: stored.expiresAtMs,
    refreshAtMs: stored.expiresAtMs / 2,
  });
}

function rowOf(cache: FeatureCache, entry: number): number[] {
  const values = new Float64Array(3 * ROW_WIDTH);
  const writtenAt = new Float64Array(3 * VIEWS);
  cache.copyTo(entry, values, writtenAt, 1);
  assert.deepEqual([values[0], values[1], values[4], values[5]], [0, 0, 0, 0], 'nothing beside the row');
  return [values[2], values[3], writtenAt[1]];
}

/** Pairs of different keys with the same hash, by search; the index cannot tell them apart. */
function collisions(count: number): Buffer[] {
  const random = seeded(5);
  const seen = new Map<number, string>();
  const pairs: Buffer[] = [];
  while (pairs.length < 2 * count) {
    const text = Math.floor(random() * 2 ** 48).toString(36);
    const hash = murmur2(Buffer.from(text), 0, text.length);
    const other = seen.get(hash);
    if (other !== undefined && other !== text) pairs.push(Buffer.from(other), Buffer.from(text));
    seen.set(hash, text);
  }
  return pairs;
}

const COLLIDING = collisions(4);
/** About the lengths where a key is kept otherwise, and where one byte ends. */
const LONG = [INLINE_BYTES, INLINE_BYTES + 1, 254, 255, 256, 4096].flatMap((length) => [
  Buffer.alloc(length, 'a'),
  Buffer.alloc(length, 'b'),
]);

test('finds the last stored value while fresh, absent rows included; never exceeds its size; forgets only when full', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 40 }), fc.nat(60), fc.integer(), (entries, further, seed) => {
      const random = seeded(seed);
      const keys = [...COLLIDING, ...LONG, ...Array.from({ length: further }, (_, n) => Buffer.from(`key-${n}`))];
      const cache = new FeatureCache({ entries, rowWidth: ROW_WIDTH, views: VIEWS });
      const model = new Map<Buffer, Stored>();
      let nowMs = 0;
      for (let n = 0; n < 400; n++) {
        nowMs += random() * 2;
        const key = keys[Math.floor(random() * keys.length)];
        if (random() < 0.05) {
          const some = keys.filter(() => random() < 0.5);
          const fresh = some.map((each) => find(cache, each, nowMs));
          assert.equal(cache.findAll(keysOf(some), nowMs), fresh.filter((entry) => entry < 0).length);
          assert.deepEqual(
            [...cache.found.subarray(0, some.length)],
            fresh,
            'many at a time are found as each alone is',
          );
          const known = find(cache, key, nowMs) >= 0;
          assert.ok(cache.drop(key) || !known);
          assert.equal(
            find(cache, key, Number.NEGATIVE_INFINITY),
            -1,
            'what was dropped is not found, however old it may be',
          );
          const dropped = model.get(key);
          if (dropped) model.set(key, { ...dropped, expiresAtMs: Number.NEGATIVE_INFINITY });
        } else if (random() < 0.4) {
          const stored = { value: n, writtenAtMs: nowMs, present: random() < 0.7, expiresAtMs: nowMs + random() * 200 };
          put(cache, key, stored);
          model.set(key, stored);
          assert.ok(find(cache, key, nowMs) >= 0, 'what was just stored is there');
        } else {
          const entry = find(cache, key, nowMs);
          const stored = model.get(key);
          if (entry < 0) {
            const forgotten = stored !== undefined && stored.expiresAtMs > nowMs;
            assert.ok(!forgotten || model.size > entries, 'nothing is forgotten while there is room');
            continue;
          }
          assert.ok(stored !== undefined && stored.expiresAtMs > nowMs, 'nothing is made up or kept beyond its time');
          assert.deepEqual(rowOf(cache, entry), [stored.value, stored.value + 0.5, stored.writtenAtMs]);
          assert.equal(cache.isPresent(entry), stored.present);
        }
        assert.ok(cache.size <= entries);
      }
      // The index is consistent: as many keys are found as there are entries, each at an entry of its own.
      const dropped = [...model.values()].filter(({ expiresAtMs }) => expiresAtMs === Number.NEGATIVE_INFINITY).length;
      const found = keys.map((key) => find(cache, key, Number.NEGATIVE_INFINITY)).filter((entry) => entry >= 0);
      assert.equal(new Set(found).size, found.length);
      assert.ok(found.length <= cache.size && found.length >= cache.size - dropped);
      assert.equal(cache.size, Math.min(entries, model.size));
      cache.dropAll();
      assert.ok(keys.every((key) => find(cache, key, Number.NEGATIVE_INFINITY) === -1));
    }),
    { seed: 4, numRuns: 120 },
  );
});

test('grows to its size, and stays consistent through thousands of evictions', () => {
  const entries = 3_000;
  const cache = new FeatureCache({ entries, rowWidth: ROW_WIDTH, views: VIEWS });
  const random = seeded(6);
  const stored = new Map<number, number>();
  for (let n = 0; n < 30_000; n++) {
    const number = Math.floor(random() * 9_000);
    put(cache, Buffer.from(`k${number}`), { value: n, writtenAtMs: n, present: true, expiresAtMs: 1 });
    stored.set(number, n);
    if (n === 2_000) {
      for (const [known, value] of stored)
        assert.equal(rowOf(cache, find(cache, Buffer.from(`k${known}`), 0))[0], value);
    }
  }
  assert.equal(cache.size, entries);
  let found = 0;
  for (const [number, value] of stored) {
    const entry = find(cache, Buffer.from(`k${number}`), 0);
    if (entry < 0) continue;
    found++;
    assert.equal(rowOf(cache, entry)[0], value);
  }
  assert.equal(found, entries);
});

test('entries that are asked for again stay; those asked for once make room', () => {
  const cache = new FeatureCache({ entries: 100, rowWidth: ROW_WIDTH, views: VIEWS });
  const hot = Array.from({ length: 20 }, (_, n) => Buffer.from(`hot-${n}`));
  const entry: Stored = { value: 1, writtenAtMs: 1, present: true, expiresAtMs: 10 };
  for (const key of hot) put(cache, key, entry);
  for (let n = 0; n < 2_000; n++) {
    put(cache, Buffer.from(`once-${n}`), entry);
    if (n % 40 === 0) for (const key of hot) assert.ok(find(cache, key, 0) >= 0, `a hot key is gone after ${n}`);
  }
});

test('an expired row stays until its place is needed, and is found up to a limit of its own', () => {
  const cache = new FeatureCache({ entries: 2, rowWidth: ROW_WIDTH, views: VIEWS });
  const [row, absent] = [Buffer.from('row'), Buffer.from('absent')];
  put(cache, row, { value: 1, writtenAtMs: 5, present: true, expiresAtMs: 100 });
  put(cache, absent, { value: 0, writtenAtMs: 0, present: false, expiresAtMs: 100 });
  const findStale = (key: Buffer, presentMs: number, absentMs: number): number =>
    cache.findStale(key, 0, key.length, murmur2(key, 0, key.length), presentMs, absentMs);
  assert.equal(find(cache, row, 100), -1);
  assert.deepEqual(rowOf(cache, findStale(row, 99, 1_000)), [1, 1.5, 5]);
  assert.deepEqual(
    [findStale(row, 100, 0), findStale(absent, 0, 100), findStale(Buffer.from('other'), 0, 0)],
    [-1, -1, -1],
  );
  assert.ok(findStale(absent, 1_000, 99) >= 0);
});

test('an entry becomes due once: it is put off during a re-read, and again when that brought nothing', () => {
  const cache = new FeatureCache({ entries: 2, rowWidth: ROW_WIDTH, views: VIEWS });
  const key = Buffer.from('row');
  put(cache, key, { value: 1, writtenAtMs: 5, present: true, expiresAtMs: 100 });
  const entry = find(cache, key, 0);
  assert.deepEqual([cache.isDue(entry, 49), cache.isDue(entry, 50)], [false, true]);
  cache.postpone(entry, 60);
  assert.deepEqual([cache.isDue(entry, 59), cache.isDue(entry, 60)], [false, true]);
  put(cache, key, { value: 2, writtenAtMs: 6, present: true, expiresAtMs: 200 });
  assert.equal(cache.isDue(entry, 99), false);
});
