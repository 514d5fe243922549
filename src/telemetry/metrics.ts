import type { Clock } from '../kernel/clock.ts';
import { SluiceError } from '../kernel/errors.ts';
import type { Counter, Histogram, Labels, Log, Telemetry } from '../ports/telemetry.ts';
import { METRICS, type MetricSpec, type MetricTable } from './catalogue.ts';
import { EVENTS, type EventTable } from './events.ts';
import { CounterHandle, HistogramHandle } from './handles.ts';
import { createSuppression, type Fields } from './suppression.ts';

/** Read access to the metrics, for the exposition, the display and tests. */
export interface MetricStore extends Telemetry {
  /** All metrics in catalogue order, even those without series, which would look misspelt if absent. Arrays are live: do not keep them. */
  snapshot(): readonly Family[];
  /** The series of one metric. */
  series(name: string): readonly Series[];
  /** Called before every snapshot, to update figures that come from elsewhere. */
  beforeSnapshot(hook: () => void): void;
  /** Called for every event, even if its line is suppressed. */
  onEvent(listener: (name: string, fields: Fields) => void): void;
  /** Logs what is still suppressed of rate-limited events; for the end of the program. */
  flush(): void;
}

export interface Family {
  readonly name: string;
  readonly spec: MetricSpec;
  readonly series: readonly Series[];
}

export type Series = ValueSeries | HistogramSeries;

export interface ValueSeries {
  readonly kind: 'value';
  readonly labels: Labels;
  readonly value: number;
}

export interface HistogramSeries {
  readonly kind: 'histogram';
  readonly labels: Labels;
  readonly bounds: Float64Array;
  /** One entry per bucket, not cumulative, the infinite one last. */
  readonly counts: Float64Array;
  readonly count: number;
  readonly sum: number;
}

export interface TelemetryDeps {
  readonly clock: Clock;
  readonly log: Log;
}

export interface TelemetryOptions {
  /** Maximum number of series in total. Scrapes run on the loop that moves records. */
  readonly maxSeries?: number;
  /** Added to the catalogue. */
  readonly metrics?: MetricTable;
  readonly events?: EventTable;
}

type Entry =
  | { readonly kind: 'counter'; readonly labels: Labels; readonly handle: CounterHandle }
  | { readonly kind: 'histogram'; readonly labels: Labels; readonly handle: HistogramHandle }
  | { readonly kind: 'gauge'; readonly labels: Labels; read: () => number };

interface Metric {
  readonly name: string;
  readonly spec: MetricSpec;
  readonly labelNames: readonly string[];
  readonly bounds: Float64Array;
  readonly entries: Map<string, Entry>;
  overflow: Entry | undefined;
  /** Gauges beyond the limit, by labels: the highest is reported, because that is what alerts look at. */
  readonly beyond: Map<string, () => number>;
}

const OVERFLOW = 'overflow';
const MAX_LABEL_LENGTH = 256;

/**
 * Counters and histograms in typed arrays. Handles are resolved when a stage is made; using one is an array write.
 * Promise: a name, label or label value that the catalogue does not know throws when the handle is made. Memory is bounded by
 * `maxSeries`; what exceeds it is still counted, in one series per metric whose labels say `overflow` (of gauges, the highest is
 * reported). Limit: counters are doubles, exact up to 2^53.
 */
