/**
 * Limits rows per run on a device that has run out of memory. A run that does not fit halves the limit. After a number of runs that fit,
 * the limit grows by a step, until it is lifted. Each failure on the way up makes the steps rarer. Pure.
 */
export class MemoryLimit {
  private limit = Number.POSITIVE_INFINITY;
  /** The smallest size that did not fit, before the first halving. */
  private before = Number.POSITIVE_INFINITY;
  private step = 1;
  private good = 0;
  private patience = FIRST_PATIENCE;

  /** Maximum rows per run; Infinity while there is no limit. */
  get rows(): number {
    return this.limit;
  }

  get isReduced(): boolean {
    return this.limit < Number.POSITIVE_INFINITY;
  }

  /** A run of this many rows did not fit. */
  exceeded(rows: number): void {
    if (!this.isReduced) this.before = rows;
    else if (this.good > 0) this.patience = Math.min(MOST_PATIENCE, this.patience * 2);
    this.limit = Math.max(1, Math.min(this.limit, Math.floor(rows / 2)));
    this.step = Math.max(1, Math.ceil(this.limit / STEPS));
    this.good = 0;
  }

  /** A run succeeded. True if that lifted the limit. */
  ran(): boolean {
    if (!this.isReduced || ++this.good < this.patience) return false;
    this.good = 0;
    this.limit += this.step;
    if (this.limit < this.before) return false;
    this.lift();
    return true;
  }

  /** Call if the size turned out not to be the cause. */
  lift(): void {
    this.limit = Number.POSITIVE_INFINITY;
    this.before = Number.POSITIVE_INFINITY;
    this.patience = FIRST_PATIENCE;
  }
}

const FIRST_PATIENCE = 50;
const MOST_PATIENCE = 1_600;
/** Steps in which a limit doubles. */
const STEPS = 8;
