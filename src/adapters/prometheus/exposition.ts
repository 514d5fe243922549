import { type Metric, Registry } from 'prom-client';
import type { Clock } from '../../kernel/clock.ts';
import type { Family, HistogramSeries } from '../../telemetry/metrics.ts';

export type Exposition = () => Promise<{ readonly contentType: string; readonly body: string }>;

export interface ExpositionOptions {
  /** How long a rendered page is served again: scrapes by several do not multiply the work. */
  readonly cacheMs?: number;
}

/** Where the numbers come from; those of several threads have to be asked for. */
export interface Snapshots {
  snapshot(): readonly Family[] | Promise<readonly Family[]>;
}

interface Sample {
  readonly metricName?: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/**
 * The metrics page, in Prometheus' text format, through prom-client's registry.
 *
 * prom-client's own observe costs about a microsecond and a hash of the labels → too expensive per record → counting is done in typed
 * arrays (src/telemetry), and each metric passes its numbers on when the registry collects them.
 */
export function createExposition(
  deps: { readonly clock: Clock; readonly telemetry: Snapshots },
  options: ExpositionOptions = {},
): Exposition {
  const { cacheMs = 1000 } = options;
  const registry = new Registry();
  let page: Promise<string> | undefined;
  let renderedAtMs = 0;

  async function render(): Promise<string> {
    const families = await deps.telemetry.snapshot();
    registry.clear();
    for (const family of families) registry.registerMetric(handOver(family));
    return registry.metrics();
  }

  return async () => {
    const nowMs = deps.clock.monotonicMs();
    if (page === undefined || nowMs - renderedAtMs >= cacheMs) {
      renderedAtMs = nowMs;
      page = render();
    }
    const rendering = page;
    try {
      return { contentType: registry.contentType, body: await rendering };
    } catch (error) {
      if (page === rendering) page = undefined;
      throw error;
    }
  };
}

/** The part of prom-client's metric that its registry uses. */
function handOver(family: Family): Metric {
  const { name, spec } = family;
  const { help, type } = spec;
  const metric = {
    name,
    help,
    type,
    aggregator: 'sum',
    get: () => Promise.resolve({ name, help, type, aggregator: 'sum', values: samplesOf(family) }),
  };
  return metric as unknown as Metric;
}

function samplesOf(family: Family): Sample[] {
  const samples: Sample[] = [];
  for (const series of family.series) {
    if (series.kind === 'value') samples.push({ labels: series.labels, value: series.value });
    else addHistogram(samples, family.name, series);
  }
  return samples;
}

function addHistogram(samples: Sample[], name: string, series: HistogramSeries): void {
  const { labels, bounds, counts } = series;
  let cumulative = 0;
  for (let i = 0; i <= bounds.length; i++) {
    cumulative += counts[i];
    const le = i < bounds.length ? String(bounds[i]) : '+Inf';
    samples.push({ metricName: `${name}_bucket`, labels: { ...labels, le }, value: cumulative });
  }
  samples.push({ metricName: `${name}_sum`, labels, value: series.sum });
  samples.push({ metricName: `${name}_count`, labels, value: series.count });
}
