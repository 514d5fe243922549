import { seeded } from '../../test/fixtures/random.ts';
import { type Arrivals, type Executor, normal } from './simulation.ts';

/** Arrival patterns and executors. Sizes up to 1,024 rows; `line` takes a + c·b. */
export const MAX_BATCH = 1024;

function line(name: string, fixedMs: number, perRowMs: number, budgetMs: number): Executor {
  return { name, runMs: (rows) => fixedMs + perRowMs * rows, budgetMs };
}

export const EXECUTORS: readonly Executor[] = [
  line('a 0.4 ms, c 4 µs, 20 ms', 0.4, 0.004, 20),
  line('a 4 ms, c 50 µs, 50 ms', 4, 0.05, 50),
  line('small: a 50 µs, c 1 µs, 15 ms', 0.05, 0.001, 15),
  line('heavy: a 0.2 ms, c 5 ms, 150 ms', 0.2, 5, 150),
  line('GPU: a 3 ms, c 2 µs, 25 ms', 3, 0.002, 25),
  {
    name: 'step: twice the cost a row above 32, 40 ms',
    runMs: (rows) => (rows <= 32 ? 1 + 0.01 * rows : 0.08 * rows),
    budgetMs: 40,
  },
];

/** Highest rows per ms, without noise, in runs of which two fit into the budget: a row that just misses one waits for it. */
export function capacityPerMs({ runMs, budgetMs }: Executor): number {
  let best = 0;
  for (let rows = 1; rows <= MAX_BATCH && 2 * runMs(rows) <= budgetMs; rows++)
    best = Math.max(best, rows / runMs(rows));
  return best;
}

export const PATTERNS = ['poisson', 'burst', 'chunked'] as const;
export type Pattern = (typeof PATTERNS)[number];

/** A burst: its length in each second, and its multiple of the mean rate. */
const BURST_MS = 200;
const BURST_FACTOR = 1.5;
/** A fetch brings what reached one of four partitions since its last fetch, about this many ms ago. */
const FETCH_MS = 10;
const PARTITIONS = 4;

export function arrivalsOf(pattern: Pattern, perMs: number, durationMs: number, seed: number): Arrivals {
  const random = seeded(seed);
  const atMs: number[] = [];
  const rows: number[] = [];
  const add = (at: number, count: number): void => {
    if (count < 1) return;
    atMs.push(at);
    rows.push(count);
  };
  if (pattern === 'chunked') {
    const dueMs = Array.from({ length: PARTITIONS }, () => random() * FETCH_MS);
    const sinceMs = new Float64Array(PARTITIONS);
    for (;;) {
      const partition = dueMs.indexOf(Math.min(...dueMs));
      const at = dueMs[partition];
      if (at >= durationMs) break;
      add(at, poisson((perMs / PARTITIONS) * (at - sinceMs[partition]), random));
      sinceMs[partition] = at;
      dueMs[partition] = at + FETCH_MS * (0.6 + 0.8 * random());
    }
  } else {
    // Rows within a small step arrive together: fewer events, the same counts.
    const stepMs = Math.min(1, Math.max(0.05, 0.5 / perMs));
    for (let at = 0; at < durationMs; at += stepMs) {
      const inBurst = at % 1_000 < BURST_MS;
      const quiet = (1_000 - BURST_MS * BURST_FACTOR) / (1_000 - BURST_MS);
      const factor = pattern === 'poisson' ? 1 : inBurst ? BURST_FACTOR : quiet;
      add(at, poisson(perMs * stepMs * factor, random));
    }
  }
  return { atMs: Float64Array.from(atMs), rows: Int32Array.from(rows) };
}

function poisson(mean: number, random: () => number): number {
  if (mean > 50) return Math.max(0, Math.round(mean + Math.sqrt(mean) * normal(random)));
  const limit = Math.exp(-mean);
  let count = 0;
  for (let product = random(); product > limit; product *= random()) count++;
  return count;
}
