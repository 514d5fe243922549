import { added, perSecond, quantile, type Reading, type Spread } from './reading.ts';
import type { HistoryState, PointState, SpreadState } from './state.ts';

const POINT_MS = 5_000;
/** Ten minutes. */
export const POINTS = 120;

/** The last ten minutes, one point per five seconds, each the difference between two readings. */
export class History {
  private readonly points: PointState[] = [];
  private mark: Reading | undefined;

  look(reading: Reading, wallMs: number): void {
    const { mark } = this;
    if (mark === undefined) {
      this.mark = reading;
      return;
    }
    const elapsedMs = reading.atMonotonicMs - mark.atMonotonicMs;
    // Readings come slightly late, never early: half an interval of tolerance keeps points from drifting.
    if (elapsedMs < POINT_MS - 500) return;
    const rate = (name: string, label?: string, value?: string): number | null =>
      perSecond(reading.sum(name, label, value), mark.sum(name, label, value), elapsedMs);
    const spread = (name: string): SpreadState => spreadState(added(reading.spread(name), mark.spread(name)));
    this.points.push({
      atMs: Math.round(wallMs),
      settledPerSecond: rate('sluice_records_total'),
      deadLetteredPerSecond: rate('sluice_records_total', 'fate', 'dead-lettered'),
      lagRecords: reading.sum('sluice_lag_records'),
      lagSeconds: reading.highest('sluice_lag_seconds'),
      inflightRecords: reading.sum('sluice_inflight_records') ?? 0,
      residence: spread('sluice_residence_seconds'),
      age: spread('sluice_record_age_seconds'),
      rows: spread('sluice_batch_rows'),
    });
    if (this.points.length > POINTS) this.points.shift();
    this.mark = reading;
  }

  state(reading: Reading, afterMs: number): HistoryState {
    const bounds = (name: string): readonly number[] => Array.from(reading.spread(name).bounds);
    return {
      everyMs: POINT_MS,
      bounds: {
        residence: bounds('sluice_residence_seconds'),
        age: bounds('sluice_record_age_seconds'),
        rows: bounds('sluice_batch_rows'),
      },
      points: this.points.filter(({ atMs }) => atMs > afterMs),
    };
  }
}

function spreadState(spread: Spread): SpreadState {
  const counts = Array.from(spread.counts);
  while (counts.length > 0 && counts[counts.length - 1] === 0) counts.pop();
  return { p50: quantile(spread, 0.5), p99: quantile(spread, 0.99), counts };
}
