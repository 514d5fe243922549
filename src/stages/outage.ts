import type { Conditions } from '../kernel/conditions.ts';
import { SluiceError } from '../kernel/errors.ts';
import { retry } from '../kernel/retry.ts';
import type { Outage, StageDeps } from './types.ts';

const INITIAL_MS = 50;
const MAX_MS = 2_000;

export type PersistDeps = Omit<StageDeps, 'conditions'> & { readonly conditions: Pick<Conditions, 'set' | 'clear'> };

/**
 * Calls `attempt` until it succeeds: a dependency that is down holds the frame and never changes a record's fate.
 * Each retry is counted with its reason; meanwhile `/ready` says what is being waited for.
 * Rejects on failures of another disposition, and when the pipeline gives up, or has given up, on the frame.
 */
export async function persist<T>(deps: PersistDeps, outage: Outage, attempt: () => Promise<T>): Promise<T> {
  const { clock, random, telemetry, conditions, abandon } = deps;
  // The frame's records stay unsettled and will be read again: anything sent from here on could only be a duplicate.
  if (abandon.aborted) throw new SluiceError('unexpected', `${outage.what} was not asked: the pipeline has given up`);
  let failed = false;
  const who = {};
  try {
    return await retry(
      { clock, random },
      {
        initialMs: INITIAL_MS,
        maxMs: MAX_MS,
        signal: abandon,
        onRetry(error, attempts, delayMs) {
          telemetry.counter('sluice_retries_total', { what: outage.kind, reason: error.code }).add(1);
          conditions.set(outage.what, error.message, who);
          if (!failed) telemetry.event('outage', { what: outage.what, reason: error.message, attempts, delayMs });
          failed = true;
        },
      },
      attempt,
    );
  } finally {
    // Giving up does not end the outage: at the end of the drain budget nobody may read that the dependency is back.
    const last = failed && conditions.clear(outage.what, who);
    if (last && !abandon.aborted) telemetry.event('outage-over', { what: outage.what });
  }
}
