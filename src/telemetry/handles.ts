import type { Counter, Histogram } from '../ports/telemetry.ts';
import { quantileOf } from './quantile.ts';

/** One slot of an array shared by all counters: adding is one array write, without a heap number. */
export class CounterHandle implements Counter {
  private readonly values: Float64Array;
  private readonly slot: number;

  constructor(values: Float64Array, slot: number) {
    this.values = values;
    this.slot = slot;
  }

  add(n: number): void {
    this.values[this.slot] += n;
  }

  get value(): number {
    return this.values[this.slot];
  }
}

/** `counts` has one entry per bucket, the infinite one last; `totals` is [count, sum]. */
export class HistogramHandle implements Histogram {
  readonly bounds: Float64Array;
  readonly counts: Float64Array;
  private readonly totals = new Float64Array(2);

  constructor(bounds: Float64Array) {
    this.bounds = bounds;
    this.counts = new Float64Array(bounds.length + 1);
  }

  observe(value: number): void {
    this.observeMany(value, 1);
  }

  /** NaN, an unknown age, is not observed: it would turn the sum into NaN for good. */
  observeMany(value: number, n: number): void {
    if (Number.isNaN(value)) return;
    const { bounds } = this;
    let low = 0;
    let high = bounds.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (value <= bounds[middle]) high = middle;
      else low = middle + 1;
    }
    this.counts[low] += n;
    this.totals[0] += n;
    this.totals[1] += value * n;
  }

  quantile(q: number): number {
    return quantileOf(this.bounds, this.counts, q);
  }

  get count(): number {
    return this.totals[0];
  }

  get sum(): number {
    return this.totals[1];
  }
}
