import type { Clock } from './clock.ts';

/** The machine's own time. Made once, in main; everything else is given a `Clock`. */
export function createSystemClock(): Clock {
  return {
    wallMs: () => Date.now(),
    monotonicMs: () => performance.now(),
    after(delayMs, fire) {
      const handle = setTimeout(fire, Math.min(Math.max(0, delayMs), 0x7fffffff));
      return { cancel: () => clearTimeout(handle) };
    },
  };
}
