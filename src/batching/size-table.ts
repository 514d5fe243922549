/** Samples kept per size class, the newest. */
const KEEP = 16;
/** Fewer samples than this say nothing about a class. */
const MEASURED = 3;
/** A sample this many times the median of its class was interrupted, and says nothing about the slope. */
const INTERRUPTED = 1.5;
/** Relative spread (root mean square) of sizes below which a class says nothing about the slope. */
const SPREAD = 0.15;
/** Classes 1, 2, 3–4, 5–8, … up to 65,536 rows. */
const CLASSES = 17;

/** The class of a run of `rows`: sizes above half of its edge, up to its edge. */
export function classOf(rows: number): number {
  return Math.min(CLASSES - 1, 32 - Math.clz32(Math.max(1, Math.ceil(rows)) - 1));
}

/** The largest size of a class. */
export function edgeOf(sizeClass: number): number {
  return 2 ** sizeClass;
}

/**
 * Run times by size class (1, 2, 4, … rows): for each class the newest samples, and a local estimate, the median with a slope around
 * it. A class keeps its samples until it is measured again, so that a long period of small runs does not erase what large ones
 * cost. Pure; allocates only when constructed.
 */
export class SizeTable {
  private readonly rows = new Float64Array(CLASSES * KEEP);
  private readonly took = new Float64Array(CLASSES * KEEP);
  /** Number of the run that each sample came from. */
  private readonly turn = new Float64Array(CLASSES * KEEP);
  private readonly count = new Int32Array(CLASSES);
  private readonly centre = new Float64Array(CLASSES);
  private readonly level = new Float64Array(CLASSES);
  /** Ms per additional row, above the centre of a class and below it. */
  private readonly slope = new Float64Array(CLASSES);
  private readonly slopeDown = new Float64Array(CLASSES);
  private readonly scratch = new Float64Array(KEEP);
  /** The highest class with a sample; -1 before the first. */
  private highest = -1;

  get top(): number {
    return this.highest;
  }

  add(rows: number, tookMs: number, turn: number): void {
    const k = classOf(rows);
    const at = k * KEEP + (this.count[k] % KEEP);
    this.rows[at] = rows;
    this.took[at] = tookMs;
    this.turn[at] = turn;
    this.count[k]++;
    if (k > this.highest) this.highest = k;
  }

  /** Samples of a class so far. */
  samples(sizeClass: number): number {
    return this.count[sizeClass];
  }

  isMeasured(sizeClass: number): boolean {
    return this.count[sizeClass] >= MEASURED && this.level[sizeClass] > 0;
  }

  /** Number of the run that gave the newest sample of a class; -Infinity if there is none. */
  newest(sizeClass: number): number {
    const n = this.count[sizeClass];
    return n === 0 ? Number.NEGATIVE_INFINITY : this.turn[sizeClass * KEEP + ((n - 1) % KEEP)];
  }

  /** Expected time of a run of `rows`, from its own class; NaN if that has too few samples. */
  localMs(rows: number): number {
    const k = classOf(rows);
    if (!this.isMeasured(k)) return Number.NaN;
    const more = rows - this.centre[k];
    return Math.max(0, this.level[k] + more * (more > 0 ? this.slope[k] : this.slopeDown[k]));
  }

  /** The same, but only near the sizes that were measured; NaN elsewhere. */
  nearMs(rows: number): number {
    return Math.abs(rows - this.centre[classOf(rows)]) <= 0.25 * rows ? this.localMs(rows) : Number.NaN;
  }

  /** Additional ms per row in the upper half of a class. */
  slopeOf(sizeClass: number): number {
    return this.slope[sizeClass];
  }

  centreOf(sizeClass: number): number {
    return this.centre[sizeClass];
  }

  /** Calls `each` with every stored sample, the number of its run, and how many newer ones its class has. */
  forEach(each: (rows: number, tookMs: number, turn: number, newer: number) => void): void {
    for (let k = 0; k <= this.highest; k++) {
      for (let newer = Math.min(KEEP, this.count[k]) - 1; newer >= 0; newer--) {
        const at = k * KEEP + ((this.count[k] - 1 - newer) % KEEP);
        each(this.rows[at], this.took[at], this.turn[at], newer);
      }
    }
  }

  /** Rewrites history as if everything before run `turn` had taken `factor` times as long. */
  scaleOlder(factor: number, turn: number): void {
    for (let k = 0; k <= this.highest; k++) {
      const end = k * KEEP + Math.min(KEEP, this.count[k]);
      for (let at = k * KEEP; at < end; at++) if (this.turn[at] < turn) this.took[at] *= factor;
    }
  }

  /** Recomputes the local estimates. */
  refresh(): void {
    for (let k = 0; k <= this.highest; k++) if (this.count[k] > 0) this.estimate(k);
  }

  private estimate(k: number): void {
    const n = Math.min(KEEP, this.count[k]);
    const first = this.count[k] - n;
    const { scratch } = this;
    let sumRows = 0;
    for (let i = 0; i < n; i++) {
      const at = k * KEEP + ((first + i) % KEEP);
      scratch[i] = this.took[at];
      sumRows += this.rows[at];
    }
    const median = medianOf(scratch, n);
    const centre = sumRows / n;
    let xy = 0;
    let xx = 0;
    for (let i = 0; i < n; i++) {
      const at = k * KEEP + ((first + i) % KEEP);
      if (this.took[at] > INTERRUPTED * median) continue;
      const x = this.rows[at] - centre;
      xy += x * (this.took[at] - median);
      xx += x * x;
    }
    // If sizes differ too little to see a slope through the noise, more rows are assumed to cost the average per row, and fewer to save nothing.
    // In any case the slope is at most the average cost of a row.
    const spread = xx > n * (SPREAD * centre) ** 2;
    const slope = spread ? Math.min(median / centre, Math.max(0, xy / xx)) : 0;
    for (let i = 0; i < n; i++) {
      const at = k * KEEP + ((first + i) % KEEP);
      scratch[i] = this.took[at] - slope * (this.rows[at] - centre);
    }
    this.centre[k] = centre;
    this.slopeDown[k] = slope;
    this.level[k] = medianOf(scratch, n);
    this.slope[k] = spread ? slope : this.level[k] / centre;
  }
}

/** Sorts the first `n` of `values` numerically; a comparison function would box each of them. */
function medianOf(values: Float64Array, n: number): number {
  const part = values.subarray(0, n).sort();
  return n % 2 === 1 ? part[n >> 1] : (part[(n >> 1) - 1] + part[n >> 1]) / 2;
}
