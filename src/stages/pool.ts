import type { Frame } from '../kernel/frame.ts';

/** Memory that is kept for the next frames, a pool. What is beyond it is left to the garbage collector. */
const KEEP_RECORDS = 65_536;
const KEEP_BYTES = 32 * 1024 * 1024;
const LEAST_RECORDS = 16;

/**
 * Memory for frames of up to so many records, of which a frame has one while it is under way.
 *
 * Memory that is new for each frame comes back with a garbage collection only (cause) → the path walks through a hundred
 * megabytes, and finds none of them in the processor's cache (effect) → what was given back last is lent first (guard).
 * What was lent has the contents that it had; sizes are in steps of a quarter, so that few fit most frames.
 */
export class Pool<T> {
  private readonly make: (records: number) => T;
  private readonly keepRecords: number;
  private readonly free = new Map<number, T[]>();
  private kept = 0;

  /** `bytesARecord`: what a record takes in what `make` makes, about. */
  constructor(make: (records: number) => T, bytesARecord = 256) {
    this.make = make;
    this.keepRecords = Math.min(KEEP_RECORDS, Math.floor(KEEP_BYTES / bytesARecord));
  }

  /** For `count` records, until `giveBack`. Once a frame and pool; a second call lends another one. */
  lend(frame: Frame, count: number): T {
    const size = sizeFor(count);
    const found = this.free.get(size)?.pop();
    if (found !== undefined) this.kept -= size;
    const item = found ?? this.make(size);
    const loan: Loan = { end: () => this.take(size, item) };
    const others = loans.get(frame);
    if (others === undefined) loans.set(frame, [loan]);
    else others.push(loan);
    return item;
  }

  private take(size: number, item: T): void {
    if (this.kept + size > this.keepRecords) return;
    const others = this.free.get(size);
    if (others === undefined) this.free.set(size, [item]);
    else others.push(item);
    this.kept += size;
  }
}

interface Loan {
  end(): void;
}

/** By frame, not in it: a frame that never settles takes what it was lent with it. */
const loans = new WeakMap<Frame, Loan[]>();

/**
 * What the frame was lent is the next one's: nobody looks at it any more. Called by deliver, whose chunks have copies of all rows,
 * so that some frames' memory serves all that wait for their acknowledgement; and by commit, for frames that got there by
 * other ways.
 */
export function giveBack(frame: Frame): void {
  const all = loans.get(frame);
  if (all === undefined) return;
  loans.delete(frame);
  for (const loan of all) loan.end();
}

function sizeFor(count: number): number {
  const step = Math.max(LEAST_RECORDS, 1 << Math.max(0, 29 - Math.clz32(count)));
  return Math.max(step, Math.ceil(count / step) * step);
}
