import type { Frame } from '../kernel/frame.ts';
import { sizeFor } from '../kernel/size-steps.ts';

/** How much memory a pool keeps for the next frames. What exceeds it is left to the garbage collector. */
const KEEP_RECORDS = 65_536;
const KEEP_BYTES = 32 * 1024 * 1024;
const LEAST_RECORDS = 16;

/**
 * Reusable memory for frames, by number of records; a frame holds one item of a pool while it is in flight.
 *
 * Memory that is new for each frame is freed only by a garbage collection (cause) → the path works its way through a hundred
 * megabytes, none of them in the processor's cache (effect) → what was given back last is lent first (guard).
 * Lent memory has arbitrary contents; sizes grow in steps of a quarter, so that few sizes fit most frames.
 */
export class Pool<T> {
  private readonly make: (records: number) => T;
  private readonly keepRecords: number;
  private readonly free = new Map<number, T[]>();
  private kept = 0;

  /** `bytesARecord`: about how much memory one record takes in an item that `make` makes. */
  constructor(make: (records: number) => T, bytesARecord = 256) {
    this.make = make;
    this.keepRecords = Math.min(KEEP_RECORDS, Math.floor(KEEP_BYTES / bytesARecord));
  }

  /** Lends an item for `count` records until `giveBack`. Call it once per frame and pool; a second call lends another item. */
  lend(frame: Frame, count: number): T {
    const size = sizeFor(count, LEAST_RECORDS);
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

/** By frame, not in it: if a frame never settles, its loans are garbage-collected with it. */
const loans = new WeakMap<Frame, Loan[]>();

/**
 * Gives back everything lent to a frame, which nobody may read afterwards. Called by deliver once its chunks have copies of all rows, so
 * that a few frames' memory serves all frames that wait for acknowledgements; and by commit, for frames that got there in other ways.
 */
export function giveBack(frame: Frame): void {
  const all = loans.get(frame);
  if (all === undefined) return;
  loans.delete(frame);
  for (const loan of all) loan.end();
}
