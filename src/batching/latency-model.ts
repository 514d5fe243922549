/**
 * Learns how long a run of b rows takes: t(b) = a + c·b, and a bound m on how much longer it may be.
 *
 * Source: weighted least squares with weights 1/b over recent runs, the slowest twentieth (relative to the current fit)
 * left out, as in Apache Beam's BatchElements; m is the 98th percentile of what the fit falls short by.
 * Before the first fit, the guess is that a run costs `initialFixedMs`, whatever its size. Pure.
 */
export class LatencyModel {
  private fixed: number;
  private perRow = 0;
  private marginMs = 0;
  private seen = 0;
  private readonly rows = new Float64Array(KEEP);
  private readonly took = new Float64Array(KEEP);
  /** What a quantile is taken of; sorted as numbers, because a comparison function would box each of them. */
  private readonly scratch = new Float64Array(KEEP);

  constructor(options: { readonly initialFixedMs: number }) {
    this.fixed = options.initialFixedMs;
  }

  /** Cost of a run whatever its size, ms. */
  get fixedMs(): number {
    return this.fixed;
  }

  /** Cost of a further row, ms. */
  get perRowMs(): number {
    return this.perRow;
  }

  /** How much longer than expected a run may take (98 in 100), ms. */
  get residualMs(): number {
    return this.marginMs;
  }

  get observations(): number {
    return this.seen;
  }

  expectedMs(rows: number): number {
    return this.fixed + this.perRow * rows;
  }

  observe(rows: number, tookMs: number): void {
    if (!(rows > 0) || !(tookMs >= 0)) return;
    const at = this.seen % KEEP;
    this.rows[at] = rows;
    this.took[at] = tookMs;
    this.seen++;
    if (this.seen <= 5 || this.seen % REFIT_EVERY === 0) this.fit();
  }

  private fit(): void {
    const n = Math.min(this.seen, KEEP);
    const cutoff = this.seen < REFIT_EVERY ? Number.POSITIVE_INFINITY : this.slowdownAt(n, 0.95);
    let w = 0;
    let wx = 0;
    let wy = 0;
    let wxx = 0;
    let wxy = 0;
    for (let i = 0; i < n; i++) {
      const x = this.rows[i];
      const y = this.took[i];
      if (y / Math.max(1e-6, this.expectedMs(x)) > cutoff) continue;
      const weight = 1 / x;
      w += weight;
      wx += weight * x;
      wy += weight * y;
      wxx += weight * x * x;
      wxy += weight * x * y;
    }
    if (w === 0) return;
    const spread = w * wxx - wx * wx;
    // Runs of one size only say nothing about the slope: then the whole cost counts as fixed.
    let slope = spread > 1e-9 * wxx * w ? (w * wxy - wx * wy) / spread : 0;
    let intercept = (wy - slope * wx) / w;
    if (slope < 0) {
      slope = 0;
      intercept = wy / w;
    } else if (intercept < 0) {
      intercept = 0;
      slope = wxx > 0 ? wxy / wxx : 0;
    }
    this.fixed = intercept;
    this.perRow = slope;
    for (let i = 0; i < n; i++) this.scratch[i] = this.took[i] - this.expectedMs(this.rows[i]);
    this.marginMs = Math.max(0, quantile(this.scratch.subarray(0, n), 0.98));
  }

  private slowdownAt(n: number, q: number): number {
    for (let i = 0; i < n; i++) this.scratch[i] = this.took[i] / Math.max(1e-6, this.expectedMs(this.rows[i]));
    return quantile(this.scratch.subarray(0, n), q);
  }
}

const KEEP = 200;
const REFIT_EVERY = 20;

/** Sorts `values`. */
function quantile(values: Float64Array, q: number): number {
  values.sort();
  return values.length === 0 ? 0 : values[Math.min(values.length - 1, Math.floor(q * values.length))];
}
