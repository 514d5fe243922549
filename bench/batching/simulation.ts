import { ArrivalRate } from '../../src/batching/arrivals.ts';
import { LatencyModel } from '../../src/batching/latency-model.ts';
import { nextBatch } from '../../src/batching/policy.ts';
import { seeded } from '../../test/fixtures/random.ts';

/**
 * One executor, a queue of rows, and a rule that says when a batch leaves; simulated by events, without a clock. Sluice's rule is
 * the shipped code, with its own model of the executor, learned during the run; a fixed rule has a size and a delay.
 *
 * Promise: the same seed gives the same run, and rules that are compared see the same arrivals and the same stalls.
 * Limits: rows of one arrival come at the same moment; deciding takes no time.
 */
export interface Executor {
  readonly name: string;
  /** Time of a run of this many rows without noise, ms. */
  readonly runMs: (rows: number) => number;
  /** For waiting and running together, ms. */
  readonly budgetMs: number;
}

export interface Arrivals {
  readonly atMs: Float64Array;
  readonly rows: Int32Array;
}

export interface Outcome {
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Share of rows that finished after the budget. */
  readonly misses: number;
  /** Share of the time in which the executor ran. */
  readonly busy: number;
  readonly meanBatch: number;
  readonly runs: number;
}

export type Rule = { readonly size: number; readonly delayMs: number } | 'sluice' | 'greedy';

export interface Play {
  readonly executor: Executor;
  readonly arrivals: Arrivals;
  readonly rule: Rule;
  readonly seed: number;
  readonly maxBatch: number;
  /** Rows that arrive earlier are run but not counted. */
  readonly countFromMs: number;
  /** From this time on, a run takes this many times as long. */
  readonly slower?: { readonly fromMs: number; readonly factor: number };
}

const NOISE = 0.12;
/** The machine stalls this long, at this mean interval. */
const STALL_EVERY_MS = 1_500;
const STALL_MS = 6;

export function normal(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

type Decide = (nowMs: number, rows: number, oldestMs: number) => number;

/** Rows to run, or minus the time to ask again (which is never negative). */
function ruleOf({ rule, executor, maxBatch }: Play, rate: ArrivalRate, model: LatencyModel): Decide {
  if (rule === 'greedy') return (_nowMs, rows) => Math.min(rows, maxBatch);
  if (rule === 'sluice') {
    const limits = { maxBatch, budgetMs: executor.budgetMs };
    return (nowMs, rows, oldestMs) => {
      const state = { nowMs, rows, oldestMs, arrivalsPerMs: rate.perMs(nowMs), flushing: false };
      const decision = nextBatch(state, model, limits);
      return 'go' in decision ? decision.go : -decision.waitUntilMs;
    };
  }
  const { size, delayMs } = rule;
  return (nowMs, rows, oldestMs) =>
    rows >= size || nowMs >= oldestMs + delayMs ? Math.min(rows, size) : -(oldestMs + delayMs);
}

export function play(it: Play): Outcome {
  const { executor, arrivals, seed, slower } = it;
  const { atMs, rows: counts } = arrivals;
  const noise = seeded(seed);
  const stalls = seeded(seed + 1);
  const rate = new ArrivalRate({ windowMs: 100 });
  const model = new LatencyModel({ initialFixedMs: 1 });
  const decide = ruleOf(it, rate, model);
  const left = Int32Array.from(counts);
  const latencies = new Latencies();
  const events = atMs.length;
  let nextStallMs = -Math.log(1 - stalls()) * STALL_EVERY_MS;
  let head = 0;
  let next = 0;
  let waiting = 0;
  let nowMs = 0;
  let busyMs = 0;
  let misses = 0;
  let counted = 0;
  let runs = 0;
  let ran = 0;
  while (head < events) {
    if (waiting === 0) nowMs = Math.max(nowMs, atMs[next]);
    while (next < events && atMs[next] <= nowMs) {
      waiting += counts[next];
      rate.add(atMs[next], counts[next]);
      next++;
    }
    const go = decide(nowMs, waiting, atMs[head]);
    if (go <= 0) {
      // Asked again when the time has come, and whenever rows come before.
      nowMs = next < events ? Math.min(-go, atMs[next]) : -go;
      continue;
    }
    const slowed = slower !== undefined && nowMs >= slower.fromMs ? slower.factor : 1;
    let tookMs = executor.runMs(go) * slowed * Math.exp(NOISE * normal(noise));
    while (nextStallMs < nowMs) nextStallMs -= Math.log(1 - stalls()) * STALL_EVERY_MS;
    if (nextStallMs < nowMs + tookMs) {
      tookMs += STALL_MS;
      nextStallMs -= Math.log(1 - stalls()) * STALL_EVERY_MS;
    }
    const endMs = nowMs + tookMs;
    model.observe(go, tookMs);
    if (nowMs >= it.countFromMs) {
      busyMs += tookMs;
      runs++;
      ran += go;
    }
    waiting -= go;
    for (let toTake = go; toTake > 0; ) {
      const take = Math.min(toTake, left[head]);
      if (atMs[head] >= it.countFromMs) {
        const latencyMs = endMs - atMs[head];
        latencies.add(latencyMs, take);
        counted += take;
        if (latencyMs > executor.budgetMs) misses += take;
      }
      left[head] -= take;
      toTake -= take;
      if (left[head] === 0) head++;
    }
    nowMs = endMs;
  }
  return {
    p50Ms: latencies.quantile(0.5),
    p99Ms: latencies.quantile(0.99),
    misses: misses / counted,
    busy: busyMs / (nowMs - it.countFromMs),
    meanBatch: ran / runs,
    runs,
  };
}

/** A histogram whose classes are 1 % wide. */
class Latencies {
  private readonly counts = new Float64Array(2_400);
  private total = 0;

  add(ms: number, rows: number): void {
    const at = Math.round(Math.log(Math.max(1e-4, ms) / 1e-4) / Math.log(1.01));
    this.counts[Math.min(this.counts.length - 1, at)] += rows;
    this.total += rows;
  }

  quantile(q: number): number {
    let below = 0;
    for (let at = 0; at < this.counts.length; at++) {
      below += this.counts[at];
      if (below >= q * this.total) return 1e-4 * 1.01 ** at;
    }
    return Number.NaN;
  }
}
