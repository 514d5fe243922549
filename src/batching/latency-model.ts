import { classOf, edgeOf, SizeTable } from './size-table.ts';
import { Trials } from './trials.ts';

/**
 * Learns how long a run of b rows takes, t(b), for one model on one device, and a margin m by which a run may take longer.
 * The model is a line a + c·b if that fits: least squares with weights 1/b that decay with age, without the slowest twentieth
 * (relative to the fit so far), as in Apache Beam's BatchElements. If the median of a size class (1, 2, 4, … rows) is far from the
 * line, as with kernels that pad or change with the size, a table of size classes is used instead. m is the 98th percentile of
 * the underestimates. If about a dozen consecutive runs deviate from their own classes by the same factor, the machine has become
 * slower or faster: what is known of all sizes is scaled by that factor and then relearned.
 * Before the first run it assumes that a run costs `initialFixedMs`, whatever its size. Pure.
 */
export class LatencyModel {
  private fixed: number;
  private perRow = 0;
  private marginMs = 0;
  private worstMs = 0;
  private seen = 0;
  private table = false;
  private readonly sizes = new SizeTable();
  private readonly trials = new Trials(this.sizes, (k) => this.isClassOff(k, BECOMES_TABLE));
  private readonly rows = new Float64Array(RECENT);
  private readonly took = new Float64Array(RECENT);
  private readonly ratios = new Float64Array(DRIFT_RUNS);
  private ratioCount = 0;
  private readonly scratch = new Float64Array(Math.max(RECENT, 17 * 16));

  constructor(options: { readonly initialFixedMs: number }) {
    this.fixed = options.initialFixedMs;
  }

  /** Fixed cost of a run, ms; from the line, even when the table is in use. */
  get fixedMs(): number {
    return this.fixed;
  }

  /** Cost of an additional row, ms; from the line, even when the table is in use. */
  get perRowMs(): number {
    return this.perRow;
  }

  /** 98th percentile of how much longer than expected a run takes, ms. */
  get residualMs(): number {
    return this.marginMs;
  }

  /** The worst recent delay of a run beyond its expected time, decaying, ms. */
  get worstResidualMs(): number {
    return this.worstMs;
  }

  get observations(): number {
    return this.seen;
  }

  /** The sizes do not fit a line, so the table of size classes is used. */
  get isTable(): boolean {
    return this.table;
  }

  /** The largest size that may be run on present knowledge: one class above the largest run so far. */
  get reachRows(): number {
    return Math.max(FIRST_REACH, edgeOf(this.sizes.top + 1));
  }

  expectedMs(rows: number): number {
    return this.table ? this.tableMs(rows) : this.fixed + this.perRow * rows;
  }

  /** The lowest cost of a row in a run of at most `max` rows, ms. */
  leastPerRowMs(max: number): number {
    if (!this.table) return this.perRow;
    let least = Number.POSITIVE_INFINITY;
    for (let k = 0; k <= this.sizes.top; k++) {
      const size = Math.min(max, edgeOf(k));
      if (this.sizes.isMeasured(classOf(size))) least = Math.min(least, this.tableMs(size) / size);
    }
    return Number.isFinite(least) ? least : this.perRow;
  }

  /** The smallest size, up to `max`, at which a row costs at most 1 / (1 − overhead) times the lowest possible cost. */
  economicRows(max: number, overhead: number): number {
    if (!this.table)
      return this.perRow > 0
        ? Math.min(max, Math.max(1, Math.ceil((this.fixed / this.perRow) * (1 / overhead - 1))))
        : max;
    const enough = this.leastPerRowMs(max) / (1 - overhead);
    for (let k = 0; edgeOf(k) < max; k++) {
      if (this.sizes.isMeasured(k) && this.tableMs(edgeOf(k)) / edgeOf(k) <= enough) return edgeOf(k);
    }
    return max;
  }

  /** The largest size, up to `max`, that is expected to take at most `ms`; 0 if there is none. */
  largestWithin(ms: number, max: number): number {
    if (!this.table) {
      if (this.fixed + this.perRow > ms) return 0;
      return this.perRow > 0 ? Math.min(max, Math.floor((ms - this.fixed) / this.perRow)) : max;
    }
    for (let k = classOf(max); k >= 0; k--) {
      const size = Math.min(max, edgeOf(k));
      const over = this.tableMs(size) - ms;
      if (over <= 0) return size;
      const slope = this.sizes.isMeasured(k) ? this.sizes.slopeOf(k) : 0;
      const smaller = slope > 0 ? Math.floor(size - over / slope) : 0;
      if (smaller > edgeOf(k) / 2) return smaller;
    }
    return 0;
  }

  /** A size up to `max` whose cost is worth finding out by a run; 0 if there is none. See trials.ts. */
  untriedRows(max: number, late = false): number {
    return this.trials.size(max, this.seen, this.table, late);
  }

  observe(rows: number, tookMs: number): void {
    if (!(rows > 0) || !(tookMs >= 0)) return;
    const at = this.seen % RECENT;
    this.rows[at] = rows;
    this.took[at] = tookMs;
    const usualMs = this.sizes.nearMs(rows);
    if (usualMs > 0) this.ratios[this.ratioCount++ % DRIFT_RUNS] = tookMs / usualMs;
    this.worstMs = Math.max(WORST_FADE * this.worstMs, this.seen < REFIT_EVERY ? 0 : tookMs - this.expectedMs(rows));
    this.trials.ran(rows, tookMs, rows * this.leastPerRowMs(MAX_ROWS), this.seen);
    this.sizes.add(rows, tookMs, this.seen);
    this.seen++;
    if (this.seen <= REFIT_EVERY || this.seen % REFIT_EVERY === 0) this.fit();
    else if (this.ratioCount >= DRIFT_RUNS) this.followDrift();
  }

