/** A fetch may be held for the latency budget divided by this, up to MOST_MS, while there is processor time to spare. */
const SHARE = 12;
const MOST_MS = 10;
/** So many times as long when there is none. */
const STRETCH = 3;
/** Between these shares of the processor time in use, the hold grows. */
const SPARE_LOAD = 0.4;
const FULL_LOAD = 0.8;

/**
 * For how long a broker may hold a fetch so that more records come with it, whole ms; `load` is how busy the processor is, 0 to 1.
 *
 * Every fetch has a fixed cost: frames, a batch, requests (cause) → when the processor is nearly busy all the time, many small fetches
 * use up the time that would have emptied the queue, and it never empties (effect) → the busier the processor is, the longer each fetch
 * is held, up to a quarter of the budget, so that there are fewer and larger ones (guard). Pure.
 */
export function fetchHoldMs(latencyBudgetMs: number, load: number): number {
  const shortMs = Math.min(MOST_MS, latencyBudgetMs / SHARE);
  const scarce = Math.min(1, Math.max(0, (load - SPARE_LOAD) / (FULL_LOAD - SPARE_LOAD)));
  return Math.floor(shortMs * (1 + (STRETCH - 1) * scarce));
}
