import type { Clock } from '../../kernel/clock.ts';
import type { ModelSession } from '../../ports/model.ts';
import type { RunTime } from './capacity.ts';
import type { Captured } from './path.ts';

/** Run times of a model, by batch size. */
export interface Runs {
  readonly sizes: readonly RunSize[];
  /** Standard deviation of the logarithm of a run's time, at the size where it is second largest. */
  readonly spread: number;
}

export interface RunSize extends RunTime {
  /** 98th percentile. */
  readonly q98Ms: number;
  readonly runs: number;
}

const WARM_UP = 3;
const LEAST_RUNS = 5;
const MOST_RUNS = 400;
const ROUNDS = 3;

/** 1, 2, 4, … up to `most`, and `most` itself. */
export function sizesUpTo(most: number): readonly number[] {
  const sizes: number[] = [];
  for (let rows = 1; rows < most; rows *= 2) sizes.push(rows);
  return [...sizes, most];
}

/**
 * Median run time for each size, about `msEach` per size, in interleaved rounds, so that other load affects all sizes alike. The first
 * size whose run takes longer than `stopMs` is the last one measured.
 */
export async function measureRuns(
  session: ModelSession,
  captured: Captured,
  sizes: readonly number[],
  options: { readonly clock: Clock; readonly msEach: number; readonly stopMs: number; readonly stop: () => boolean },
): Promise<Runs> {
  const { clock, msEach, stopMs, stop } = options;
  const took = new Map<number, number[]>();
  const timed = async (rows: number): Promise<number> => {
    const startedMs = clock.monotonicMs();
    await session.run(captured.feeds, rows);
    return clock.monotonicMs() - startedMs;
  };
  for (let round = 0; round < ROUNDS && !stop(); round++) {
    for (const rows of sizes) {
      if (round > 0 && !took.has(rows)) break;
      const times = took.get(rows) ?? [];
      took.set(rows, times);
      const firstMs = await timed(rows);
      // A run that takes seconds is not warmed up three times.
      if (firstMs < msEach) for (let n = 1; n < WARM_UP; n++) await timed(rows);
      let spentMs = 0;
      const enough = (): boolean => spentMs >= msEach / ROUNDS && times.length >= LEAST_RUNS * (round + 1);
      const most = Math.floor((MOST_RUNS / ROUNDS) * (round + 1));
      while (times.length < most && !enough() && !stop()) {
        const ms = await timed(rows);
        times.push(ms);
        spentMs += ms;
        if (spentMs > 4 * msEach) break;
      }
      if (times.length === 0) times.push(firstMs);
      if (medianOf(times) > stopMs) break;
    }
  }
  const measured = [...took].map(([rows, times]) => ({
    rows,
    ms: medianOf(times),
    q98Ms: quantileOf(times, 0.98),
    runs: times.length,
  }));
  return { sizes: measured, spread: spreadOf([...took.values()]) };
}

/** From the interquartile range, so that a stall does not count as spread. */
function spreadOf(all: readonly (readonly number[])[]): number {
  const spreads = all
    .filter((times) => times.length >= LEAST_RUNS)
    .map((times) => Math.log(quantileOf(times, 0.75) / quantileOf(times, 0.25)) / NORMAL_QUARTILES)
    .sort((a, b) => a - b);
  return Math.min(MOST_SPREAD, spreads.at(-2) ?? spreads.at(-1) ?? 0);
}

/** Standard deviations between the quartiles of a normal distribution. */
const NORMAL_QUARTILES = 1.349;
const MOST_SPREAD = 0.5;

export function medianOf(values: readonly number[]): number {
  return quantileOf(values, 0.5);
}

export function quantileOf(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? Number.NaN;
}

/** Fits t(b) = fixed + perRow·b with weights 1/b, as the pipeline's latency model does. */
export function lineThrough(sizes: readonly RunTime[]): { readonly fixedMs: number; readonly perRowMs: number } {
  let [w, wx, wy, wxx, wxy] = [0, 0, 0, 0, 0];
  for (const { rows, ms } of sizes) {
    const weight = 1 / rows;
    w += weight;
    wx += weight * rows;
    wy += weight * ms;
    wxx += weight * rows * rows;
    wxy += weight * rows * ms;
  }
  const spread = w * wxx - wx * wx;
  const perRowMs = spread > 1e-9 * wxx * w ? Math.max(0, (w * wxy - wx * wy) / spread) : 0;
  return { fixedMs: Math.max(0, (wy - perRowMs * wx) / w), perRowMs };
}
