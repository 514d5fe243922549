import { murmur2 } from '../src/kernel/bytes/murmur2.ts';
import { FeatureCache } from '../src/stages/features/cache.ts';

/** Caches of keys 0..keys-1 with room for `entries` of them: each answers whether it had a key, and holds it from then on. */
export type LookUp = (key: number) => boolean;

const NEVER = { expiresAtMs: Number.POSITIVE_INFINITY, refreshAtMs: Number.POSITIVE_INFINITY };

/** The shipped cache. */
export function featureCache(entries: number): LookUp {
  const cache = new FeatureCache({ entries, rowWidth: 1, views: 1 });
  const row = Float64Array.of(1);
  return (key) => {
    const bytes = Buffer.from(`key-${key}`);
    if (cache.find(bytes, 0, bytes.length, murmur2(bytes, 0, bytes.length), 0) >= 0) return true;
    cache.put(bytes, row, row, 0, true, NEVER);
    return false;
  };
}

/** Evicts the least recently used key. */
export function lru(entries: number): LookUp {
  const kept = new Map<number, true>();
  return (key) => {
    const hit = kept.delete(key);
    if (!hit && kept.size === entries) kept.delete(kept.keys().next().value as number);
    kept.set(key, true);
    return hit;
  };
}

/** One bit per entry; a hand goes round, clears set bits, and evicts where the bit is clear (Corbató, 1968). */
export function clock(entries: number, keys: number): LookUp {
  const place = new Int32Array(keys).fill(-1);
  const held = new Int32Array(entries).fill(-1);
  const visited = new Uint8Array(entries);
  let hand = 0;
  return (key) => {
    if (place[key] >= 0) {
      visited[place[key]] = 1;
      return true;
    }
    while (visited[hand] === 1) {
      visited[hand] = 0;
      hand = (hand + 1) % entries;
    }
    if (held[hand] >= 0) place[held[hand]] = -1;
    held[hand] = key;
    place[key] = hand;
    hand = (hand + 1) % entries;
    return false;
  };
}

/** As CLOCK, but a new key goes to the head of the list, and the hand stays where it is (Zhang et al., NSDI 2024). */
export function sieve(entries: number, keys: number): LookUp {
  const [newer, older] = [new Int32Array(keys).fill(-1), new Int32Array(keys).fill(-1)];
  const state = new Uint8Array(keys);
  const [HELD, VISITED] = [1, 2];
  let [newest, oldest, hand, count] = [-1, -1, -1, 0];
  const evict = (): void => {
    let at = hand === -1 ? oldest : hand;
    while (state[at] === VISITED) {
      state[at] = HELD;
      at = newer[at] === -1 ? oldest : newer[at];
    }
    hand = newer[at];
    state[at] = 0;
    if (newer[at] === -1) newest = older[at];
    else older[newer[at]] = older[at];
    if (older[at] === -1) oldest = newer[at];
    else newer[older[at]] = newer[at];
  };
  return (key) => {
    if (state[key] !== 0) {
      state[key] = VISITED;
      return true;
    }
    if (count === entries) evict();
    else count++;
    state[key] = HELD;
    older[key] = newest;
    newer[key] = -1;
    if (newest === -1) oldest = key;
    else newer[newest] = key;
    newest = key;
    return false;
  };
}
