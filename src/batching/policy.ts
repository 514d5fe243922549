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
/** Below this share of the executor's time, running at once is already cheap. */
const CHEAP_LOAD = 0.6;
/** Above this share of per-row capacity, waiting only adds delay. */
const NEAR_CAPACITY = 0.75;

/** The batch size at which the fixed cost is amortised, within the limits and what the budget can bear. */
export function aimedBatch(model: LatencyModel, limits: PolicyLimits): number {
  const { fixedMs, perRowMs, residualMs } = model;
  const amortised = perRowMs > 0 ? Math.ceil((fixedMs / perRowMs) * (1 / OVERHEAD - 1)) : limits.maxBatch;
  // Nexus' feasibility: a record may just miss a batch and then wait for the next, so two runs must fit.
  const room = (limits.budgetMs - residualMs) / 2 - fixedMs;
  const feasible = perRowMs > 0 ? Math.floor(room / perRowMs) : limits.maxBatch;
  return Math.max(1, Math.min(limits.maxBatch, amortised, Math.max(1, feasible)));
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
  // Behind its deadline, a record is served best by the highest throughput: the largest batch.
  const aim = late ? limits.maxBatch : aimedBatch(model, limits);
  if (rows >= aim) return { go: Math.min(rows, aim) };
  if (late || state.flushing) return { go: rows };
  const { fixedMs, perRowMs, residualMs } = model;
  if (arrivalsPerMs * (fixedMs / rows + perRowMs) < CHEAP_LOAD) return { go: rows };
  if (arrivalsPerMs * perRowMs >= NEAR_CAPACITY) return { go: rows };
  const waitMs = (limits.budgetMs - residualMs) / 2 - model.expectedMs(rows);
  const leaveAtMs = oldestMs + Math.max(0, waitMs);
  return nowMs >= leaveAtMs ? { go: rows } : { waitUntilMs: leaveAtMs };
}
