import { type Clock, pause } from '../../kernel/clock.ts';

const POLL_MS = 50;

/** Resolves when `condition` holds, or `signal` aborts. */
export async function until(condition: () => boolean, signal: AbortSignal, clock: Clock): Promise<void> {
  while (!signal.aborted && !condition()) await pause(clock, POLL_MS, signal);
}

export function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
