/** Intended sending times, independent of earlier records: an open loop. Times are ms since the start. */
export interface Arrivals {
  /** Of record i, counted from 0. */
  intendedMs(i: number): number;
  /** How many are due before then. */
  dueBefore(ms: number): number;
}

const BURST_SHARE = 0.1;

export function arrivalsOf(kind: 'steady' | 'burst', perSecond: number): Arrivals {
  if (kind === 'steady') {
    return { intendedMs: (i) => (i * 1_000) / perSecond, dueBefore: (ms) => Math.ceil((ms * perSecond) / 1_000) };
  }
  // All records of a second come in its first tenth.
  return {
    intendedMs: (i) => 1_000 * (Math.floor(i / perSecond) + ((i % perSecond) / perSecond) * BURST_SHARE),
    dueBefore: (ms) => {
      const second = Math.floor(ms / 1_000);
      const within = Math.min(1, (ms / 1_000 - second) / BURST_SHARE);
      return Math.ceil((second + within) * perSecond);
    },
  };
}
