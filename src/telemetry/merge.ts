import { METRICS, type MetricSpec } from './catalogue.ts';
import type { Family, HistogramSeries, MetricStore, Series } from './metrics.ts';

/** What one of several pipelines counted: a snapshot that can be sent to another thread. */
export type Share = readonly { readonly name: string; readonly series: readonly Series[] }[];

/**
 * Of these gauges the highest is told: shares of time, ages, what is on or off, and what holds for each. Others are amounts (records, bytes, calls),
 * which add up; so do counters and the buckets of histograms. By their endings, so that a new metric has a rule.
 */
const TELLS_HIGHEST = /_(seconds|ratio|step|device|placement|info|up|ready|waiting|batch_limit_rows)$/;

/** What a store has counted, without what is the catalogue's, and without series that are still empty. */
export function shareOf(store: Pick<MetricStore, 'snapshot'>): Share {
  return store
    .snapshot()
    .filter(({ series }) => series.length > 0)
    .map(({ name, series }) => ({ name, series }));
}

/** One page of several shares, in the order of the catalogue. Metrics that have no series anywhere are there too. */
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