export function createTelemetry(deps: TelemetryDeps, options: TelemetryOptions = {}): MetricStore {
  const { clock, log } = deps;
  const { maxSeries = 600 } = options;
  const events: EventTable = { ...EVENTS, ...options.events };
  const table: MetricTable = { ...METRICS, ...options.metrics };
  const metrics = new Map<string, Metric>();
  for (const [name, spec] of Object.entries(table)) {
    metrics.set(name, {
      name,
      spec,
      labelNames: Object.keys(spec.labels),
      bounds: Float64Array.from(spec.buckets ?? []),
      entries: new Map(),
      overflow: undefined,
      beyond: new Map(),
    });
  }
  const counterValues = new Float64Array(maxSeries + metrics.size);
  const suppression = createSuppression();
  const hooks: (() => void)[] = [];
  const listeners: ((name: string, fields: Fields) => void)[] = [];
  let counters = 0;
  let series = 0;

  function metricOf(name: string, type: MetricSpec['type']): Metric {
    const metric = metrics.get(name);
    if (metric === undefined) throw broken(`metric ${name} is not in the catalogue`);
    if (metric.spec.type !== type) throw broken(`metric ${name} is a ${metric.spec.type}, not a ${type}`);
    return metric;
  }

  function make(metric: Metric, labels: Labels): Entry {
    const kind = metric.spec.type;
    if (kind === 'histogram') return { kind, labels, handle: new HistogramHandle(metric.bounds) };
    if (kind === 'gauge') return { kind, labels, read: () => highest(metric.beyond.values()) };
    return { kind, labels, handle: new CounterHandle(counterValues, counters++) };
  }

  function resolve(metric: Metric, labels: Labels): Entry {
    const key = keyOf(metric, labels);
    const known = metric.entries.get(key);
    if (known !== undefined) return known;
    if (series < maxSeries && metric.entries.size < metric.spec.maxSeries) {
      const entry = make(metric, Object.freeze({ ...labels }));
      metric.entries.set(key, entry);
      series++;
      return entry;
    }
    if (metric.overflow === undefined) {
      metric.overflow = make(metric, Object.fromEntries(metric.labelNames.map((label) => [label, OVERFLOW])));
      emit('series-overflow', { metric: metric.name, series: metric.entries.size });
    }
    overflowed.add(1);
    return metric.overflow;
  }

  function emit(name: string, fields: Fields): void {
    const spec = events[name];
    if (spec === undefined) throw broken(`event ${name} is not in the catalogue`);
    if (spec.level === 'warn' || spec.level === 'error') count(name);
    for (const listener of listeners) listener(name, fields);
    const nowMs = clock.monotonicMs();
    suppression.release(nowMs, write);
    const line = suppression.admit(name, spec, fields, nowMs);
    if (line !== undefined) write(name, line);
  }

  /** Every warning is also a metric: nothing is retried, dropped, reset or worked around in silence. */
  function count(event: string): void {
    const metric = metrics.get('sluice_events_total');
    // A test's own catalogue may lack it; the overflow event itself must not create another series.
    if (metric === undefined || event === 'series-overflow') return;
    counterOf(resolve(metric, { event })).add(1);
  }

  function write(name: string, fields: Fields): void {
    const { level, message, component } = events[name];
    log.log(level, message, { ...fields, component, event: name });
  }

  // Made first, because it must not depend on the limit itself.
  const overflowed = counterOf(resolve(metricOf('sluice_series_overflow_total', 'counter'), {}));

  return {
    counter: (name, labels = {}) => counterOf(resolve(metricOf(name, 'counter'), labels)),
    histogram: (name, labels = {}) => histogramOf(resolve(metricOf(name, 'histogram'), labels)),
    gauge(name, labels, read) {
      const metric = metricOf(name, 'gauge');
      const entry = resolve(metric, labels);
      if (entry.kind !== 'gauge') return;
      if (entry !== metric.overflow) entry.read = read;
      else metric.beyond.set(keyOf(metric, labels), read);
    },
    removeGauge(name, labels) {
      const metric = metricOf(name, 'gauge');
      const key = keyOf(metric, labels);
      if (metric.entries.delete(key)) series--;
      else metric.beyond.delete(key);
    },
    event: (name, fields = {}) => emit(name, fields),
    snapshot() {
      for (const hook of hooks) hook();
      suppression.release(clock.monotonicMs(), write);
      const families: Family[] = [];
      for (const metric of metrics.values()) {
        families.push({ name: metric.name, spec: metric.spec, series: seriesOf(metric) });
      }
      return families;
    },
    series(name) {
      const metric = metrics.get(name);
      if (metric === undefined) throw broken(`metric ${name} is not in the catalogue`);
      return seriesOf(metric);
    },
    beforeSnapshot: (hook) => void hooks.push(hook),
    onEvent: (listener) => void listeners.push(listener),
    flush: () => suppression.release(Number.POSITIVE_INFINITY, write),
  };
}

/** A NaN gauge is unknown and therefore absent: one NaN would spoil every sum over its metric. */
function seriesOf(metric: Metric): Series[] {
  const shown: Series[] = [];
  const entries =
    metric.overflow === undefined ? metric.entries.values() : [...metric.entries.values(), metric.overflow];
  for (const entry of entries) {
    const { labels } = entry;
    if (entry.kind === 'histogram') {
      const { bounds, counts, count, sum } = entry.handle;
      shown.push({ kind: 'histogram', labels, bounds, counts, count, sum });
    } else {
      const value = entry.kind === 'counter' ? entry.handle.value : entry.read();
      if (!Number.isNaN(value)) shown.push({ kind: 'value', labels, value });
    }
  }
  return shown;
}

function counterOf(entry: Entry): Counter {
  if (entry.kind !== 'counter') throw broken(`a ${entry.kind} where a counter was expected`);
  return entry.handle;
}

function histogramOf(entry: Entry): Histogram {
  if (entry.kind !== 'histogram') throw broken(`a ${entry.kind} where a histogram was expected`);
  return entry.handle;
}

function keyOf(metric: Metric, labels: Labels): string {
  for (const label of Object.keys(labels)) {
    if (!Object.hasOwn(metric.spec.labels, label)) throw broken(`metric ${metric.name} has no label ${label}`);
  }
  let key = '';
  for (const label of metric.labelNames) {
    const value = labels[label];
    const allowed = metric.spec.labels[label];
    if (typeof value !== 'string') throw broken(`metric ${metric.name} needs the label ${label}`);
    if (allowed !== 'any' && !allowed.includes(value)) {
      throw broken(`metric ${metric.name} knows no ${label} "${value.slice(0, 80)}"; it knows ${allowed.join(', ')}`);
    }
    if (value.length > MAX_LABEL_LENGTH)
      throw broken(`metric ${metric.name}: a ${label} of ${value.length} characters`);
    key += `${value}\u0000`;
  }
  return key;
}

function broken(what: string): SluiceError {
  return new SluiceError('invariant-broken', `${what}; see src/telemetry for the catalogue`);
}

/** NaN if there is none. */
function highest(readers: Iterable<() => number>): number {
  let most = Number.NaN;
  for (const read of readers) {
    const value = read();
    if (!(value <= most)) most = Number.isNaN(value) ? most : value;
  }
  return most;
}
