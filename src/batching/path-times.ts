/**
 * How much of the latency budget is left for waiting and running: what the rest of the path (from a record's timestamp to here, and
 * from here until it is settled) has recently not needed in 99 of 100 cases. Half of the budget until that is known; always between
 * a fifth and four fifths. Pure.
 */
export class PathTimes {
  private readonly budgetMs: number;
  private readonly before = new Float64Array(KEEP);
  private readonly rest = new Float64Array(KEEP);
  private readonly scratch = new Float64Array(KEEP);
  private count = 0;
  private share: number;
  private wayHereMs = 0;

  constructor(options: { readonly budgetMs: number }) {
    this.budgetMs = options.budgetMs;
    this.share = FIRST_SHARE * options.budgetMs;
  }

  /** Time for waiting and running, ms. */
  get inferMs(): number {
    return this.share;
  }

  /** Age at which a record gets here, 99th percentile, ms; a record that is earlier has correspondingly more time. */
  get beforeMs(): number {
    return this.wayHereMs;
  }

  /** A record arrived `beforeMs` after its timestamp, and was settled `afterMs` after its run. */
  observe(beforeMs: number, afterMs: number): void {
    if (!(beforeMs >= 0) || !(afterMs >= 0)) return;
    const at = this.count % KEEP;
    this.before[at] = beforeMs;
    this.rest[at] = beforeMs + afterMs;
    this.count++;
    if (this.count % LEARN_EVERY === 0 && this.count >= ENOUGH) this.learn();
  }

  private learn(): void {
    const restMs = this.quantile(this.rest);
    this.share = Math.min(MOST_SHARE, Math.max(LEAST_SHARE, 1 - restMs / this.budgetMs)) * this.budgetMs;
    this.wayHereMs = Math.min(this.quantile(this.before), this.budgetMs - this.share);
  }

  private quantile(values: Float64Array): number {
    const n = Math.min(this.count, KEEP);
    this.scratch.set(values);
    const sorted = this.scratch.subarray(0, n).sort();
    return sorted[Math.min(n - 1, Math.floor(0.99 * n))];
  }
}

const KEEP = 256;
const ENOUGH = 64;
const LEARN_EVERY = 32;
const FIRST_SHARE = 0.5;
const LEAST_SHARE = 0.2;
const MOST_SHARE = 0.8;
