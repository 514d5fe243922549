/** A fetch may be held for the latency budget divided by this, up to MOST_MS, while there is processor time to spare. */
const SHARE = 12;
const MOST_MS = 10;
/** So many times as long when there is none. */
const STRETCH = 3;
/** Between these shares of the processor time in use, the hold grows. */
const SPARE_LOAD = 0.4;
const FULL_LOAD = 0.8;

/**
 * For how long a broker may hold a fetch so that more records come with it, ms; `load` is the share of the processor time in use.
 *
 * Every fetch has costs of its own: frames, a batch, requests (cause) → where a core has little to spare, short fetches take what would
 * have kept the queue short, and a queue once there stays, because fetches of few records go on beside it (effect) → the less
 * is to spare the longer a fetch is held, up to a quarter of the budget: records wait for fuller fetches instead of in the queue (guard).
 * Pure.
 */
export function fetchHoldMs(latencyBudgetMs: number, load: number): number {
  const shortMs = Math.min(MOST_MS, latencyBudgetMs / SHARE);
  const scarce = Math.min(1, Math.max(0, (load - SPARE_LOAD) / (FULL_LOAD - SPARE_LOAD)));
  return shortMs * (1 + (STRETCH - 1) * scarce);
}
