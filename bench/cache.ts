/**
 * Feature cache: hit ratios against other policies and the static optimum, and the cost of a look-up.
 *
 *   node bench/cache.ts
 *
 * Ratios depend on the seed alone. Costs are the process's own processor time, best of several rounds.
 */
import { murmur2 } from '../src/kernel/bytes/murmur2.ts';
import { FeatureCache } from '../src/stages/features/cache.ts';
import { clock, featureCache, type LookUp, lru, sieve } from './cache-policies.ts';
import { hitRatio, keysOf, staticOptimum, type TraceSettings, traceOf } from './cache-traces.ts';

const KEYS = 100_000;
const LOOK_UPS = 1_000_000;
const SEED = 7;

const policies: Readonly<Record<string, (entries: number, keys: number) => LookUp>> = {
  'S3-FIFO (ours)': featureCache,
  SIEVE: sieve,
  CLOCK: clock,
  LRU: lru,
};

function ratios(): void {
  console.log(`| trace | skew | size | static optimum | ${Object.keys(policies).join(' | ')} |`);
  console.log(`|---|---:|---:|---:|${'---:|'.repeat(Object.keys(policies).length)}`);
  for (const kind of ['steady', 'scan', 'shift'] as const) {
    for (const skew of [0.8, 0.99, 1.2]) {
      const settings: TraceSettings = { keys: KEYS, skew, lookUps: LOOK_UPS, kind, seed: SEED };
      const trace = traceOf(settings);
      for (const size of [0.001, 0.01, 0.1]) {
        const entries = KEYS * size;
        // Look-ups while the cache fills say nothing about the policy; those after a shift do.
        const from = kind === 'shift' ? 0 : LOOK_UPS / 5;
        const cells = [staticOptimum(trace, keysOf(settings), entries, from)];
        for (const make of Object.values(policies)) cells.push(hitRatio(trace, from, make(entries, keysOf(settings))));
        const shown = cells.map((ratio) => (100 * ratio).toFixed(1));
        console.log(`| ${kind} | ${skew} | ${100 * size} % | ${shown.join(' | ')} |`);
      }
    }
  }
}

const FRAME_ROWS = 512;
const ROW_WIDTH = 15;
const VIEWS = 3;

/** A warm cache; keys in one buffer, 512 at a time as in a frame; popularity by Zipf, independent of where a key lies. */
function costs(keys: number): void {
  const random = new Int32Array(keys).map((_, k) => Math.imul(k, 0x9e3779b1));
  const scattered = [...random.keys()].sort((a, b) => random[a] - random[b]);
  const trace = traceOf({ keys, skew: 0.99, lookUps: 1 << 18, kind: 'steady', seed: SEED });
  const names = scattered.map((k) => Buffer.from(`device-${k}`));
  const bytes = Buffer.concat(Array.from(trace, (k) => names[k]));
  const starts = new Int32Array(trace.length + 1);
  for (const [i, k] of trace.entries()) starts[i + 1] = starts[i] + names[k].length;
  const hashes = new Int32Array(trace.length).map((_, i) => murmur2(bytes, starts[i], starts[i + 1]));
  const frames = Array.from({ length: trace.length / FRAME_ROWS }, (_, frame) => {
    const part = (of: Int32Array, from = 0) => of.subarray(frame * FRAME_ROWS + from, (frame + 1) * FRAME_ROWS + from);
    return { bytes, starts: part(starts), ends: part(starts, 1), hashes: part(hashes), distinct: FRAME_ROWS };
  });
  const cache = new FeatureCache({ entries: keys, rowWidth: ROW_WIDTH, views: VIEWS });
  const values = new Float64Array(FRAME_ROWS * ROW_WIDTH);
  const writtenAt = new Float64Array(FRAME_ROWS * VIEWS);
  const never = { expiresAtMs: Number.POSITIVE_INFINITY, refreshAtMs: Number.POSITIVE_INFINITY };
  for (const name of [...names].sort(Buffer.compare)) cache.put(name, values, writtenAt, 0, true, never);
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 12; round++) {
    const before = process.cpuUsage();
    for (const frame of frames) {
      cache.findAll(frame, 0);
      for (let k = 0; k < FRAME_ROWS; k++) cache.copyTo(cache.found[k], values, writtenAt, k);
    }
    const { user, system } = process.cpuUsage(before);
    best = Math.min(best, ((user + system) * 1000) / trace.length);
  }
  console.log(`| ${keys.toLocaleString('en')} | ${best.toFixed(0)} |`);
}

ratios();
console.log('\n| keys, all in the cache | ns a look-up with its row (15 numbers, 3 timestamps) |\n|---:|---:|');
for (const keys of [1_000, 100_000, 1_000_000]) costs(keys);
