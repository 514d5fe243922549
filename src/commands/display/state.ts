import type { Clock } from '../../kernel/clock.ts';
import type { HistogramSeries, MetricStore, Series } from '../../telemetry/metrics.ts';
import { quantileOf } from '../../telemetry/quantile.ts';

/** What the display shows at one instant. NaN for unknown figures. */
export interface DisplayState {
  readonly elapsedMs: number;
  readonly topology: string;
  readonly model: string;
  readonly device: string;
  /** Settled records, whatever their fate. */
  readonly records: number;
  readonly published: number;
  /** By reason. */
  readonly deadLettered: Readonly<Record<string, number>>;
  readonly dropped: number;
  readonly batches: number;
  /** Rows in all batches. */
  readonly rows: number;
  /** Time inside Sluice. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** From the event to the acknowledgement of its prediction. */
  readonly ageP50Ms: number;
  readonly ageP99Ms: number;
  readonly lagRecords: number;
  readonly lagSeconds: number;
  readonly inflightRecords: number;
  readonly maxInflightRecords: number;
  readonly inflightBytes: number;
  readonly maxInflightBytes: number;
  readonly cacheHits: number;
  readonly cacheMisses: number;
  readonly busy: readonly { readonly stage: string; readonly ratio: number }[];
  readonly bottleneck: string;
  /** The latest predictions, newest last, one short line each. */
  readonly samples: readonly string[];
  readonly phase: string;
}

/** What telemetry does not know. */
export interface DisplayAbout {
  readonly topology: string;
  readonly maxInflightRecords: number;
  readonly maxInflightBytes: number;
  readonly startedMonotonicMs: number;
  readonly phase: () => string;
  readonly samples: () => readonly string[];
}

/** The period that quantiles cover: the whole run, or the last seconds. */
export type Quantiles = (name: string, series: readonly HistogramSeries[], q: number) => number;

const IDLE_RATIO = 0.005;

/** Derives the state from metrics in the catalogue; a metric without series counts as zero or unknown. */
export function readDisplayState(
  deps: { readonly clock: Clock; readonly telemetry: MetricStore },
  about: DisplayAbout,
  quantile: Quantiles = ofAll,
): DisplayState {
  const { telemetry, clock } = deps;
  const fates = sumBy(telemetry.series('sluice_records_total'), 'fate');
  const cache = sumBy(telemetry.series('sluice_cache_requests_total'), 'result');
  const batches = histograms(telemetry.series('sluice_batch_rows'));
  const residence = histograms(telemetry.series('sluice_residence_seconds'));
  const age = histograms(telemetry.series('sluice_record_age_seconds'));
  const lagRecords = values(telemetry.series('sluice_lag_records'));
  const lagSeconds = values(telemetry.series('sluice_lag_seconds'));
  const busy = busyStages(telemetry.series('sluice_stage_busy_ratio'));
  const model = telemetry.series('sluice_model_info')[0]?.labels;
  const { published = 0, dropped = 0, 'dead-lettered': deadLetters = 0 } = fates;
  const { miss = 0, ...hits } = cache;
  const milliseconds = (name: string, series: readonly HistogramSeries[], q: number): number =>
    quantile(name, series, q) * 1000;
  return {
    elapsedMs: clock.monotonicMs() - about.startedMonotonicMs,
    topology: about.topology,
    model: model === undefined ? '' : `${model.model}@${model.version}`,
    device: telemetry.series('sluice_model_device')[0]?.labels.device ?? '',
    records: published + dropped + deadLetters,
    published,
    deadLettered: sumBy(telemetry.series('sluice_dead_letters_total'), 'reason'),
    dropped,
    batches: batches.reduce((sum, { count }) => sum + count, 0),
    rows: batches.reduce((sum, series) => sum + series.sum, 0),
    p50Ms: milliseconds('residence', residence, 0.5),
    p99Ms: milliseconds('residence', residence, 0.99),
    ageP50Ms: milliseconds('age', age, 0.5),
    ageP99Ms: milliseconds('age', age, 0.99),
    lagRecords: lagRecords.length === 0 ? Number.NaN : lagRecords.reduce((sum, value) => sum + value, 0),
    lagSeconds: lagSeconds.length === 0 ? Number.NaN : Math.max(...lagSeconds),
    inflightRecords: values(telemetry.series('sluice_inflight_records'))[0] ?? 0,
    maxInflightRecords: about.maxInflightRecords,
    inflightBytes: values(telemetry.series('sluice_inflight_bytes'))[0] ?? 0,
    maxInflightBytes: about.maxInflightBytes,
    cacheHits: Object.values(hits).reduce((sum, value) => sum + value, 0),
    cacheMisses: miss,
    busy,
    bottleneck: busiest(busy),
    samples: about.samples(),
    phase: about.phase(),
  };
}

/** The same with quantiles over about the last `windowMs`, so that a slow start does not distort the whole run. */
export function createRecentState(
  deps: { readonly clock: Clock; readonly telemetry: MetricStore },
  about: DisplayAbout,
  windowMs = 10_000,
): () => DisplayState {
  const marks = new Map<string, { atMs: number; before: Float64Array; latest: Float64Array }>();
  const recent: Quantiles = (name, series, q) => {
    if (series.length === 0) return Number.NaN;
    const counts = total(series);
    const nowMs = deps.clock.monotonicMs();
    const mark = marks.get(name) ?? { atMs: nowMs, before: counts.map(() => 0), latest: counts.map(() => 0) };
    if (nowMs - mark.atMs >= windowMs / 2) {
      mark.before = mark.latest;
      mark.latest = counts;
      mark.atMs = nowMs;
    }
    marks.set(name, mark);
    const { before } = mark;
    const found = quantileOf(
      series[0].bounds,
      counts.map((count, i) => count - before[i]),
      q,
    );
    return Number.isNaN(found) ? ofAll(name, series, q) : found;
  };
  return () => readDisplayState(deps, about, recent);
}

function ofAll(_name: string, series: readonly HistogramSeries[], q: number): number {
  return series.length === 0 ? Number.NaN : quantileOf(series[0].bounds, total(series), q);
}

function total(series: readonly HistogramSeries[]): Float64Array {
  const counts = series[0].counts.slice();
  for (const other of series.slice(1)) for (let i = 0; i < counts.length; i++) counts[i] += other.counts[i];
  return counts;
}

function histograms(series: readonly Series[]): HistogramSeries[] {
  return series.filter((one) => one.kind === 'histogram');
}

function values(series: readonly Series[]): number[] {
  return series.filter((one) => one.kind === 'value').map((one) => one.value);
}

function sumBy(series: readonly Series[], label: string): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const one of series) {
    if (one.kind === 'value') sums[one.labels[label]] = (sums[one.labels[label]] ?? 0) + one.value;
  }
  return sums;
}

function busyStages(series: readonly Series[]): DisplayState['busy'] {
  const stages: { stage: string; ratio: number }[] = [];
  for (const one of series) if (one.kind === 'value') stages.push({ stage: one.labels.stage, ratio: one.value });
  return stages;
}

function busiest(busy: DisplayState['busy']): string {
  let name = '';
  let highest = IDLE_RATIO;
  for (const { stage, ratio } of busy) {
    if (ratio <= highest) continue;
    highest = ratio;
    name = stage;
  }
  return name;
}
