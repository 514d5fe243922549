/**
 * The answer to `GET /api/state`: one pipeline, or several together, as operators see it. All of it is derived from the metrics of the
 * catalogue, health, and the places of dead letters. Unknown figures are null. `version` increases when a field changes its
 * meaning or is removed; added fields do not change it.
 */
export interface State {
  readonly version: 1;
  /** Milliseconds since 1970, as in all `…AtMs`. */
  readonly atMs: number;
  readonly topology: string;
  /** Of the process, whatever `instance` is. */
  readonly process: ProcessState;
  /** With --instances: one entry each; empty with one pipeline. */
  readonly instances: readonly InstanceState[];
  /** Whose figures follow: all together (''), or one instance. */
  readonly instance: string;
  readonly health: HealthState;
  readonly model: ModelState;
  readonly path: PathState;
  readonly records: RecordsState;
  readonly credit: CreditState;
  readonly latency: { readonly residence: Quantiles; readonly age: Quantiles };
  readonly batches: { readonly perSecond: Figure; readonly meanRows: Figure; readonly limitRows: Figure };
  readonly lag: LagState;
  readonly caches: readonly CacheState[];
  readonly deadLetters: { readonly byReason: readonly Tally[]; readonly recent: readonly DeadLetterState[] };
  readonly degraded: readonly Tally[];
  /** Steps of onOverload in force. */
  readonly overload: readonly string[];
  readonly retries: readonly Tally[];
  readonly pauses: readonly Tally[];
  /** Events of level warn and error. */
  readonly events: readonly EventState[];
  readonly history: HistoryState;
}

export interface StateQuery {
  /** Default: all together. */
  readonly instance?: string;
  /** Return only points of the history after this time. */
  readonly afterMs?: number;
}

/** Null if unknown, because JSON has no NaN. */
export type Figure = number | null;

export interface ProcessState {
  readonly startedAtMs: Figure;
  readonly residentBytes: Figure;
  /** In cores. */
  readonly cpuRatio: Figure;
}

export interface InstanceState {
  readonly instance: string;
  readonly ready: boolean;
  readonly reason: string;
  readonly settledPerSecond: Figure;
  readonly lagRecords: Figure;
  readonly bottleneck: string;
}

export interface HealthState {
  readonly live: boolean;
  readonly ready: boolean;
  /** Why not ready; empty when ready. */
  readonly waits: readonly string[];
}

export interface ModelState {
  readonly models: readonly { readonly model: string; readonly version: string; readonly digest: string }[];
  readonly devices: readonly string[];
  readonly placements: readonly string[];
}

export interface PathState {
  readonly stages: readonly StageState[];
  /** The stage with the highest `busyRatio`; empty when none works. */
  readonly bottleneck: string;
}

export interface StageState {
  readonly stage: string;
  /** Records that it finished. */
  readonly recordsPerSecond: Figure;
  /** Records in it, waiting or being processed. */
  readonly heldRecords: Figure;
  /** Share of the last seconds in which it worked. */
  readonly busyRatio: Figure;
  /** Per frame, batch or call. */
  readonly meanSeconds: Figure;
}

export interface RecordsState {
  readonly settled: number;
  readonly settledPerSecond: Figure;
  readonly publishedPerSecond: Figure;
  readonly deadLettered: number;
  readonly deadLetteredPerSecond: Figure;
  readonly dropped: number;
  readonly droppedPerSecond: Figure;
}

export interface CreditState {
  readonly records: number;
  readonly limitRecords: Figure;
  readonly bytes: number;
  readonly limitBytes: Figure;
}

/** In seconds, over the last seconds; null if nothing settled in them. */
export interface Quantiles {
  readonly p50: Figure;
  readonly p99: Figure;
}

export interface LagState {
  readonly records: Figure;
  readonly seconds: Figure;
  /** Time until all are caught up: the longest of `partitions`; null if that is never or unknown for any of them. */
  readonly drainSeconds: Figure;
  /** True for at least one of them. */
  readonly neverDrains: boolean;
  readonly partitions: readonly PartitionState[];
}

export interface PartitionState {
  readonly topic: string;
  readonly partition: number;
  readonly records: Figure;
  readonly seconds: Figure;
  /** Time until caught up at the rate of the last minute, as `sluice_lag_drain_seconds`; null: never, or not known yet. */
  readonly drainSeconds: Figure;
  /** Its lag does not shrink: at this rate it never catches up. */
  readonly neverDrains: boolean;
  /** How long it has had lag without a record being taken; 0 if one was taken lately, or none is waiting. */
  readonly stillSeconds: number;
  /** Still for so long that somebody should look into it. */
  readonly stuck: boolean;
}

export interface CacheState {
  readonly view: string;
  readonly requestsPerSecond: Figure;
  /** Over the last seconds; since the start if they had no requests. */
  readonly hitRatio: Figure;
  /** Share of the misses in memory that Redis answered, and whether it is in use. Undefined if there is no second level. */
  readonly secondLevel?: { readonly hitRatio: Figure; readonly up: boolean };
}

/** One series of a counter. */
export interface Tally {
  /** Its label values. */
  readonly what: string;
  readonly reason: string;
  readonly total: number;
  readonly perSecond: Figure;
  /** When it last grew; null if never. */
  readonly lastAtMs: Figure;
}

export interface EventState {
  readonly event: string;
  readonly level: string;
  readonly message: string;
  readonly total: number;
  readonly lastAtMs: Figure;
}

export interface DeadLetterState {
  readonly atMs: number;
  readonly reason: string;
  /** The stage that dead-lettered it. */
  readonly stage: string;
  readonly topic: string;
  readonly partition: number;
  /** Text, because it may exceed the exact range of a number. */
  readonly offset: string;
}

export interface HistoryState {
  readonly everyMs: number;
  /** Upper bounds of the buckets in `counts` of a point; one more bucket is unbounded. */
  readonly bounds: {
    readonly residence: readonly number[];
    readonly age: readonly number[];
    readonly rows: readonly number[];
  };
  /** Oldest first; with `?after=`, only those after it. */
  readonly points: readonly PointState[];
}

export interface PointState {
  readonly atMs: number;
  readonly settledPerSecond: Figure;
  readonly deadLetteredPerSecond: Figure;
  readonly lagRecords: Figure;
  readonly lagSeconds: Figure;
  readonly inflightRecords: number;
  readonly residence: SpreadState;
  readonly age: SpreadState;
  readonly rows: SpreadState;
}

/** Observations in the period of one point. */
export interface SpreadState extends Quantiles {
  /** One entry per bucket, not cumulative, without trailing zeros. */
  readonly counts: readonly number[];
}
