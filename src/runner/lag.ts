import type { Clock } from '../kernel/clock.ts';
import type { PartitionLag, Source } from '../ports/source.ts';

/** Long enough to serve all gauges of one scrape. */
const KEPT_MS = 100;
/** Rates cover the last minute; two readings closer together than this say little. */
const RATE_OVER_MS = 60_000;
const SAMPLE_EVERY_MS = 5_000;

export interface Lag {
  /** NaN while the end of the partition or our position is unknown. */
  readonly records: number;
  /** How far it is behind in time; 0 when caught up, NaN before the first record. */
  readonly seconds: number;
  /** Time until caught up at the rate of the last minute; NaN if that is never, or the rate is unknown. */
  readonly drainSeconds: number;
}

const UNKNOWN: Lag = { records: Number.NaN, seconds: Number.NaN, drainSeconds: Number.NaN };

export interface LagLookUp {
  of(topic: string, partition: number): Lag;
  /** For each partition that the source reads. */
  all(): Iterable<Lag>;
  /** The partition is no longer ours: its history must not be taken for its next owner's. */
  forget(topic: string, partition: number): void;
}

/**
 * The lag of each partition. The source reports all lags at once → a thousand gauges that each asked it would create a million objects
 * per scrape, on the loop that moves records → one answer serves all of them.
 * A quiet partition gets a record (cause) → the last record handed over is hours old, and the lag would seem as large (effect) →
 * waiting records arrived after the partition was last seen caught up, so the lag is at most the time since then (guard). Limit:
 * rates and this guard are as precise as the readings, which `sluice run` takes once a second.
 */
export function createLagLookUp(clock: Clock, source: Pick<Source, 'lag'>): LagLookUp {
  const histories = new Map<string, History>();
  let byPartition: ReadonlyMap<string, Lag> = new Map();
  let askedMs = Number.NEGATIVE_INFINITY;

  function look({ topic, partition, records, seconds }: PartitionLag, nowMs: number): [string, Lag] {
    const key = `${topic}/${partition}`;
    const history = histories.get(key) ?? new History();
    histories.set(key, history);
    history.look(nowMs, records);
    const sinceCaughtUp = (nowMs - history.caughtUpMs) / 1_000;
    // NaN before the first record is handed over; then the result is NaN too.
    return [key, { records, seconds: Math.min(seconds, sinceCaughtUp), drainSeconds: history.drainSeconds(nowMs) }];
  }

  function fresh(): ReadonlyMap<string, Lag> {
    const nowMs = clock.monotonicMs();
    if (nowMs - askedMs > KEPT_MS) {
      askedMs = nowMs;
      byPartition = new Map(source.lag().map((lag) => look(lag, nowMs)));
    }
    return byPartition;
  }

  return {
    of: (topic, partition) => fresh().get(`${topic}/${partition}`) ?? UNKNOWN,
    all: () => fresh().values(),
    forget(topic, partition) {
      histories.delete(`${topic}/${partition}`);
      askedMs = Number.NEGATIVE_INFINITY;
    },
  };
}

/** Readings of one partition: a dozen samples. */
class History {
  /** When it was last seen with nothing to read. */
  caughtUpMs = Number.NEGATIVE_INFINITY;
  private readonly samples: { readonly atMs: number; readonly records: number }[] = [];
  private records = Number.NaN;

  look(nowMs: number, records: number): void {
    this.records = records;
    if (records === 0) this.caughtUpMs = nowMs;
    if (Number.isNaN(records)) return;
    const { samples } = this;
    if (nowMs - (samples.at(-1)?.atMs ?? Number.NEGATIVE_INFINITY) >= SAMPLE_EVERY_MS)
      samples.push({ atMs: nowMs, records });
    while (samples.length > 1 && nowMs - samples[1].atMs >= RATE_OVER_MS) samples.shift();
  }

  drainSeconds(nowMs: number): number {
    const { records } = this;
    if (records === 0) return 0;
    const [oldest] = this.samples;
    if (oldest === undefined || nowMs - oldest.atMs < SAMPLE_EVERY_MS) return Number.NaN;
    const perMs = (oldest.records - records) / (nowMs - oldest.atMs);
    return perMs > 0 ? records / perMs / 1_000 : Number.NaN;
  }
}
