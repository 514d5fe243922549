/**
 * What `GET /api/state` answers: one pipeline, or several together, as its operators see it. All of it is derived from the metrics
 * of the catalogue, health, and the addresses of dead letters. Figures that are not known are null. `version` grows when a
 * field changes its meaning or goes; fields may be added without.
 */
export interface State {
  readonly version: 1;
  /** Milliseconds since 1970, as all `…AtMs`. */
  readonly atMs: number;
  readonly topology: string;
  /** Of the process, whatever `instance` is. */
  readonly process: ProcessState;
  /** With --instances: each; empty with one pipeline. */
  readonly instances: readonly InstanceState[];
  /** Whose figures follow: of all together (''), or of one instance. */
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
  /** Steps of onOverload that are in force. */
  readonly overload: readonly string[];
  readonly retries: readonly Tally[];
  readonly pauses: readonly Tally[];
  /** Events of level warn and error. */
  readonly events: readonly EventState[];
  readonly history: HistoryState;
}

export interface StateQuery {
  /** All together, if not given. */
  readonly instance?: string;
  /** Only points of the history after this. */
  readonly afterMs?: number;
}

/** Not known: null, as JSON has no NaN. */
export type Figure = number | null;

export interface ProcessState {
  readonly startedAtMs: Figure;
  readonly residentBytes: Figure;
  /** Of one core. */
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
  /** Records that it was through with. */
  readonly recordsPerSecond: Figure;
  /** Records in it: waiting, or worked on. */
  readonly heldRecords: Figure;
  /** Share of the last seconds in which it worked. */
  readonly busyRatio: Figure;
  /** Of one frame, batch or call. */
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

/** In seconds, over the last seconds; null where nothing settled in them. */
export interface Quantiles {
  readonly p50: Figure;
  readonly p99: Figure;
}

export interface LagState {
  readonly records: Figure;
  readonly seconds: Figure;
  /** Until all are caught up: the longest of `partitions`; null where one of them never is, or it is not known. */
  readonly drainSeconds: Figure;
  /** Of one of them at least. */
  readonly neverDrains: boolean;
  readonly partitions: readonly PartitionState[];
}

export interface PartitionState {
  readonly topic: string;
  readonly partition: number;
  readonly records: Figure;
  readonly seconds: Figure;
  /** Until it is caught up, going on as in the last minute, as `sluice_lag_drain_seconds` says; null: never, or not known yet. */
  readonly drainSeconds: Figure;
  /** Its lag does not shrink: going on like this it is never caught up. */
  readonly neverDrains: boolean;
  /** It has lag, and no record of it was taken in for so long; 0 when one was lately, or there is none to take. */
  readonly stillSeconds: number;
  /** Still for so long that somebody should look. */
  readonly stuck: boolean;
}

export interface CacheState {
  readonly view: string;
  readonly requestsPerSecond: Figure;
  /** Over the last seconds; since the start where there were no requests in them. */
  readonly hitRatio: Figure;
  /** Of what was not in memory: what Redis had; and whether it is asked. Undefined where there is no second level. */
  readonly secondLevel?: { readonly hitRatio: Figure; readonly up: boolean };
}

/** A series of a counter. */
export interface Tally {
  /** The values of its labels. */
  readonly what: string;
  readonly reason: string;
  readonly total: number;
  readonly perSecond: Figure;
  /** When it last grew; null when it never did. */
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
  /** The stage that gave it up. */
  readonly stage: string;
  readonly topic: string;
  readonly partition: number;
  /** As text: it may be larger than a number tells apart. */
  readonly offset: string;
}

export interface HistoryState {
  readonly everyMs: number;
  /** Upper bounds of the buckets that `counts` of a point count in; one more bucket has no bound. */
  readonly bounds: {
    readonly residence: readonly number[];
    readonly age: readonly number[];
    readonly rows: readonly number[];
  };
  /** Oldest first; those after `?after=` only. */
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

/** What was observed in the time of one point. */
export interface SpreadState extends Quantiles {
  /** A bucket each, not cumulative; without the zeros at the end. */
  readonly counts: readonly number[];
}
