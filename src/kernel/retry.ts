import { type Clock, pause } from './clock.ts';
import { classify, type SluiceError } from './errors.ts';

export interface RetryDeps {
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

export interface RetryOptions {
  readonly initialMs: number;
  readonly maxMs: number;
  /** Ends the attempts: the last failure is then thrown. */
  readonly signal?: AbortSignal;
  /** Told before each wait; counts the retry with its reason. */
  readonly onRetry: (error: SluiceError, attempt: number, delayMs: number) => void;
}

/**
 * Calls `attempt` until it succeeds, fails with another disposition than `retry`, or `signal` aborts.
 * Waits between attempts grow exponentially with equal jitter (M. Brooker, AWS, 2015), without a limit on their number:
 * a dependency that is down pauses the pipeline; it does not end it.
 */
export async function retry<T>(deps: RetryDeps, options: RetryOptions, attempt: () => Promise<T>): Promise<T> {
  for (let n = 1; ; n++) {
    try {
      return await attempt();
    } catch (thrown) {
      const error = classify(thrown);
      if (error.disposition !== 'retry' || options.signal?.aborted) throw error;
      const ceilingMs = Math.min(options.maxMs, options.initialMs * 2 ** (n - 1));
      const delayMs = ceilingMs / 2 + (deps.random() * ceilingMs) / 2;
      options.onRetry(error, n, delayMs);
      await pause(deps.clock, delayMs, options.signal);
      if (options.signal?.aborted) throw error;
    }
  }
}
