import type { Frame, Origin } from '../kernel/frame.ts';

/**
 * Releases frames of an origin in the order in which they were admitted (law L3), whatever the order in which they finish.
 * A frame that finishes early waits for the ones before it. Pure; amortised O(1) per frame.
 * With `ordered: false` everything is released at once.
 */
export class Sequencer {
  private readonly queues = new Map<Origin, Queue>();
  private readonly finished = new Set<Frame>();
  private readonly ordered: boolean;

  constructor(options: { readonly ordered: boolean }) {
    this.ordered = options.ordered;
  }

  admit(frame: Frame): void {
    if (!this.ordered) return;
    let queue = this.queues.get(frame.origin);
    if (queue === undefined) {
      queue = { frames: [], head: 0 };
      this.queues.set(frame.origin, queue);
    }
    queue.frames.push(frame);
  }

  /** Marks a frame finished and calls `release` for every frame whose turn has come, in order. */
  finish(frame: Frame, release: (frame: Frame) => void): void {
    if (!this.ordered) {
      release(frame);
      return;
    }
    const { origin } = frame;
    const queue = this.queues.get(origin);
    if (queue === undefined) {
      throw new RangeError(`frame of ${origin.topic}/${origin.partition} finished without being admitted`);
    }
    this.finished.add(frame);
    for (let next = queue.frames[queue.head]; next !== undefined; next = queue.frames[queue.head]) {
      if (!this.finished.delete(next)) break;
      queue.frames[queue.head++] = undefined;
      release(next);
    }
    if (queue.head === queue.frames.length) this.queues.delete(origin);
    else if (queue.head > 64 && queue.head * 2 > queue.frames.length) {
      queue.frames.splice(0, queue.head);
      queue.head = 0;
    }
  }

  /** Frames that are admitted but not yet released. */
  get waiting(): number {
    let waiting = 0;
    for (const queue of this.queues.values()) waiting += queue.frames.length - queue.head;
    return waiting;
  }
}

interface Queue {
  /** Emptied before `head`: see Watermarks. */
  readonly frames: (Frame | undefined)[];
  head: number;
}
