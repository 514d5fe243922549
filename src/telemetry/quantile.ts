/**
 * Estimates quantile `q` (0..1) from bucket counts by linear interpolation within the bucket that holds it, as Prometheus'
 * `histogram_quantile` does. The first bucket begins at 0; a quantile in the last, infinite bucket is the highest bound.
 * NaN if nothing was counted.
 */
export function quantileOf(bounds: ArrayLike<number>, counts: ArrayLike<number>, q: number): number {
  let total = 0;
  for (let i = 0; i <= bounds.length; i++) total += counts[i];
  if (total === 0) return Number.NaN;
  const rank = Math.min(1, Math.max(0, q)) * total;
  let below = 0;
  for (let i = 0; i < bounds.length; i++) {
    const here = counts[i];
    if (here > 0 && below + here >= rank) {
      const from = i === 0 ? Math.min(0, bounds[0]) : bounds[i - 1];
      return from + ((bounds[i] - from) * (rank - below)) / here;
    }
    below += here;
  }
  return bounds[bounds.length - 1];
}
