import { classOf, edgeOf, type SizeTable } from './size-table.ts';

/**
 * Which size is worth a run to find out what it costs. Of the sizes up to one class above the largest that has been run,
 * the one that was run least; where sizes do not lie on a line, also one that was not run for long.
 *
 * Bounds: between two trials other runs come, and what trials cost more than their rows cost elsewhere is a small share of
 * the executor's time. Pure.
 */
export class Trials {
  private readonly sizes: SizeTable;
  private readonly isOff: (sizeClass: number) => boolean;
  /** Spent in all, and of that in vain. */
  private ranMs = 0;
  private wastedMs = 0;
  private next = FIRST_TRIAL;
  /** The size that was last said to be worth a trial. */
  private offered = 0;
  /** Runs after which a late backlog doubts what is known of a class. */
  private readonly doubtAfter = new Float64Array(32).fill(DOUBT_AFTER);

  /** `isOff`: what is known of a class does not fit the line. */
  constructor(sizes: SizeTable, isOff: (sizeClass: number) => boolean) {
    this.sizes = sizes;
    this.isOff = isOff;
  }

  /** A size up to `max`, or 0; `turn` counts runs; `late`: a backlog waits whose deadlines are missed already. */
  size(max: number, turn: number, isTable: boolean, late: boolean): number {
    if (turn < this.next) return 0;
    const top = Math.min(this.sizes.top + 1, classOf(max));
    let best = -1;
    let fewest = TABLE_COUNTS;
    for (let k = top; k >= Math.max(0, top - CLASSES); k--) {
      if (edgeOf(k) > max) continue;
      const samples = this.sizes.samples(k);
      // On a line a class is known sooner; one that seems to be off it is looked at again.
      const enough = isTable || (samples >= LINE_COUNTS && this.isOff(k)) ? TABLE_COUNTS : LINE_COUNTS;
      if (samples < Math.min(fewest, enough)) {
        best = k;
        fewest = samples;
      } else if (isTable && best < 0) {
        if (turn - this.sizes.newest(k) > (late ? this.doubtAfter[k] : TRY_AGAIN_AFTER)) best = k;
      }
    }
    const share = late || fewest < TABLE_COUNTS ? NEW_SHARE : OLD_SHARE;
    if (best < 0 || this.wastedMs >= share * this.ranMs) return 0;
    this.offered = edgeOf(best);
    return this.offered;
  }

  /** A run is over; its rows would have cost `elsewhereMs` in a run of the best size. Before the sizes know of it. */
  ran(rows: number, tookMs: number, elsewhereMs: number, turn: number): void {
    const k = classOf(rows);
    this.ranMs = FADE * this.ranMs + tookMs;
    this.wastedMs *= FADE;
    if (rows === this.offered) this.tried(k, tookMs, elsewhereMs, turn);
    else this.doubtAfter[k] = DOUBT_AFTER;
    this.offered = 0;
  }

  /**
   * A size that was measured while the machine was interrupted seems dear (cause) → nobody runs it any more, a backlog stays
   * with small runs and grows (effect) → a trial that is far cheaper than its class is soon repeated, until the median of the
   * class says so; one that is not, more and more rarely (guard).
   */
  private tried(k: number, tookMs: number, elsewhereMs: number, turn: number): void {
    const isNew = this.sizes.samples(k) < TABLE_COUNTS;
    const usualMs = isNew ? tookMs : this.sizes.localMs(this.offered);
    const isSurprise = tookMs < SURPRISE * usualMs;
    this.doubtAfter[k] = isSurprise
      ? NEW_GAP
      : Math.min(TRY_AGAIN_AFTER, 2 * Math.max(DOUBT_AFTER, this.doubtAfter[k]));
    this.next = turn + (isNew || isSurprise ? NEW_GAP : OLD_GAP);
    // An interruption would have come to any run.
    this.wastedMs += Math.max(0, Math.min(tookMs, usualMs) - elsewhereMs);
  }
}

/** Runs before the first trial: sizes come by themselves at the start. */
const FIRST_TRIAL = 8;
/** So many classes below the largest are tried: smaller ones would have to be cheaper by far. */
const CLASSES = 6;
/** Samples after which a class is known well enough. */
const TABLE_COUNTS = 5;
const LINE_COUNTS = 3;
const TRY_AGAIN_AFTER = 1_000;
/** The same, at first, where a late backlog waits; doubled by each trial that finds nothing new. */
const DOUBT_AFTER = 32;
/** A trial that takes less than this share of what its class is known for says that it is not. */
const SURPRISE = 0.7;
/** Share of the time, and runs between, for sizes that are hardly known, and for those that were not run for long. */
const NEW_SHARE = 0.03;
const OLD_SHARE = 0.01;
const NEW_GAP = 2;
const OLD_GAP = 50;
/** By the run, of the time that counts as spent. */
const FADE = 0.9995;
