import { METRICS, type MetricSpec } from './catalogue.ts';
import type { Family, HistogramSeries, MetricStore, Series } from './metrics.ts';

/** The metrics of one of several pipelines: a snapshot that can be sent to another thread. */
export type Share = readonly { readonly name: string; readonly series: readonly Series[] }[];

/**
 * These gauges are merged by maximum: ratios, ages, flags, and values that apply to each pipeline. Other gauges are amounts (records,
 * bytes, calls) and are summed, like counters and histograms. Matched by ending, so that every new metric has a rule.
 */
const TELLS_HIGHEST = /_(seconds|ratio|step|device|placement|info|up|ready|waiting|batch_limit_rows)$/;

/** The metrics of a store, without catalogue data and empty series. */
export function shareOf(store: Pick<MetricStore, 'snapshot'>): Share {
  return store
    .snapshot()
    .filter(({ series }) => series.length > 0)
    .map(({ name, series }) => ({ name, series }));
}

/** Merges shares, in the order of the catalogue. Metrics without any series are included. */
export function merge(shares: readonly Share[]): Family[] {
  const merged = new Map<string, Map<string, Series>>();
  for (const share of shares) {
    for (const { name, series } of share) {
      if (!Object.hasOwn(METRICS, name)) continue;
      const known = merged.get(name) ?? new Map<string, Series>();
      merged.set(name, known);
      for (const one of series) {
        const key = JSON.stringify(Object.entries(one.labels).sort());
        const other = known.get(key);
        known.set(key, other === undefined ? one : together(name, other, one));
      }
    }
  }
  return Object.entries<MetricSpec>(METRICS).map(([name, spec]) => ({
    name,
    spec,
    series: [...(merged.get(name)?.values() ?? [])],
  }));
}

function together(name: string, one: Series, other: Series): Series {
  if (one.kind === 'histogram' && other.kind === 'histogram') return addHistograms(one, other);
  if (one.kind !== 'value' || other.kind !== 'value') return one;
  const { type } = (METRICS as Readonly<Record<string, MetricSpec>>)[name];
  const highest = type === 'gauge' && TELLS_HIGHEST.test(name);
  return { ...one, value: highest ? Math.max(one.value, other.value) : one.value + other.value };
}

function addHistograms(one: HistogramSeries, other: HistogramSeries): HistogramSeries {
  return {
    ...one,
    counts: one.counts.map((count, bucket) => count + other.counts[bucket]),
    count: one.count + other.count,
    sum: one.sum + other.sum,
  };
}
