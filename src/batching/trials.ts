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

  /** `isOff`: what is known of a class does not fit the line. */
  constructor(sizes: SizeTable, isOff: (sizeClass: number) => boolean) {
    this.sizes = sizes;
    this.isOff = isOff;
  }

  /** A size up to `max`, or 0; `turn` counts runs. */
  size(max: number, turn: number, isTable: boolean): number {
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
      } else if (isTable && best < 0 && turn - this.sizes.newest(k) > TRY_AGAIN_AFTER) best = k;
    }
    const share = fewest < TABLE_COUNTS ? NEW_SHARE : OLD_SHARE;
    if (best < 0 || this.wastedMs >= share * this.ranMs) return 0;
    this.offered = edgeOf(best);
    return this.offered;
  }

  /** A run is over; its rows would have cost `elsewhereMs` in a run of the best size. Before the sizes know of it. */
  ran(rows: number, tookMs: number, elsewhereMs: number, turn: number): void {
    if (rows === this.offered) {
      const isNew = this.sizes.samples(classOf(rows)) < TABLE_COUNTS;
      this.next = turn + (isNew ? NEW_GAP : OLD_GAP);
      this.wastedMs += Math.max(0, tookMs - elsewhereMs);
    }
    this.offered = 0;
    this.ranMs += tookMs;
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
/** Share of the time, and runs between, for sizes that are hardly known, and for those that were not run for long. */
const NEW_SHARE = 0.03;
const OLD_SHARE = 0.01;
const NEW_GAP = 2;
const OLD_GAP = 50;
