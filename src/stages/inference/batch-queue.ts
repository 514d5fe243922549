import type { Frame } from '../../kernel/frame.ts';

/** Rows [from, to) of a frame, waiting for or taking part in a run. */
export interface Slice {
  readonly frame: Frame;
  from: number;
  to: number;
}

/** The micro-batcher's queue: slices in order of arrival; `cut` takes rows off the front, splitting a slice where it must. */
export class BatchQueue {
  private slices: Slice[] = [];
  private head = 0;
  private waitingRows = 0;
  /** Slices pushed and slices taken whole, ever. */
  private pushed = 0;
  private gone = 0;
  /** Slices that no later one is older than, oldest first: the head is the oldest of all. Amortised O(1) a slice. */
  private minima: Minimum[] = [];

  get rows(): number {
    return this.waitingRows;
  }

  /** Returns when the frame's clock began, monotonic ms; see `startedMs`. */
  push(frame: Frame, from: number, to: number): number {
    this.slices.push({ frame, from, to });
    this.waitingRows += to - from;
    const began = startedMs(frame);
    while (this.minima.length > 0 && this.minima[this.minima.length - 1].startedMs >= began) this.minima.pop();
    this.minima.push({ startedMs: began, turn: this.pushed++ });
    return began;
  }

  /**
   * When the oldest record that waits entered the world, monotonic ms; see `startedMs`. It need not be at the front:
   * another partition may be further behind than the one whose frame came first.
   */
  oldestMs(): number {
    return this.minima.length > 0 ? this.minima[0].startedMs : Number.POSITIVE_INFINITY;
  }

  cut(rows: number): Slice[] {
    const taken: Slice[] = [];
    let left = Math.min(rows, this.waitingRows);
    this.waitingRows -= left;
    while (left > 0) {
      const first = this.slices[this.head];
      const size = first.to - first.from;
      if (size <= left) {
        taken.push(first);
        this.head++;
        this.gone++;
        left -= size;
      } else {
        taken.push({ frame: first.frame, from: first.from, to: first.from + left });
        first.from += left;
        left = 0;
      }
    }
    while (this.minima.length > 0 && this.minima[0].turn < this.gone) this.minima.shift();
    if (this.head === this.slices.length) {
      this.slices = [];
      this.head = 0;
    } else if (this.head > 256) {
      this.slices.splice(0, this.head);
      this.head = 0;
    }
    return taken;
  }
}

interface Minimum {
  readonly startedMs: number;
  /** Which push it was. */
  readonly turn: number;
}

/** A timestamp this much older than its arrival is a backlog: nobody waits for it. */
const BACKLOG_MS = 3_600_000;

/**
 * When a frame's clock began, monotonic ms: at its oldest timestamp or its arrival, whichever was first;
 * -Infinity for a backlog, whose deadline has passed whatever we do.
 */
export function startedMs(frame: Frame): number {
  let oldest = frame.receivedAtMs;
  for (let i = 0; i < frame.count; i++) if (frame.timestamps[i] < oldest) oldest = frame.timestamps[i];
  const ageMs = frame.receivedAtMs - oldest;
  return ageMs > BACKLOG_MS ? Number.NEGATIVE_INFINITY : frame.receivedMonotonicMs - ageMs;
}
