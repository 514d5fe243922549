import type { LatencyModel } from './latency-model.ts';

/** What the batcher knows when it decides. Times are monotonic ms. */
export interface QueueState {
  readonly nowMs: number;
  /** Rows waiting. */
  readonly rows: number;
  /** When the oldest of them entered the world (its deadline minus the budget); -Infinity for a backlog. */
  readonly oldestMs: number;
  /** Rows a ms over the recent past. */
  readonly arrivalsPerMs: number;
  /** Nothing further will come soon: waiting cannot pay. */
  readonly flushing: boolean;
}

export interface PolicyLimits {
  readonly maxBatch: number;
  /** The share of the latency budget that waiting and running may use, ms. */
  readonly budgetMs: number;
}

/** Rows to run, or when to ask again. */
export type Decision = { readonly go: number } | { readonly waitUntilMs: number };

/** Fraction of the per-row cost that a batch may lose to the fixed cost at the aimed-for size. */
const OVERHEAD = 0.1;
/** The same, of the largest that is run when more rows wait than are aimed for; what it loses by more is next to nothing. */
const FULL_OVERHEAD = 0.02;
/**
 * No batch is made smaller than what runs in this share of the budget: nobody waits for it long, and each costs something
 * outside of the run too, which the model does not know.
 */
const SHORT = 0.02;
/** The same of a late backlog, where the line says that larger runs cost no more per row: a fixed cost is easily lost in noise. */
const LATE_SHORT = 0.05;
/** A batch may take the whole budget, or this many times the fixed cost; one that is late may take what it does. */
const LATE_FACTOR = 10;
/** What a row may cost more in a smaller batch that keeps the oldest row's deadline. */
const SAVING = 1.02;
/** An interruption that is longer than this share of the budget is not waited less for: nothing makes up for it. */
const ABSORBED = 0.75;
/** Below this share of the executor's time, running at once is already cheap. */
const CHEAP_LOAD = 0.6;
/** Above this share of per-row capacity, waiting only adds delay. */
const NEAR_CAPACITY = 0.75;

/**
 * What two runs, one after the other, have to leave free of the budget for what makes one of them longer: at worst, of late.
 * What an interruption takes beyond half of the budget nothing makes up for.
 */
function marginMs(model: LatencyModel, { budgetMs }: PolicyLimits): number {
  return Math.max(model.residualMs, Math.min(model.worstResidualMs, budgetMs / 2));
}

/** The batch size at which the fixed cost is amortised, within the limits and what the budget can bear. */
export function aimedBatch(model: LatencyModel, limits: PolicyLimits): number {
  const most = Math.min(limits.maxBatch, model.reachRows);
  // Nexus' feasibility: a record may just miss a batch and then wait for the next, so two runs must fit.
  const feasible = model.largestWithin((limits.budgetMs - marginMs(model, limits)) / 2, most);
  // Where not even one row fits twice, small batches would only lose throughput: whatever waits goes.
  return feasible < 1 ? 1 : Math.min(feasible, model.economicRows(most, OVERHEAD));
}

/**
 * Rows to run of those that wait, which are as many as are aimed for, or too late to wait for more. Larger runs cost less a
 * row, so as many as pay and the budget bears; fewer where that saves the oldest its deadline and costs next to nothing.
 */
function rowsToRun(state: QueueState, model: LatencyModel, limits: PolicyLimits, aim: number, late: boolean): number {
  const { rows } = state;
  const residualMs = marginMs(model, limits);
  const most = Math.min(limits.maxBatch, model.reachRows);
  const shortMs = (late && !model.isTable ? LATE_SHORT : SHORT) * limits.budgetMs;
  const pays = Math.max(model.economicRows(most, FULL_OVERHEAD), model.largestWithin(shortMs, most));
  // Interruptions longer than the budget left no room for any run (cause) → a backlog went row by row, slower than it grew,
  // as long as they lasted (effect) → what nothing makes up for is not subtracted, nor is a deadline that is missed kept (guard).
  const marginsMs = Math.min(residualMs, ABSORBED * limits.budgetMs);
  const bearsMs = late ? Number.POSITIVE_INFINITY : Math.max(limits.budgetMs - marginsMs, LATE_FACTOR * model.fixedMs);
  const full = Math.min(rows, Math.max(aim, Math.min(pays, model.largestWithin(bearsMs, most))));
  const leftMs = state.oldestMs + limits.budgetMs - residualMs - state.nowMs;
  const trial = rows < aim ? 0 : model.untriedRows(Math.min(rows, limits.maxBatch), late);
  if (trial > 0 && (late || model.expectedMs(trial) <= leftMs)) return trial;
  const intime = Math.min(full, Math.max(aim, model.largestWithin(leftMs, most)));
  const saves = intime < full && model.expectedMs(intime) / intime <= (SAVING * model.expectedMs(full)) / full;
  return saves && !late ? intime : full;
}

/**
 * Wait only when waiting pays and the oldest record's deadline allows (law L5). Called when rows arrive, when a run ends
 * and when the time that it returned has come; never while a run is going on.
 *
 * Source: the slack rule of Nexus (SOSP 2019) and Clockwork (OSDI 2020), with the guards described in docs/adr:
 * greedy when the executor is mostly idle (lowest latency) and when it is nearly full (waiting only adds delay). Pure.
 */
export function nextBatch(state: QueueState, model: LatencyModel, limits: PolicyLimits): Decision {
  const { nowMs, rows, oldestMs, arrivalsPerMs } = state;
  if (rows === 0) return { waitUntilMs: Number.POSITIVE_INFINITY };
  const late = nowMs - oldestMs >= limits.budgetMs;
  const aim = aimedBatch(model, limits);
  if (rows >= aim || late || state.flushing) return { go: rowsToRun(state, model, limits, aim, late) };
  // Waiting and running take half of what is left, so that such an interruption still fits if it is no longer than the rest.
  const worstMs = Math.min(model.worstResidualMs, ABSORBED * limits.budgetMs);
  const residualMs = Math.max(model.residualMs, 2 * worstMs - limits.budgetMs);
  if (arrivalsPerMs * model.expectedMs(rows) < CHEAP_LOAD * rows) return { go: rows };
  if (arrivalsPerMs * model.leastPerRowMs(limits.maxBatch) >= NEAR_CAPACITY) return { go: rows };
  const waitMs = (limits.budgetMs - residualMs) / 2 - model.expectedMs(rows);
  const leaveAtMs = oldestMs + Math.max(0, waitMs);
  return nowMs >= leaveAtMs ? { go: rows } : { waitUntilMs: leaveAtMs };
}
