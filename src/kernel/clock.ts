/**
 * Time as a parameter. Wall time is for what people and brokers see (timestamps, ages);
 * monotonic time is for what the program decides (deadlines, latencies): it never steps back.
 */
export interface Clock {
  /** Milliseconds since 1970, by the machine's clock. */
  wallMs(): number;
  /** Milliseconds since an arbitrary start, with a fraction; never goes backwards. */
  monotonicMs(): number;
  /** Calls `fire` once, after `delayMs`. */
  after(delayMs: number, fire: () => void): Timer;
}

export interface Timer {
  cancel(): void;
}

/** Resolves after `delayMs`, or at once when `signal` aborts; never rejects. */
export function pause(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const done = (): void => {
      timer.cancel();
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = clock.after(delayMs, done);
    signal?.addEventListener('abort', done, { once: true });
  });
}
