export interface Rates {
  /** Records per second, over the last few seconds. */
  readonly perSecond: number;
  /** Records in each of the last full seconds, oldest first, sixty at most. */
  readonly history: readonly number[];
}

const HISTORY = 60;
const RATE_SECONDS = 3;

/** Turns readings of a growing total into a rate and its history. Seconds without a reading share the increase evenly. */
export function createRates(startMs: number): { reading(nowMs: number, total: number): Rates } {
  const history: number[] = [];
  let markMs = startMs;
  let markTotal = 0;

  return {
    reading(nowMs, total) {
      const seconds = Math.floor((nowMs - markMs) / 1000);
      if (seconds > 0) {
        const share = ((total - markTotal) * 1000) / (nowMs - markMs);
        for (let i = 0; i < Math.min(seconds, HISTORY); i++) history.push(share);
        history.splice(0, history.length - HISTORY);
        markTotal += share * seconds;
        markMs += seconds * 1000;
      }
      const recent = history.slice(-RATE_SECONDS);
      const sinceMs = nowMs - startMs;
      const perSecond =
        recent.length > 0
          ? recent.reduce((sum, value) => sum + value, 0) / recent.length
          : sinceMs > 0
            ? (total * 1000) / sinceMs
            : 0;
      return { perSecond, history };
    },
  };
}
