/**
 * How many look-ups a cache of so many entries answers when keys are asked for by Zipf's law. Two figures bracket a real one:
 *
 *   optimum  the most asked-for keys are in the cache, always: no policy does better
 *   lru      the least recently used key leaves (Che's approximation, 2002): what CLOCK does about as well
 *
 * Rows also expire: a key that is asked for x times within its time to live hits x/(1+x) of the time at best. Pure.
 * Ranks beyond the first thousands are taken by groups, which changes the ratios by less than a thousandth.
 */
export interface Popularity {
  /** Keys in each group, the most asked-for first. */
  readonly counts: Float64Array;
  /** Probability that a look-up asks for one key of the group. */
  readonly each: Float64Array;
}

export interface HitRatio {
  readonly entries: number;
  readonly optimum: number;
  readonly lru: number;
}

const EXACT = 4_096;
const GROWTH = 1.02;
const STEPS = 60;

export function zipf(keys: number, exponent: number): Popularity {
  const counts: number[] = [];
  const weights: number[] = [];
  for (let rank = 1; rank <= Math.min(keys, EXACT); rank++) {
    counts.push(1);
    weights.push(rank ** -exponent);
  }
  for (let from = EXACT + 1; from <= keys; ) {
    const to = Math.min(keys, Math.floor(from * GROWTH) + 1);
    const count = to - from + 1;
    counts.push(count);
    weights.push(integral(from - 0.5, to + 0.5, exponent) / count);
    from = to + 1;
  }
  const total = weights.reduce((sum, weight, g) => sum + weight * counts[g], 0);
  return { counts: Float64Array.from(counts), each: Float64Array.from(weights, (weight) => weight / total) };
}

/** `asksPerTtl`: look-ups within the time to live of a row, all keys together; Infinity: rows do not expire. */
export function hitRatio(popularity: Popularity, entries: number, asksPerTtl: number): HitRatio {
  const { counts, each } = popularity;
  const keys = counts.reduce((sum, count) => sum + count, 0);
  const fresh = (p: number): number => (asksPerTtl === Number.POSITIVE_INFINITY ? 1 : fraction(p * asksPerTtl));
  let optimum = 0;
  let room = entries;
  for (let g = 0; g < counts.length && room > 0; g++) {
    optimum += Math.min(room, counts[g]) * each[g] * fresh(each[g]);
    room -= counts[g];
  }
  if (entries >= keys) return { entries, optimum, lru: optimum };
  const stays = residence(popularity, entries);
  let lru = 0;
  for (let g = 0; g < counts.length; g++) lru += counts[g] * each[g] * -Math.expm1(-each[g] * stays) * fresh(each[g]);
  return { entries, optimum, lru: Math.min(lru, optimum) };
}

const fraction = (x: number): number => x / (1 + x);

/** Look-ups that an entry stays for: so many that as many keys are asked for meanwhile as there are entries. */
function residence({ counts, each }: Popularity, entries: number): number {
  const filled = (asks: number): number => {
    let sum = 0;
    for (let g = 0; g < counts.length; g++) sum += counts[g] * -Math.expm1(-each[g] * asks);
    return sum;
  };
  let low = 0;
  let high = entries;
  while (filled(high) < entries) high *= 2;
  for (let step = 0; step < STEPS; step++) {
    const middle = (low + high) / 2;
    if (filled(middle) < entries) low = middle;
    else high = middle;
  }
  return high;
}

function integral(from: number, to: number, exponent: number): number {
  if (Math.abs(exponent - 1) < 1e-9) return Math.log(to / from);
  return (to ** (1 - exponent) - from ** (1 - exponent)) / (1 - exponent);
}
