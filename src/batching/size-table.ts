/** Samples kept a size class, the newest. */
const KEEP = 16;
/** Fewer samples than this say nothing about a class. */
const MEASURED = 3;
/** A sample this many times the median of its class is an interruption, and says nothing about the slope. */
const INTERRUPTED = 1.5;
/** Sizes of a class that differ by less than this (root mean square) say nothing about the slope. */
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
 * What runs took, by size class (1, 2, 4, … rows): for each class the newest samples, and a local estimate of them, the
 * median with a slope around it. A class keeps its samples until it is measured again, so that a long time of small runs
 * does not forget what large ones cost. Pure; no allocation after it is made.
 */
export class SizeTable {
  private readonly rows = new Float64Array(CLASSES * KEEP);
  private readonly took = new Float64Array(CLASSES * KEEP);
  /** Which run it was. */
  private readonly turn = new Float64Array(CLASSES * KEEP);
  private readonly count = new Int32Array(CLASSES);
  private readonly centre = new Float64Array(CLASSES);
  private readonly level = new Float64Array(CLASSES);
  /** Ms a row more, above the centre of a class and below it. */
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

  /** Samples of a class, ever. */
  samples(sizeClass: number): number {
    return this.count[sizeClass];
  }

  isMeasured(sizeClass: number): boolean {
    return this.count[sizeClass] >= MEASURED && this.level[sizeClass] > 0;
  }

  /** Which run the newest sample of a class was; -Infinity where there is none. */
  newest(sizeClass: number): number {
    const n = this.count[sizeClass];
    return n === 0 ? Number.NEGATIVE_INFINITY : this.turn[sizeClass * KEEP + ((n - 1) % KEEP)];
  }

  /** What a run of `rows` takes, by the runs of its own class; NaN where they are too few. */
  localMs(rows: number): number {
    const k = classOf(rows);
    if (!this.isMeasured(k)) return Number.NaN;
    const more = rows - this.centre[k];
    return Math.max(0, this.level[k] + more * (more > 0 ? this.slope[k] : this.slopeDown[k]));
  }

  /** As above, where the class was measured at about this size; NaN elsewhere. */
  nearMs(rows: number): number {
    return Math.abs(rows - this.centre[classOf(rows)]) <= 0.25 * rows ? this.localMs(rows) : Number.NaN;
  }

  /** Additional ms that a further row takes in the upper half of a class. */
  slopeOf(sizeClass: number): number {
    return this.slope[sizeClass];
  }

  centreOf(sizeClass: number): number {
    return this.centre[sizeClass];
  }

  /** Calls `each` with every sample that is kept, which run it was, and how many of its class are newer. */
  forEach(each: (rows: number, tookMs: number, turn: number, newer: number) => void): void {
    for (let k = 0; k <= this.highest; k++) {
      for (let newer = Math.min(KEEP, this.count[k]) - 1; newer >= 0; newer--) {
        const at = k * KEEP + ((this.count[k] - 1 - newer) % KEEP);
        each(this.rows[at], this.took[at], this.turn[at], newer);
      }
    }
  }

  /** All that was measured before run `turn` took `factor` times as long, as far as anyone shall remember. */
  scaleOlder(factor: number, turn: number): void {
    for (let k = 0; k <= this.highest; k++) {
      const end = k * KEEP + Math.min(KEEP, this.count[k]);
      for (let at = k * KEEP; at < end; at++) if (this.turn[at] < turn) this.took[at] *= factor;
    }
  }

  /** Makes the local estimates anew. */
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
    // A few rows more or less say nothing through the noise: then more rows cost as much as the average one, fewer save nothing.
    // No row costs more than the average one of its run.
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

/** Sorts the first `n` of `values`: as numbers, because a comparison function would box each of them. */
function medianOf(values: Float64Array, n: number): number {
  const part = values.subarray(0, n).sort();
  return n % 2 === 1 ? part[n >> 1] : (part[(n >> 1) - 1] + part[n >> 1]) / 2;
}
