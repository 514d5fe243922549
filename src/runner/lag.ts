import type { Clock } from '../kernel/clock.ts';
import type { PartitionLag, Source } from '../ports/source.ts';

/** As long as it takes to look at all gauges once. */
const KEPT_MS = 100;
/** The present rate is that of the last minute; two looks that are closer together say little. */
const RATE_OVER_MS = 60_000;
const SAMPLE_EVERY_MS = 5_000;

export interface Lag {
  /** NaN while it is not known where the partition ends, or where we are. */
  readonly records: number;
  /** How far it is behind in time; 0 when caught up, NaN before the first record. */
  readonly seconds: number;
  /** Until it is caught up, going on as in the last minute; NaN when it never would be, or nothing is known of its rate. */
  readonly drainSeconds: number;
}

const UNKNOWN: Lag = { records: Number.NaN, seconds: Number.NaN, drainSeconds: Number.NaN };

export interface LagLookUp {
  of(topic: string, partition: number): Lag;
  /** Of each partition that the source reads. */
  all(): Iterable<Lag>;
  /** The partition is not ours any more: what was seen of it is no history of its next owner. */
  forget(topic: string, partition: number): void;
}

/**
 * The lag of each partition, for a gauge, and for what goes by the largest. The source tells that of all at once → a thousand gauges that each ask it make a
 * million objects a scrape, on the loop that moves records → it is asked once for all of them.
 *
 * A quiet partition gets a record (cause) → the last one that was handed over is hours old, and so would be the lag (effect) → what
 * waits has come since the partition was last seen caught up, and is no further behind than that (guard). Limit: rates and
 * this guard know as much as looks have seen, of which `sluice run` makes one a second.
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
    // Of NaN, no record handed over yet, the smaller is NaN.
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

/** What looks have seen of one partition: a dozen samples. */
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
