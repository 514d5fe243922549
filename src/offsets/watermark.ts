import type { Frame, Origin } from '../kernel/frame.ts';

/**
 * Watermarks: per origin, the end of the settled prefix of its frames — the only thing ever committed (law L2).
 *
 * Contiguous means in the order of fetch, not in offsets: offsets have gaps (compaction, control records), and a frame
 * carries the position behind its gap as `nextOffset`. Pure: no clock, no I/O. Cost: O(1) a frame, amortised.
 */
export class Watermarks {
  private readonly lanes = new Map<Origin, Lane>();

  /** An ownership period begins; nothing of it is committable yet. */
  open(origin: Origin): void {
    this.lanes.set(origin, { frames: [], head: 0, watermark: Number.NaN, committed: Number.NaN });
  }

  /**
   * An ownership period is over: its watermark is gone, late completions find nothing (law L6).
   * Returns how many of its records had been admitted and not passed: whoever owns the partition next reads them again.
   */
  close(origin: Origin): number {
    const lane = this.lanes.get(origin);
    this.lanes.delete(origin);
    let records = 0;
    for (let i = lane?.head ?? 0; lane !== undefined && i < lane.frames.length; i++) records += lane.frames[i].count;
    return records;
  }

  isOpen(origin: Origin): boolean {
    return this.lanes.has(origin);
  }

  origins(): readonly Origin[] {
    return [...this.lanes.keys()];
  }

  /** Queues a frame behind the earlier ones of its origin. False when the origin is not open. */
  admit(frame: Frame): boolean {
    const lane = this.lanes.get(frame.origin);
    if (lane === undefined) return false;
    lane.frames.push(frame);
    return true;
  }

  /** Advances over the frames at the head that are settled. False when the origin is no longer open: a late completion. */
  advance(origin: Origin): boolean {
    const lane = this.lanes.get(origin);
    if (lane === undefined) return false;
    while (lane.head < lane.frames.length && lane.frames[lane.head].unsettled === 0) {
      lane.watermark = lane.frames[lane.head].nextOffset;
      lane.head++;
    }
    if (lane.head > 64 && lane.head * 2 > lane.frames.length) {
      lane.frames.splice(0, lane.head);
      lane.head = 0;
    }
    return true;
  }

  /** Positions that moved since they were last marked committed. */
  committable(): { readonly origin: Origin; readonly offset: number }[] {
    const moved: { origin: Origin; offset: number }[] = [];
    for (const [origin, lane] of this.lanes) {
      if (!Number.isNaN(lane.watermark) && lane.watermark !== lane.committed) {
        moved.push({ origin, offset: lane.watermark });
      }
    }
    return moved;
  }

  /** The broker has stored this position. Monotone within an epoch. */
  markCommitted(origin: Origin, offset: number): void {
    const lane = this.lanes.get(origin);
    if (lane === undefined) return;
    if (lane.committed > offset) throw new RangeError(`commit of ${origin.topic}/${origin.partition} went back from ${lane.committed} to ${offset}`);
    lane.committed = offset;
  }

  /** Frames admitted and not yet passed by the watermark, over all open origins. */
  pendingFrames(): number {
    let pending = 0;
    for (const lane of this.lanes.values()) pending += lane.frames.length - lane.head;
    return pending;
  }
}

interface Lane {
  readonly frames: Frame[];
  head: number;
  /** NaN until the first frame is passed. */
  watermark: number;
  committed: number;
}
