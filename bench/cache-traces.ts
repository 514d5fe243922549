import { seeded } from '../test/fixtures/random.ts';

/**
 * Traces of keys for measuring caches, one number per look-up. The same settings give the same trace.
 * Keys 0..keys-1 are popular by Zipf's law with exponent `skew`; `scan`: one look-up in ten takes the next of keys that are asked
 * for once; `shift`: every 400,000 look-ups, other keys become the popular ones.
 */
export interface TraceSettings {
  readonly keys: number;
  readonly skew: number;
  readonly lookUps: number;
  readonly kind: 'steady' | 'scan' | 'shift';
  readonly seed: number;
}

const SCAN_EVERY = 50_000;
const SHIFT_EVERY = 400_000;

/** Keys that a trace may name. */
export function keysOf({ keys }: TraceSettings): number {
  return 2 * keys;
}

export function traceOf({ keys, skew, lookUps, kind, seed }: TraceSettings): Int32Array {
  const random = seeded(seed);
  const popular = zipf(keys, skew, random);
  const trace = new Int32Array(lookUps);
  let scanned = 0;
  let shifted = 0;
  for (let i = 0; i < lookUps; i++) {
    if (kind === 'shift' && i > 0 && i % SHIFT_EVERY === 0) shifted += Math.floor(keys * 0.007) + 13;
    const scans = kind === 'scan' && i % SCAN_EVERY >= SCAN_EVERY * 0.9;
    trace[i] = scans ? keys + (scanned++ % keys) : (popular() + shifted) % keys;
  }
  return trace;
}

/** Draws 0..n-1, the rank r with a weight of (r + 1)^-skew. */
function zipf(n: number, skew: number, random: () => number): () => number {
  const upTo = new Float64Array(n);
  let sum = 0;
  for (let rank = 0; rank < n; rank++) {
    sum += (rank + 1) ** -skew;
    upTo[rank] = sum;
  }
  return () => {
    const drawn = random() * sum;
    let low = 0;
    let high = n - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (upTo[middle] < drawn) low = middle + 1;
      else high = middle;
    }
    return low;
  };
}

/** The share of look-ups from `from` on that a cache answers; true is a hit, and after a miss the key is in the cache. */
export function hitRatio(trace: Int32Array, from: number, lookUp: (key: number) => boolean): number {
  let hits = 0;
  for (let i = 0; i < trace.length; i++) if (lookUp(trace[i]) && i >= from) hits++;
  return hits / (trace.length - from);
}

/** The hit ratio of a cache that holds the most popular keys of the whole trace from the beginning, and no others. */
export function staticOptimum(trace: Int32Array, keys: number, entries: number, from: number): number {
  const counts = new Int32Array(keys);
  for (const key of trace) counts[key]++;
  const pinned = new Set([...counts.keys()].sort((a, b) => counts[b] - counts[a]).slice(0, entries));
  return hitRatio(trace, from, (key) => pinned.has(key));
}
