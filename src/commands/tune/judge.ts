import type { Plan } from '../../plan/plan.ts';
import { type Advice, adviseOn, type Limits, limitsOf } from './advice.ts';
import { highestRate, type Instance, meanLatencyMs, type RunTime, type Simulated } from './capacity.ts';
import { type Cost, costOf } from './cost.ts';
import type { Measured } from './measure.ts';
import { lineThrough, type RunSize } from './runs.ts';
import { type HitRatio, hitRatio, zipf } from './zipf.ts';

/** What cannot be measured without a broker and a store. */
export interface Assumptions {
  /** CPU of the Kafka client, in and out, µs per record; undefined: as measured. */
  readonly clientUs: number | undefined;
  /** One fetch and one acknowledged produce, ms. */
  readonly hopsMs: number;
  /** CPU of the store's client, µs per row read. */
  readonly storeUs: number;
  /** One read of the store, ms. */
  readonly storeMs: number;
  /** Share of look-ups that the cache answers; undefined: by Zipf's law if that is given, 0.9 otherwise. */
  readonly hitRatio: number | undefined;
  readonly zipf: number | undefined;
  readonly keys: number | undefined;
  /** Records per second to keep up with. */
  readonly rate: number | undefined;
  readonly coreHour: number | undefined;
  readonly gpuHour: number | undefined;
  readonly seed: number;
}

export interface TuneReport {
  readonly topology: string;
  readonly model: string;
  readonly device: string;
  readonly budgetMs: number;
  readonly maxBatch: number;
  readonly cores: number;
  readonly samples: Measured['samples'];
  /** Share of a core that this process had while it measured the path. */
  readonly coreShare: number;
  readonly runs: readonly RunSize[];
  readonly line: { readonly fixedMs: number; readonly perRowMs: number };
  /** µs of CPU per record, apart from the model. */
  readonly record: {
    readonly us: number;
    readonly parts: Readonly<Record<string, number>>;
    /** Names of parts that were not measured. */
    readonly assumed: readonly string[];
  };
  readonly elsewhereMs: number;
  readonly hitRatio: number | undefined;
  readonly highest: { readonly perSecond: number } & Partial<Simulated>;
  /** Mean latency under greedy batching at that rate by the closed formula, for comparison; on this machine only. */
  readonly formulaMeanMs: number | undefined;
  readonly limits: Limits;
  readonly cost: Cost;
  readonly cache: readonly CacheSize[];
  readonly threads: readonly { readonly threads: number; readonly runs: readonly RunTime[] }[];
  readonly devices: readonly { readonly device: string; readonly measured: boolean; readonly why: string }[];
  readonly advice: readonly Advice[];
}

export interface CacheSize extends HitRatio {
  readonly table: string;
  readonly configured: boolean;
  /** Reads of the store, at the highest rate. */
  readonly readsPerSecond: number;
}

const HIT_RATIO = 0.9;
/** Used if it is neither measured nor given. */
const CLIENT_US = 8;
const CACHE_SHARES = [0.001, 0.01, 0.1, 0.5, 1];

