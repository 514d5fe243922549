import { LatencyModel } from '../../batching/latency-model.ts';
import { nextBatch } from '../../batching/policy.ts';
import { seeded } from '../../kernel/random.ts';

/** The measured costs of one instance, per batch and per record. Times are ms. */
export interface Instance {
  /** Measured (rows, ms) of single model runs, by increasing rows; interpolated linearly, and extrapolated with the last slope. */
  readonly runs: readonly RunTime[];
  /** Cost of a record on the pipeline's thread, apart from the model. */
  readonly recordMs: number;
  /** Concurrent model runs beside that thread; 0: the model runs on the thread itself. */
  readonly beside: number;
  /** Standard deviation of the logarithm of a run's time. */
  readonly spread: number;
  readonly maxBatch: number;
  readonly budgetMs: number;
  /** Part of the budget spent outside this machine: one fetch, one read of the store, one acknowledgement. */
  readonly elsewhereMs: number;
}

export interface RunTime {
  readonly rows: number;
  readonly ms: number;
}

/** Bounds on the share of the budget for waiting in and running a batch, as learned in src/batching/path-times.ts. */
const LEAST_SHARE = 0.2;
const MOST_SHARE = 0.8;
/** A rate keeps the budget if no more than this share of records misses it. */
export const MISSES_ALLOWED = 0.001;
const ARRIVALS_MIN = 20_000;
const ARRIVALS_MAX = 400_000;
/** Length of a simulation in budgets: a backlog that grows by a fortieth shows as misses. */
const BUDGETS_LONG = 40;
const WARM_UP_SHARE = 0.1;

/** Time of a run of `rows`, interpolated from the measurements. */
export function runMs(runs: readonly RunTime[], rows: number): number {
  const [first] = runs;
  if (runs.length === 1 || rows <= first.rows) return first.ms;
  const above = runs.findIndex((run) => run.rows >= rows);
  const to = above < 0 ? runs.length - 1 : above;
  const [low, high] = [runs[to - 1], runs[to]];
  const slope = (high.ms - low.ms) / (high.rows - low.rows);
  return Math.max(low.ms, low.ms + slope * (rows - low.rows));
}

/**
 * Mean latency under greedy batching (all waiting rows go with the next run), Poisson arrivals and t(b) = fixed + perRow·b: the
 * closed-form bound of Inoue (2019), which simulation matches to within a few per cent. Infinity beyond capacity.
 */
export function meanLatencyMs(arrivalsPerMs: number, { fixedMs, perRowMs }: LinearRun): number {
  const [rate, a, c] = [arrivalsPerMs, fixedMs, perRowMs];
  const load = rate * c;
  if (load >= 1) return Number.POSITIVE_INFINITY;
  const one = ((c + a) / (2 * (1 - load))) * (1 + 2 * rate * a + (1 - rate * a) / (1 + load));
  const other = (3 * a) / (2 * (1 - load)) + ((c / 2) * (load + 2)) / (1 - load * load);
  return Math.min(one, other);
}

export interface LinearRun {
  readonly fixedMs: number;
  readonly perRowMs: number;
}

/** Rate, in records per ms, at which the thread or the model is fully busy, whatever the budget, and the batch size at that rate. */
export function saturation(instance: Instance): { readonly perMs: number; readonly rows: number } {
  const { runs, recordMs, beside, maxBatch } = instance;
  const sizes = [...runs.map(({ rows }) => rows).filter((rows) => rows < maxBatch), maxBatch];
  let best = { perMs: 0, rows: 1 };
  for (const rows of sizes) {
    const model = runMs(runs, rows);
    const perMs = beside > 0 ? Math.min((rows * beside) / model, 1 / recordMs) : rows / (model + recordMs * rows);
    if (perMs > best.perMs * 1.001) best = { perMs, rows };
  }
  return best;
}

/** Result of a simulation. */
export interface Simulated {
  readonly meanMs: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Share of records that took longer than the budget. */
  readonly missed: number;
  readonly meanBatch: number;
  /** Share of the time in which the model runs. */
  readonly modelBusy: number;
}

export interface SimulationOptions {
  readonly seed: number;
  /** `policy`: as the pipeline uses src/batching/policy.ts; `greedy`: all waiting rows go. */
  readonly batching?: 'policy' | 'greedy';
  readonly arrivals?: number;
}

/**
 * Simulates one instance under Poisson arrivals, with the pipeline's own policy and latency model. Pure: deterministic for a seed.
 * Records arrive singly; in reality those of a Kafka fetch arrive together, which costs latency and saves runs.
 */
