import type { Reading } from './reading.ts';
import type { Figure, LagState, PartitionState } from './state.ts';

/** A partition with lag of which nothing is taken in for so long is told apart. */
export const STUCK_MS = 10_000;
/** Lag is looked at every so often, not at the instant of a reading. */
const TOLERANCE_MS = 300;

interface Seen {
  records: Figure;
  /** Wall time of the last record that was handed over; null before the first. */
  handedOverMs: Figure;
  movedAtMs: number;
}

/**
 * Lag by partition, and which of them stand still: there are records, and none was taken in. Seen from reading to reading: lag that
 * grew less than its seconds, or shrank, has moved. Limit: records of one and the same timestamp that come as fast as they
 * are taken look as if they stood still.
 */
export class Partitions {
  private seen = new Map<string, Seen>();

  look(reading: Reading, wallMs: number): void {
    const seen = new Map<string, Seen>();
    const seconds = secondsOf(reading);
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
      if (moved) seen.set(key, { records: value, handedOverMs, movedAtMs: wallMs });
      else seen.set(key, { ...before, records: value });
    }
    this.seen = seen;
  }

  state(reading: Reading, wallMs: number): LagState {
    const seconds = secondsOf(reading);
    const partitions = reading.series('sluice_lag_records').map(({ labels, value }): PartitionState => {
      const key = keyOf(labels);
      const stillMs = value > 0 ? wallMs - (this.seen.get(key)?.movedAtMs ?? wallMs) : 0;
      return {
        topic: labels.topic,
        partition: Number(labels.partition),
        records: value,
        seconds: seconds.get(key) ?? null,
        stillSeconds: Math.round(stillMs / 1000),
        stuck: stillMs >= STUCK_MS,
      };
    });
    partitions.sort((a, b) => (a.topic < b.topic ? -1 : a.topic > b.topic ? 1 : a.partition - b.partition));
    return {
      records: reading.sum('sluice_lag_records'),
      seconds: reading.highest('sluice_lag_seconds'),
      partitions,
    };
  }
}

function isOther(one: Figure, other: Figure): boolean {
  if (one === null || other === null) return one !== other;
  return Math.abs(one - other) > TOLERANCE_MS;
}

function secondsOf(reading: Reading): ReadonlyMap<string, number> {
  return new Map(reading.series('sluice_lag_seconds').map(({ labels, value }) => [keyOf(labels), value]));
}

function keyOf({ topic, partition }: Readonly<Record<string, string>>): string {
  return `${topic}/${partition}`;
}
