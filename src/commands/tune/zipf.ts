/**
 * Share of look-ups that a cache of a given size answers when keys are requested by Zipf's law:
 *   optimum  the most popular keys are always in the cache: the best possible without knowing the future
 *   hits     the feature cache, whose eviction is S3-FIFO (src/stages/features/cache-queues.ts)
 * Assumes that each key is requested at random moments, independently of the others, and that every key takes the same time to
 * pass through a queue, as in Che's approximation of LRU (2002). Then a key goes through a cycle of known expected lengths, and
 * the times are those at which each queue is exactly full. Limit: the popularity of keys is constant; if it shifts, fewer look-ups
 * hit. Rows also expire: a key requested x times within its time to live hits at most x/(1+x) of the time. Pure.
 * Ranks beyond the first thousands are grouped, which changes the ratios by less than a thousandth.
 */
export interface Popularity {
  /** Keys in each group, most popular first. */
  readonly counts: Float64Array;
  /** Probability that a look-up is for a given key of the group. */
  readonly each: Float64Array;
}

export interface HitRatio {
  readonly entries: number;
  readonly optimum: number;
  readonly hits: number;
}

const EXACT = 4_096;
const GROWTH = 1.02;
const STEPS = 500;
const SETTLED = 1e-5;
/** So rare that it makes no difference; its cube is still a normal number. */
const NEVER = 1e-60;
/** As in src/stages/features/cache-queues.ts. */
const TRIAL_SHARE = 0.1;

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

/** `asksPerTtl`: look-ups of all keys within a row's time to live; Infinity: rows do not expire. */
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
  if (entries >= keys) return { entries, optimum, hits: optimum };
  const times = timesOf(popularity, entries);
  let hits = 0;
  for (let g = 0; g < counts.length; g++) {
    const { trial, main } = shares(each[g], times);
    hits += counts[g] * each[g] * (trial + main) * fresh(each[g]);
  }
  return { entries, optimum, hits: Math.min(hits, optimum) };
}

const fraction = (x: number): number => x / (1 + x);

/** In look-ups: how long an entry is on trial, how long one pass through the main queue takes, how long an evicted key's hash is kept. */
interface Times {
  readonly trial: number;
  readonly main: number;
  readonly ghost: number;
}

/** Times at which the queues are exactly full, by iteration: a time is lengthened while its queue is not full. */
function timesOf(popularity: Popularity, entries: number): Times {
  const { counts, each } = popularity;
  const trialEntries = Math.max(1, Math.floor(entries * TRIAL_SHARE));
  const mainEntries = Math.max(1, entries - trialEntries);
  // The hash table has no chains, so some hashes are overwritten early.
  const places = 2 ** Math.ceil(Math.log2(Math.max(16, mainEntries)));
  const ghosts = -places * Math.expm1(-mainEntries / places);
  let times: Times = { trial: entries * TRIAL_SHARE, main: entries, ghost: entries };
  for (let step = 0; step < STEPS; step++) {
    let [trial, main, gone] = [0, 0, 0];
    for (let g = 0; g < counts.length; g++) {
      const share = shares(each[g], times);
      trial += counts[g] * share.trial;
      main += counts[g] * share.main;
      gone += counts[g] * share.gone;
    }
    const next = {
      trial: times.trial * Math.sqrt(trialEntries / trial),
      main: times.main * Math.sqrt(mainEntries / main),
      ghost: Math.sqrt((times.ghost * ghosts) / gone),
    };
    const moved = Math.abs(Math.log(next.trial / times.trial)) + Math.abs(Math.log(next.main / times.main));
    times = next;
    if (moved < SETTLED) break;
  }
  return times;
}

/**
 * For a key requested with probability `p` per look-up: the shares of time that it spends on trial and in the main queue, and how often,
 * per look-up, it leaves the trial without a request. Its cycle: absent until requested; on trial; from there to the main queue if
 * requested meanwhile, or while its hash is known; there until a pass finds its count at 0.
 */
function shares(p: number, times: Times): { readonly trial: number; readonly main: number; readonly gone: number } {
  const unasked = Math.exp(-p * times.trial);
  const returns = -Math.expm1(-p * times.ghost);
  const stays = (1 - unasked + unasked * returns) * passes(p * times.main) * times.main;
  const cycle = 1 / p + times.trial + (unasked * returns) / p + stays;
  return { trial: times.trial / cycle, main: stays / cycle, gone: unasked / cycle };
}

/**
 * Expected passes through the main queue until an entry is evicted, with `x` requests per pass: it enters with a count of 0, requests
 * increase it up to 3, each pass decreases it. The expected numbers from each count, solved for that from 0.
 */
function passes(x: number): number {
  const none = Math.max(Math.exp(-x), NEVER);
  const one = x * none;
  const two = (one * x) / 2;
  const fromOne = (1 - one) / (none * none);
  const more = Math.max(0, 1 - none - one);
  return (1 + Math.max(0, more - two) / none + more * fromOne) / none;
}

function integral(from: number, to: number, exponent: number): number {
  if (Math.abs(exponent - 1) < 1e-9) return Math.log(to / from);
  return (to ** (1 - exponent) - from ** (1 - exponent)) / (1 - exponent);
}
