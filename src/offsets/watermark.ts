import type { Frame, Origin } from '../kernel/frame.ts';

/**
 * Watermarks: per origin, the end of the settled prefix of its frames — the only thing ever committed (law L2).
 *
 * The prefix is contiguous in order of fetch, not in offsets: offsets have gaps (compaction, control records), and a frame
 * carries the position after its gap as `nextOffset`. Pure: no clock, no I/O. Cost: O(1) per frame, amortised.
 *
 * A queue lets go of a frame as it passes, not only when it is cut: a frame kept for dozens of others outlives two collections of young
 * objects (cause) → V8 takes it and its columns for long-lived, and marks the whole heap every few seconds, tens of ms each (effect) →
 * its place is emptied (guard). The sequencer's queues do the same.
 */
export class Watermarks {
  private readonly queues = new Map<Origin, Queue>();

  /** An ownership period begins; nothing in it can be committed yet. */
  open(origin: Origin): void {
    this.queues.set(origin, { frames: [], head: 0, watermark: Number.NaN, committed: Number.NaN, passed: [] });
  }

  /**
   * An ownership period is over: its watermark is gone, and late completions find nothing (law L6).
   * Returns how many of its records were admitted but not committed: the next owner of the partition reads them again.
   */
  close(origin: Origin): number {
    const queue = this.queues.get(origin);
    this.queues.delete(origin);
    if (queue === undefined) return 0;
    let records = 0;
    for (let i = queue.head; i < queue.frames.length; i++) records += queue.frames[i]?.count ?? 0;
    for (const passed of queue.passed) records += passed.records;
    return records;
  }

  isOpen(origin: Origin): boolean {
    return this.queues.has(origin);
  }

  origins(): readonly Origin[] {
    return [...this.queues.keys()];
  }

  /** Queues a frame behind the earlier ones of its origin. False when the origin is not open. */
  admit(frame: Frame): boolean {
    const queue = this.queues.get(frame.origin);
    if (queue === undefined) return false;
    queue.frames.push(frame);
    return true;
  }

  /** Advances past the settled frames at the head. False when the origin is no longer open: a late completion. */
  advance(origin: Origin): boolean {
    const queue = this.queues.get(origin);
    if (queue === undefined) return false;
    for (let frame = queue.frames[queue.head]; frame?.unsettled === 0; frame = queue.frames[queue.head]) {
      const { nextOffset, count } = frame;
      queue.frames[queue.head++] = undefined;
      queue.watermark = nextOffset;
      queue.passed.push({ nextOffset, records: count });
    }
    if (queue.head > 64 && queue.head * 2 > queue.frames.length) {
      queue.frames.splice(0, queue.head);
      queue.head = 0;
    }
    return true;
  }

  /** Positions that have moved since they were last marked committed. */
  committable(): { readonly origin: Origin; readonly offset: number }[] {
    const moved: { origin: Origin; offset: number }[] = [];
    for (const [origin, queue] of this.queues) {
      if (!Number.isNaN(queue.watermark) && queue.watermark !== queue.committed) {
        moved.push({ origin, offset: queue.watermark });
      }
    }
    return moved;
  }

  /** The broker has stored this position. Monotone within an epoch. */
  markCommitted(origin: Origin, offset: number): void {
    const queue = this.queues.get(origin);
    if (queue === undefined) return;
    if (queue.committed > offset)
      throw new RangeError(
        `commit of ${origin.topic}/${origin.partition} went back from ${queue.committed} to ${offset}`,
      );
    queue.committed = offset;
    const kept = queue.passed.findIndex((passed) => passed.nextOffset > offset);
    queue.passed.splice(0, kept < 0 ? queue.passed.length : kept);
  }

  /** Frames admitted but not yet passed by the watermark, over all open origins. */
  pendingFrames(): number {
    let pending = 0;
    for (const queue of this.queues.values()) pending += queue.frames.length - queue.head;
    return pending;
  }
}

interface Queue {
  /** Emptied before `head`. */
  readonly frames: (Frame | undefined)[];
  head: number;
  /** NaN until the first frame is passed. */
  watermark: number;
  committed: number;
  /** Frames that the watermark passed since the last commit. */
  readonly passed: { readonly nextOffset: number; readonly records: number }[];
}