  /** Scales what is known if the last runs all deviate by the same factor. */
  private followDrift(): void {
    const { scratch } = this;
    for (let i = 0; i < DRIFT_RUNS; i++) scratch[i] = this.ratios[i];
    const sorted = scratch.subarray(0, DRIFT_RUNS).sort();
    const factor = sorted[DRIFT_RUNS >> 1];
    const alike = factor > 1 ? sorted[2] > DRIFT_BOUND : sorted[DRIFT_RUNS - 3] < 1 / DRIFT_BOUND;
    if (!alike || !(factor > 0)) return;
    this.ratioCount = 0;
    this.sizes.scaleOlder(factor, this.seen - DRIFT_RUNS);
    for (let age = DRIFT_RUNS; age < Math.min(this.seen, RECENT); age++)
      this.took[(this.seen - 1 - age) % RECENT] *= factor;
    this.fixed *= factor;
    this.perRow *= factor;
    this.fit();
  }

  private fit(): void {
    const { scratch, sizes } = this;
    sizes.refresh();
    let n = 0;
    sizes.forEach((rows, tookMs) => {
      scratch[n++] = tookMs / Math.max(1e-6, this.fixed + this.perRow * rows);
    });
    const early = this.seen < REFIT_EVERY;
    const before = this.fixed;
    const beforePerRow = this.perRow;
    const cutoff = early ? Number.POSITIVE_INFINITY : quantile(scratch.subarray(0, n), 0.95);
    let w = 0;
    let wx = 0;
    let wy = 0;
    let wxx = 0;
    let wxy = 0;
    sizes.forEach((x, y, turn, newer) => {
      if (y / Math.max(1e-6, this.fixed + this.perRow * x) > cutoff) return;
      const line = Math.max(1e-6, before + beforePerRow * x);
      const weight = (FADE ** (this.seen - 1 - turn) * CLASS_FADE ** newer) / (early ? x : line * line);
      w += weight;
      wx += weight * x;
      wy += weight * y;
      wxx += weight * x * x;
      wxy += weight * x * y;
    });
    if (w === 0) return;
    const spread = w * wxx - wx * wx;
    // Runs of a single size say nothing about the slope: their whole cost counts as fixed.
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
    this.table = this.isOffTheLine(this.table ? STAYS_TABLE : BECOMES_TABLE);
    const recent = Math.min(this.seen, RECENT);
    for (let i = 0; i < recent; i++) scratch[i] = this.took[i] - this.expectedMs(this.rows[i]);
    this.marginMs = Math.max(0, quantile(scratch.subarray(0, recent), 0.98));
  }

  private isOffTheLine(bound: number): boolean {
    for (let k = 0; k <= this.sizes.top; k++) {
      // A few samples may be far off by chance.
      if (this.isClassOff(k, this.sizes.samples(k) < CLASS_COUNTS ? 2 * bound : bound)) return true;
    }
    return false;
  }

  private isClassOff(sizeClass: number, bound: number): boolean {
    if (!this.sizes.isMeasured(sizeClass)) return false;
    const centre = this.sizes.centreOf(sizeClass);
    const line = this.fixed + this.perRow * centre;
    return Math.abs(this.sizes.localMs(centre) - line) > bound * line;
  }

  /** For an unmeasured class: no cheaper per row than the next smaller measured one, no cheaper per run than smaller sizes. */
  private tableMs(rows: number): number {
    const own = this.sizes.localMs(rows);
    if (!Number.isNaN(own)) return own;
    const k = classOf(rows);
    for (let below = k - 1; below >= 0; below--) {
      if (!this.sizes.isMeasured(below)) continue;
      const edge = edgeOf(below);
      return (this.sizes.localMs(edge) * rows) / edge;
    }
    for (let over = k + 1; over <= this.sizes.top; over++) {
      if (this.sizes.isMeasured(over)) return this.sizes.localMs(edgeOf(over - 1) + 1);
    }
    return this.fixed + this.perRow * rows;
  }
}

/** Runs over which the margin is taken. */
const RECENT = 200;
const REFIT_EVERY = 20;
const WORST_FADE = 0.9995;
/** Weight of a sample relative to the next run's, and to the next newer one in its size class. */
const FADE = 0.998;
const CLASS_FADE = 0.9;
/** If this many runs, all but two, deviate by this factor, the machine's speed has changed. */
const DRIFT_RUNS = 12;
const DRIFT_BOUND = 1.3;
/** Relative distance of a class's median from the line. */
const BECOMES_TABLE = 0.25;
const STAYS_TABLE = 0.12;
/** Samples that a class needs as evidence against the line. */
const CLASS_COUNTS = 5;
/** Untested sizes are reached by doubling, starting here. */
const FIRST_REACH = 16;
const MAX_ROWS = 65_536;

/** Sorts `values`. */
function quantile(values: Float64Array, q: number): number {
  values.sort();
  return values.length === 0 ? 0 : values[Math.min(values.length - 1, Math.floor(q * values.length))];
}
