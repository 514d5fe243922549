/**
 * How many rows a run may have on a device that has run out of memory. A run that does not fit halves the limit; then it grows by a
 * step after so many runs that fit, until it is lifted. Each failure on the way up makes the steps rarer. Pure.
 */
export class MemoryLimit {
  private limit = Number.POSITIVE_INFINITY;
  /** The smallest size that did not fit, before it was halved for the first time. */
  private before = Number.POSITIVE_INFINITY;
  private step = 1;
  private good = 0;
  private patience = FIRST_PATIENCE;

  /** Rows per run at most; Infinity while there is no limit. */
  get rows(): number {
    return this.limit;
  }

  get isReduced(): boolean {
    return this.limit < Number.POSITIVE_INFINITY;
  }

  /** A run of so many rows did not fit. */
  exceeded(rows: number): void {
    if (!this.isReduced) this.before = rows;
    else if (this.good > 0) this.patience = Math.min(MOST_PATIENCE, this.patience * 2);
    this.limit = Math.max(1, Math.min(this.limit, Math.floor(rows / 2)));
    this.step = Math.max(1, Math.ceil(this.limit / STEPS));
    this.good = 0;
  }

  /** A run went well. True when with it the last of the limit is lifted. */
  ran(): boolean {
    if (!this.isReduced || ++this.good < this.patience) return false;
    this.good = 0;
    this.limit += this.step;
    if (this.limit < this.before) return false;
    this.lift();
    return true;
  }

  /** It was not the size. */
  lift(): void {
    this.limit = Number.POSITIVE_INFINITY;
    this.before = Number.POSITIVE_INFINITY;
    this.patience = FIRST_PATIENCE;
  }
}

const FIRST_PATIENCE = 50;
const MOST_PATIENCE = 1_600;
/** A limit grows to twice itself in so many steps. */
const STEPS = 8;
