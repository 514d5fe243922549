import type { LatencyModel } from './latency-model.ts';

/** What the batcher knows when it decides. Times are monotonic ms. */
export interface QueueState {
  readonly nowMs: number;
  /** Rows waiting. */
  readonly rows: number;
  /** When the oldest waiting row began (its deadline minus the budget); -Infinity for a backlog. */
  readonly oldestMs: number;
  /** Rows per ms over the recent past. */
  readonly arrivalsPerMs: number;
  /** No more rows will come soon, so waiting cannot pay. */
  readonly flushing: boolean;
}

export interface PolicyLimits {
  readonly maxBatch: number;
  /** The share of the latency budget that waiting and running may use, ms. */
  readonly budgetMs: number;
}

/** How many rows to run, or when to ask again. */
export type Decision = { readonly go: number } | { readonly waitUntilMs: number };

/** Fraction of the per-row cost that may be lost to the fixed cost at the aimed-for size. */
const OVERHEAD = 0.1;
/** The same for the largest size, run when more rows wait than are aimed for: beyond it, almost nothing is gained. */
const FULL_OVERHEAD = 0.02;
/**
 * No batch is made smaller than what runs in this share of the budget: such a run delays nobody much, and every batch also has costs
 * outside the run, which the model does not know.
 */
const SHORT = 0.02;
/** The same for a late backlog while the line says that larger runs cost no more per row: noise easily hides a fixed cost. */
const LATE_SHORT = 0.05;
/** A batch may take the whole budget, or this many times the fixed cost; a late one is not limited. */
const LATE_FACTOR = 10;
/** Extra cost per row allowed for a smaller batch that meets the oldest row's deadline. */
const SAVING = 1.02;
/** Interruptions are allowed for only up to this share of the budget: nothing makes up for longer ones. */
const ABSORBED = 0.75;
/** Below this share of the executor's time, running at once is cheap enough. */
const CHEAP_LOAD = 0.6;
/** Above this share of per-row capacity, waiting only adds delay. */
const NEAR_CAPACITY = 0.75;

/**
 * The part of the budget that two consecutive runs must leave free for recent worst-case delays. Delays are counted up to half of the
 * budget: nothing makes up for longer ones.
 */
function marginMs(model: LatencyModel, { budgetMs }: PolicyLimits): number {
  return Math.max(model.residualMs, Math.min(model.worstResidualMs, budgetMs / 2));
}

/** The batch size at which the fixed cost is amortised, within the limits and what the budget can bear. */
export function aimedBatch(model: LatencyModel, limits: PolicyLimits): number {
  const most = Math.min(limits.maxBatch, model.reachRows);
  // Nexus' feasibility: a record may just miss a batch and then wait for the next, so two runs must fit.
  const feasible = model.largestWithin((limits.budgetMs - marginMs(model, limits)) / 2, most);
  // If not even two runs of one row fit, small batches would only cost throughput: all waiting rows go.
  return feasible < 1 ? 1 : Math.min(feasible, model.economicRows(most, OVERHEAD));
}

/**
 * How many of the waiting rows to run, once enough are waiting or it is too late to wait for more. Larger runs cost less per row, so
 * as many as pay and the budget allows; fewer if that meets the oldest row's deadline at almost no cost.
 */
function rowsToRun(state: QueueState, model: LatencyModel, limits: PolicyLimits, aim: number, late: boolean): number {
  const { rows } = state;
  const residualMs = marginMs(model, limits);
  const most = Math.min(limits.maxBatch, model.reachRows);
  const shortMs = (late && !model.isTable ? LATE_SHORT : SHORT) * limits.budgetMs;
  const pays = Math.max(model.economicRows(most, FULL_OVERHEAD), model.largestWithin(shortMs, most));
  // If interruptions exceeded the budget, no run fitted (cause) → a backlog was run row by row, slower than it grew, for as long as they
  // lasted (effect) → only delays that can be made up for are subtracted, and missed deadlines do not limit the size (guard).
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
 * Waits only if waiting pays and the oldest record's deadline allows it (law L5). Called when rows arrive, when a run ends, and at the
 * time it returned; never during a run.
 *
 * Source: the slack rule of Nexus (SOSP 2019) and Clockwork (OSDI 2020), with the guards described in docs/adr:
 * greedy when the executor is mostly idle (lowest latency) and when it is nearly saturated (waiting only adds delay). Pure.
 */
export function nextBatch(state: QueueState, model: LatencyModel, limits: PolicyLimits): Decision {
  const { nowMs, rows, oldestMs, arrivalsPerMs } = state;
  if (rows === 0) return { waitUntilMs: Number.POSITIVE_INFINITY };
  const late = nowMs - oldestMs >= limits.budgetMs;
  const aim = aimedBatch(model, limits);
  if (rows >= aim || late || state.flushing) return { go: rowsToRun(state, model, limits, aim, late) };
  // Waiting and running use half of what is left, so that an interruption no longer than the other half still fits.
  const worstMs = Math.min(model.worstResidualMs, ABSORBED * limits.budgetMs);
  const residualMs = Math.max(model.residualMs, 2 * worstMs - limits.budgetMs);
  if (arrivalsPerMs * model.expectedMs(rows) < CHEAP_LOAD * rows) return { go: rows };
  if (arrivalsPerMs * model.leastPerRowMs(limits.maxBatch) >= NEAR_CAPACITY) return { go: rows };
  const waitMs = (limits.budgetMs - residualMs) / 2 - model.expectedMs(rows);
  const leaveAtMs = oldestMs + Math.max(0, waitMs);
  return nowMs >= leaveAtMs ? { go: rows } : { waitUntilMs: leaveAtMs };
}
