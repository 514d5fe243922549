import { classOf, edgeOf, type SizeTable } from './size-table.ts';

/**
 * Chooses sizes whose cost is worth finding out by a run: the least-run size, up to one class above the largest run so far; if sizes
 * do not fit a line, also one that was not run for long.
 * Bounds: trials are separated by other runs, and their cost in excess of the usual cost of their rows is a small share of the
 * executor's time. Pure.
 */
export class Trials {
  private readonly sizes: SizeTable;
  private readonly isOff: (sizeClass: number) => boolean;
  /** Total time of runs, and the part wasted on trials. */
  private ranMs = 0;
  private wastedMs = 0;
  private next = FIRST_TRIAL;
  /** The size last offered for a trial. */
  private offered = 0;
  /** Per class, runs after which a late backlog doubts what is known of it. */
  private readonly doubtAfter = new Float64Array(32).fill(DOUBT_AFTER);

  /** `isOff`: whether what is known of a class does not fit the line. */
  constructor(sizes: SizeTable, isOff: (sizeClass: number) => boolean) {
    this.sizes = sizes;
    this.isOff = isOff;
  }

  /** A size up to `max`, or 0; `turn` counts runs; `late`: a backlog waits whose deadlines are already missed. */
  size(max: number, turn: number, isTable: boolean, late: boolean): number {
    if (turn < this.next) return 0;
    const top = Math.min(this.sizes.top + 1, classOf(max));
    let best = -1;
    let fewest = TABLE_COUNTS;
    for (let k = top; k >= Math.max(0, top - CLASSES); k--) {
      if (edgeOf(k) > max) continue;
      const samples = this.sizes.samples(k);
      // On a line, fewer samples suffice for a class, unless it seems to be off the line.
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

  /** A run ended; its rows would have cost `elsewhereMs` in a run of the best size. Call before the sizes are updated. */
  ran(rows: number, tookMs: number, elsewhereMs: number, turn: number): void {
    const k = classOf(rows);
    this.ranMs = FADE * this.ranMs + tookMs;
    this.wastedMs *= FADE;
    if (rows === this.offered) this.tried(k, tookMs, elsewhereMs, turn);
    else this.doubtAfter[k] = DOUBT_AFTER;
    this.offered = 0;
  }

  /**
   * A size measured during an interruption seems expensive (cause) → it is never run again, so a backlog stays with small runs and grows
   * (effect) → a trial that is far cheaper than its class is soon repeated, until the median of the class agrees; other trials are
   * repeated ever more rarely (guard).
   */
  private tried(k: number, tookMs: number, elsewhereMs: number, turn: number): void {
    const isNew = this.sizes.samples(k) < TABLE_COUNTS;
    const usualMs = isNew ? tookMs : this.sizes.localMs(this.offered);
    const isSurprise = tookMs < SURPRISE * usualMs;
    this.doubtAfter[k] = isSurprise
      ? NEW_GAP
      : Math.min(TRY_AGAIN_AFTER, 2 * Math.max(DOUBT_AFTER, this.doubtAfter[k]));
    this.next = turn + (isNew || isSurprise ? NEW_GAP : OLD_GAP);
    // An interruption would have hit any run, so it is not counted as waste.
    this.wastedMs += Math.max(0, Math.min(tookMs, usualMs) - elsewhereMs);
  }
}

/** Runs before the first trial: at the start, sizes vary anyway. */
const FIRST_TRIAL = 8;
/** Classes below the largest that are tried: smaller ones would have to be far cheaper. */
const CLASSES = 6;
/** Samples after which a class is known well enough. */
const TABLE_COUNTS = 5;
const LINE_COUNTS = 3;
const TRY_AGAIN_AFTER = 1_000;
/** For a late backlog, initially; doubled by each trial that finds nothing new. */
const DOUBT_AFTER = 32;
/** A trial that takes less than this share of its class's known time contradicts it. */
const SURPRISE = 0.7;
/** Share of time, and runs in between, for sizes that are hardly known, and for those not run for long. */
const NEW_SHARE = 0.03;
const OLD_SHARE = 0.01;
const NEW_GAP = 2;
const OLD_GAP = 50;
/** Decay per run of the time that counts as spent. */
const FADE = 0.9995;