export function simulate(instance: Instance, arrivalsPerMs: number, options: SimulationOptions): Simulated {
  const { runs, recordMs, beside, spread, maxBatch, budgetMs, elsewhereMs } = instance;
  const { seed, batching = 'policy' } = options;
  const records = options.arrivals ?? stretch(arrivalsPerMs, budgetMs);
  const random = seeded(seed);
  const arrivedMs = new Float64Array(records);
  /** When a record can join a batch: with the model beside the thread, once the thread has processed it. */
  const readyMs = new Float64Array(records);
  let at = 0;
  let threadMs = 0;
  for (let i = 0; i < records; i++) {
    at -= Math.log(1 - random()) / arrivalsPerMs;
    arrivedMs[i] = at;
    threadMs = beside > 0 ? Math.max(threadMs, at) + recordMs : at;
    readyMs[i] = threadMs;
  }
  const latency = new Float64Array(records);
  const model = new LatencyModel({ initialFixedMs: 1 });
  const share = Math.min(MOST_SHARE, Math.max(LEAST_SHARE, 1 - elsewhereMs / budgetMs));
  const limits = { maxBatch, budgetMs: budgetMs * share };
  const slots = Math.max(1, beside);
  const freeMs = new Float64Array(slots);
  let [from, to, nowMs, busyMs, batches] = [0, 0, 0, 0, 0];
  while (from < records) {
    const lane = freeMs.indexOf(Math.min(...freeMs));
    nowMs = Math.max(nowMs, freeMs[lane], readyMs[from]);
    while (to < records && readyMs[to] <= nowMs) to++;
    const waiting = to - from;
    let rows = Math.min(waiting, maxBatch);
    if (batching === 'policy') {
      const decision = nextBatch(
        {
          nowMs,
          rows: waiting,
          oldestMs: arrivedMs[from],
          arrivalsPerMs: arrivalsPerMs / slots,
          flushing: to === records,
        },
        model,
        limits,
      );
      if (!('go' in decision)) {
        nowMs = Math.min(decision.waitUntilMs, to < records ? readyMs[to] : decision.waitUntilMs);
        continue;
      }
      rows = decision.go;
    }
    const tookMs = runMs(runs, rows) * (spread > 0 ? Math.exp(spread * gaussian(random)) : 1);
    model.observe(rows, tookMs);
    freeMs[lane] = nowMs + tookMs + (beside > 0 ? 0 : recordMs * rows);
    busyMs += tookMs;
    batches++;
    for (const end = from + rows; from < end; from++) latency[from] = freeMs[lane] - arrivedMs[from] + elsewhereMs;
  }
  const measured = latency.subarray(Math.floor(records * WARM_UP_SHARE));
  return summary(measured, budgetMs, records / batches, busyMs / (Math.max(...freeMs) * freeMs.length));
}

function stretch(arrivalsPerMs: number, budgetMs: number): number {
  return Math.round(Math.min(ARRIVALS_MAX, Math.max(ARRIVALS_MIN, arrivalsPerMs * budgetMs * BUDGETS_LONG)));
}

function summary(latency: Float64Array, budgetMs: number, meanBatch: number, modelBusy: number): Simulated {
  latency.sort();
  const quantile = (q: number): number => latency[Math.min(latency.length - 1, Math.floor(q * latency.length))];
  let sum = 0;
  let missed = 0;
  for (const ms of latency) {
    sum += ms;
    if (ms > budgetMs) missed++;
  }
  return {
    meanMs: sum / latency.length,
    p50Ms: quantile(0.5),
    p99Ms: quantile(0.99),
    missed: missed / latency.length,
    meanBatch,
    modelBusy,
  };
}

/** Box–Muller: a normal deviate from two uniform ones. */
function gaussian(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

export interface Highest {
  /** Records per second; 0 if no rate keeps the budget. */
  readonly perSecond: number;
  readonly at: Simulated | undefined;
}

const STEPS = 10;
/** Close to saturation any noise becomes a backlog: plan for at most this share of it. */
const BRINK = 0.98;

/** The highest rate at which at most a thousandth misses the budget: bisection over simulations with the same seed. */
export function highestRate(instance: Instance, seed: number): Highest {
  let high = saturation(instance).perMs * BRINK;
  const lowest = simulate(instance, high * 1e-3, { seed });
  if (lowest.missed > MISSES_ALLOWED) return { perSecond: 0, at: undefined };
  let low = high * 1e-3;
  let at = lowest;
  for (let step = 0; step < STEPS; step++) {
    const rate = step === 0 ? high : (low + high) / 2;
    const tried = simulate(instance, rate, { seed });
    if (tried.missed <= MISSES_ALLOWED) {
      [low, at] = [rate, tried];
      if (step === 0) break;
    } else high = rate;
  }
  return { perSecond: low * 1000, at };
}