/** Turns measurements and assumptions into the report. Pure: the same measurements give the same report. */
export function judge(plan: Plan, measured: Measured, assumed: Assumptions): TuneReport {
  const { flow } = plan.topology;
  const { runs, beside } = measured;
  const all = plan.reads.length;
  const cached = plan.reads.filter(({ cache }) => cache !== undefined).length;
  const elsewhereMs = assumed.hopsMs + (all > 0 ? assumed.storeMs : 0);
  /** CPU by part, with `caches` cached look-ups per record at the given hit ratio. */
  const partsAt = (hits: number, caches = cached): Readonly<Record<string, number>> =>
    partsOf(measured, assumed, { all, fromStore: all - caches * hits });
  const msAt = (hits: number, caches = cached): number => sum(partsAt(hits, caches)) / 1000;
  const instanceAt = (hits: number): Instance => ({
    runs: runs.sizes,
    recordMs: msAt(hits),
    beside,
    spread: runs.spread,
    maxBatch: flow.maxBatch,
    budgetMs: flow.latencyBudgetMs,
    elsewhereMs,
  });
  let hits = assumed.hitRatio ?? HIT_RATIO;
  let highest = highestRate(instanceAt(hits), assumed.seed);
  // The hit ratio depends on the rate and the rate on the hit ratio: one iteration suffices.
  if (cached > 0 && assumed.hitRatio === undefined && assumed.zipf !== undefined) {
    hits = worst(plan, assumed, assumed.rate ?? highest.perSecond) ?? hits;
    highest = highestRate(instanceAt(hits), assumed.seed);
  }
  const instance = instanceAt(hits);
  const parts = partsAt(hits);
  const onGpu = measured.device !== 'cpu';
  const coresPerInstance = 1 + (onGpu ? 0 : beside);
  const line = lineThrough(runs.sizes);
  const threads = measured.threads.map(({ threads, runs }) => ({ threads, runs: runs.sizes }));
  const perMs = highest.perSecond / 1000;
  const whole = { fixedMs: line.fixedMs, perRowMs: line.perRowMs + (beside > 0 ? 0 : instance.recordMs) };
  const formula = perMs > 0 ? meanLatencyMs(perMs, whole) : Number.POSITIVE_INFINITY;
  return {
    topology: plan.topology.name,
    model: plan.bundle.label,
    device: measured.device,
    budgetMs: flow.latencyBudgetMs,
    maxBatch: flow.maxBatch,
    cores: measured.cores,
    samples: measured.samples,
    coreShare: measured.path.share,
    runs: runs.sizes,
    line,
    record: { us: sum(parts), parts, assumed: assumedParts(measured, assumed, parts) },
    elsewhereMs,
    hitRatio: cached > 0 ? hits : undefined,
    highest: { perSecond: highest.perSecond, ...highest.at },
    formulaMeanMs: Number.isFinite(formula) ? formula : undefined,
    limits: limitsOf(instance, highest, parts),
    cost: costOf(highest.perSecond, coresPerInstance, onGpu, assumed),
    cache: cacheSizes(plan, assumed, assumed.rate ?? highest.perSecond),
    threads,
    devices: measured.devices.map(({ device, runs, why }) => ({ device, measured: runs !== undefined, why })),
    advice: adviseOn({
      instance,
      highest,
      seed: assumed.seed,
      cores: measured.cores,
      coresPerInstance,
      maxInFlight: flow.maxInFlight.records,
      wantedPerSecond: assumed.rate,
      threads,
      devices: measured.devices.flatMap(({ device, runs }) =>
        runs === undefined ? [] : [{ device, runs: runs.sizes }],
      ),
      hits,
      cacheAll: cached < all ? { recordMs: msAt(hits, all), tables: tablesWithout(plan) } : undefined,
      cacheMore: cached > 0 ? { recordMs: msAt(1) } : undefined,
    }),
  };
}

function assumedParts(
  { clientUs }: Measured,
  { clientUs: assumedUs }: Assumptions,
  parts: Readonly<Record<string, number>>,
): readonly string[] {
  const isMeasured = assumedUs === undefined && clientUs !== undefined;
  return [...(isMeasured ? [] : ['Kafka client']), 'store client'].filter((name) => name in parts);
}

/** µs of CPU per record by part, for a number of rows per record that are read from the store. */
function partsOf(
  { path, uncached, clientUs }: Measured,
  { clientUs: assumedUs, storeUs }: Assumptions,
  reads: { readonly all: number; readonly fromStore: number },
): Readonly<Record<string, number>> {
  const missing = uncached === undefined ? 0 : Math.max(0, uncached.us - path.us) * (reads.fromStore / reads.all);
  // Stages are timed by wall clock, which includes time that other processes had the core: scale to CPU.
  const scale = Math.min(1, path.us / Math.max(1e-9, sum(path.stages)));
  const { enrich, ...stages } = Object.fromEntries(Object.entries(path.stages).map(([name, us]) => [name, us * scale]));
  return {
    ...stages,
    ...(uncached !== undefined && { enrich: enrich + missing }),
    'order, batch, deliver': Math.max(0, path.us - sum(path.stages) * scale),
    'Kafka client': assumedUs ?? clientUs ?? CLIENT_US,
    ...(reads.fromStore > 0 && { 'store client': reads.fromStore * storeUs }),
  };
}

function sum(parts: Readonly<Record<string, number>>): number {
  return Object.values(parts).reduce((total, us) => total + us, 0);
}

/** Tables that are looked up without a cache. */
function tablesWithout(plan: Plan): readonly string[] {
  return [...new Set(plan.reads.flatMap(({ table, cache }) => (cache === undefined ? [table] : [])))];
}

/** The lowest hit ratio of the caches as configured. */
function worst(plan: Plan, assumed: Assumptions, perSecond: number): number | undefined {
  const ratios = cacheSizes(plan, assumed, perSecond).flatMap(({ configured, hits }) => (configured ? [hits] : []));
  return ratios.length === 0 ? undefined : Math.min(...ratios);
}

function cacheSizes(plan: Plan, { zipf: exponent, keys }: Assumptions, perSecond: number): readonly CacheSize[] {
  if (exponent === undefined || keys === undefined) return [];
  const popularity = zipf(keys, exponent);
  return plan.reads.flatMap(({ table, cache }) => {
    if (cache === undefined) return [];
    const asksPerTtl = (perSecond * cache.ttlMs) / 1000;
    const sizes = new Set([...CACHE_SHARES.map((share) => Math.max(1, Math.round(share * keys))), cache.entries]);
    return [...sizes]
      .sort((a, b) => a - b)
      .map((entries) => {
        const ratio = hitRatio(popularity, entries, asksPerTtl);
        const readsPerSecond = perSecond * (1 - ratio.hits);
        return { ...ratio, table, configured: entries === cache.entries, readsPerSecond };
      });
  });
}
