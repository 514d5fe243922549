import type { Histogram } from '../../ports/telemetry.ts';
import { METRICS } from '../../telemetry/catalogue.ts';

const BOUNDS_MS = Float64Array.from(METRICS.sluice_feature_age_seconds.buckets ?? [], (bound) => bound * 1000);

/**
 * Ages of the feature rows of a frame, for a histogram: counted here by bucket (mostly that of the previous row), and added to the
 * histogram once per frame and bucket. The result is as if they had been added one by one, except for the last digits of the sum.
 */
export class FeatureAges {
  private readonly counts = new Float64Array(BOUNDS_MS.length + 1);
  private readonly sums = new Float64Array(BOUNDS_MS.length + 1);
  private bucket = 0;

  add(ageMs: number): void {
    let { bucket } = this;
    if ((bucket > 0 && ageMs <= BOUNDS_MS[bucket - 1]) || ageMs > BOUNDS_MS[bucket]) {
      bucket = 0;
      while (ageMs > BOUNDS_MS[bucket]) bucket++;
      this.bucket = bucket;
    }
    this.counts[bucket]++;
    this.sums[bucket] += ageMs;
  }

  tell(histogram: Histogram): void {
    const { counts, sums } = this;
    for (let bucket = 0; bucket < counts.length; bucket++) {
      if (counts[bucket] === 0) continue;
      // Rounded, a mean of ages at a bound could lie beyond it.
      const mean =
        bucket < BOUNDS_MS.length
          ? Math.min(sums[bucket] / counts[bucket], BOUNDS_MS[bucket])
          : sums[bucket] / counts[bucket];
      histogram.observeMany(mean / 1000, counts[bucket]);
      counts[bucket] = 0;
      sums[bucket] = 0;
    }
  }
}
