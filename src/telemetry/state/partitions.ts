import type { Reading } from './reading.ts';
import type { Figure, LagState, PartitionState } from './state.ts';

/** A partition with lag is stuck if nothing was taken from it for this long. */
export const STUCK_MS = 10_000;
/** Time after a partition appears before its trend is known: the gauge has no value for five seconds. */
const KNOWN_MS = 6_000;
/** Lag is sampled at intervals, not at the instant of a reading. */
const TOLERANCE_MS = 300;

interface Seen {
  records: Figure;
  /** Wall time of the last record handed over; null before the first. */
  handedOverMs: Figure;
  movedAtMs: number;
  /** When this owner was first seen with it. */
  readonly sinceMs: number;
}

/**
 * Lag by partition, the time to catch up at the present rate, and which partitions stand still: records wait and none was taken.
 * Derived from consecutive readings: lag that grew by less than the elapsed time, or shrank, has moved. Limit: records that all have
 * the same timestamp and arrive as fast as they are taken look as if they stood still.
 */
export class Partitions {
  private seen = new Map<string, Seen>();

  look(reading: Reading, wallMs: number): void {
    const seen = new Map<string, Seen>();
    const seconds = byPartition(reading, 'sluice_lag_seconds');
    for (const { labels, value } of reading.series('sluice_lag_records')) {
      const key = keyOf(labels);
      const behind = seconds.get(key);
      const handedOverMs = behind === undefined ? null : wallMs - behind * 1000;
      const before = this.seen.get(key);
      const moved =
        before === undefined ||
        value === 0 ||
        value < (before.records ?? 0) ||
        isOther(handedOverMs, before.handedOverMs);
      const sinceMs = before?.sinceMs ?? wallMs;
      if (moved) seen.set(key, { records: value, handedOverMs, movedAtMs: wallMs, sinceMs });
      else seen.set(key, { ...before, records: value });
    }
    this.seen = seen;
  }

  state(reading: Reading, wallMs: number): LagState {
    const seconds = byPartition(reading, 'sluice_lag_seconds');
    const drains = byPartition(reading, 'sluice_lag_drain_seconds');
    const partitions = reading.series('sluice_lag_records').map(({ labels, value }): PartitionState => {
      const key = keyOf(labels);
      const seen = this.seen.get(key);
      const stillMs = value > 0 ? wallMs - (seen?.movedAtMs ?? wallMs) : 0;
      const drainSeconds = drains.get(key) ?? null;
      return {
        topic: labels.topic,
        partition: Number(labels.partition),
        records: value,
        seconds: seconds.get(key) ?? null,
        drainSeconds,
        neverDrains: drainSeconds === null && value > 0 && wallMs - (seen?.sinceMs ?? wallMs) >= KNOWN_MS,
        stillSeconds: Math.round(stillMs / 1000),
        stuck: stillMs >= STUCK_MS,
      };
    });
    partitions.sort((a, b) => (a.topic < b.topic ? -1 : a.topic > b.topic ? 1 : a.partition - b.partition));
    const all = partitions.length > 0 && partitions.every(({ drainSeconds }) => drainSeconds !== null);
    return {
      records: reading.sum('sluice_lag_records'),
      seconds: reading.highest('sluice_lag_seconds'),
      drainSeconds: all ? reading.highest('sluice_lag_drain_seconds') : null,
      neverDrains: partitions.some(({ neverDrains }) => neverDrains),
      partitions,
    };
  }
}

function isOther(one: Figure, other: Figure): boolean {
  if (one === null || other === null) return one !== other;
  return Math.abs(one - other) > TOLERANCE_MS;
}

function byPartition(reading: Reading, name: string): ReadonlyMap<string, number> {
  return new Map(reading.series(name).map(({ labels, value }) => [keyOf(labels), value]));
}

function keyOf({ topic, partition }: Readonly<Record<string, string>>): string {
  return `${topic}/${partition}`;
}
