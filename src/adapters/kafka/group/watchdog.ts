import type { Clock, Timer } from '../../../kernel/clock.ts';

/**
 * Detects a client that has stopped doing anything: no fetch has ended, no join, no crash for `deadAfterMs`, while nothing waits for
 * a declared reason. A cluster that is down is not such a case: failed attempts are activity too.
 */
export interface Watchdog {
  start(): void;
  touch(): void;
  /** Milliseconds since the last sign of life. */
  silentMs(): number;
  stop(): void;
}

export function createWatchdog(
  deps: { readonly clock: Clock; readonly excused: () => boolean; readonly onDead: (silentMs: number) => void },
  options: { readonly deadAfterMs: number },
): Watchdog {
  const { clock } = deps;
  let lastMs = clock.monotonicMs();
  let timer: Timer | undefined;
  const silentMs = (): number => clock.monotonicMs() - lastMs;
  const look = (): void => {
    if (deps.excused()) lastMs = clock.monotonicMs();
    if (silentMs() >= options.deadAfterMs) {
      deps.onDead(silentMs());
      return;
    }
    timer = clock.after(options.deadAfterMs / 4, look);
  };
  return {
    start: look,
    touch() {
      lastMs = clock.monotonicMs();
    },
    silentMs,
    stop: () => timer?.cancel(),
  };
}
