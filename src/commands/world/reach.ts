import { mayPassAtStart, type SluiceError } from '../../kernel/errors.ts';
import { retry } from '../../kernel/retry.ts';
import type { Telemetry } from '../../ports/telemetry.ts';
import type { Io } from '../io.ts';

/** As long as the Kafka adapter tries to reach its brokers. */
const WITHIN_MS = 30_000;
const INITIAL_MS = 100;
const MAX_MS = 2_000;

/** Retries a dependency that may start a moment after us, then rejects with its last error. Logs what it waits for. */
export async function reach<T>(
  { clock, random, telemetry }: Pick<Io, 'clock' | 'random'> & { readonly telemetry: Telemetry },
  what: string,
  attempt: () => Promise<T>,
): Promise<T> {
  const givingUp = new AbortController();
  const timer = clock.after(WITHIN_MS, () => givingUp.abort());
  const onRetry = (error: SluiceError): void => {
    if (mayPassAtStart(error)) telemetry.event('start-waits', { what, reason: error.message });
    else givingUp.abort();
  };
  try {
    return await retry(
      { clock, random },
      { initialMs: INITIAL_MS, maxMs: MAX_MS, signal: givingUp.signal, onRetry },
      attempt,
    );
  } finally {
    timer.cancel();
  }
}
