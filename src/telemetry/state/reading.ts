import type { Share } from '../merge.ts';
import type { HistogramSeries, ValueSeries } from '../metrics.ts';
import { quantileOf } from '../quantile.ts';
import type { Figure } from './state.ts';

/** All metrics at one instant, for comparison with an earlier reading. */
export class Reading {
  readonly atMonotonicMs: number;
  private readonly values = new Map<string, readonly ValueSeries[]>();
  private readonly histograms = new Map<string, readonly HistogramSeries[]>();

  /** The arrays of a store are live, so they are copied. */
  constructor(share: Share, atMonotonicMs: number) {
    this.atMonotonicMs = atMonotonicMs;
    for (const { name, series } of share) {
      const values: ValueSeries[] = [];
      const histograms: HistogramSeries[] = [];
      for (const one of series) {
        if (one.kind === 'value') values.push(one);
        else histograms.push({ ...one, counts: one.counts.slice() });
      }
      this.values.set(name, values);
      this.histograms.set(name, histograms);
    }
  }

  series(name: string): readonly ValueSeries[] {
    return this.values.get(name) ?? [];
  }

  /** Sum of the series with the label; null if there are none. */
  sum(name: string, label?: string, value?: string): Figure {
    let sum: Figure = null;
    for (const one of this.series(name)) {
      if (label === undefined || one.labels[label] === value) sum = (sum ?? 0) + one.value;
    }
    return sum;
  }

  highest(name: string, label?: string, value?: string): Figure {
    let most: Figure = null;
    for (const one of this.series(name)) {
      if (label === undefined || one.labels[label] === value) most = Math.max(most ?? one.value, one.value);
    }
    return most;
  }

  /** Sum of all series, or of those with the label. */
  spread(name: string, label?: string, value?: string): Spread {
    const found = (this.histograms.get(name) ?? []).filter(
      ({ labels }) => label === undefined || labels[label] === value,
    );
    if (found.length === 0) return NOTHING;
    const counts = new Float64Array(found[0].counts.length);
    let count = 0;
    let sum = 0;
    for (const one of found) {
      for (let i = 0; i < counts.length; i++) counts[i] += one.counts[i];
      count += one.count;
      sum += one.sum;
    }
    return { bounds: found[0].bounds, counts, count, sum };
  }
}

/** What a histogram counted, in total or in some period. */
export interface Spread {
  readonly bounds: ArrayLike<number>;
  readonly counts: Float64Array;
  readonly count: number;
  readonly sum: number;
}

const NOTHING: Spread = { bounds: [], counts: new Float64Array(1), count: 0, sum: 0 };

/** What was added from `before` to `after`; a restarted process counts from zero. */
export function added(after: Spread, before: Spread): Spread {
  if (before.counts.length !== after.counts.length || before.count > after.count) return after;
  return {
    bounds: after.bounds,
    counts: after.counts.map((count, i) => count - before.counts[i]),
    count: after.count - before.count,
    sum: after.sum - before.sum,
  };
}

export function quantile({ bounds, counts }: Spread, q: number): Figure {
  return figure(quantileOf(bounds, counts, q));
}

export function mean({ sum, count }: Spread): Figure {
  return count === 0 ? null : figure(sum / count);
}

export function figure(value: number): Figure {
  return Number.isFinite(value) ? value : null;
}

/** Growth per second; null if no time passed. A counter that was absent counts as zero. */
export function perSecond(after: Figure, before: Figure, elapsedMs: number): Figure {
  if (after === null || !(elapsedMs > 0)) return null;
  return Math.max(0, ((after - (before ?? 0)) * 1000) / elapsedMs);
}
