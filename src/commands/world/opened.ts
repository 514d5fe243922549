import type { Clock } from '../../kernel/clock.ts';
import { deadlineIn, within } from '../../kernel/deadline.ts';
import { classify } from '../../kernel/errors.ts';
import type { Telemetry } from '../../ports/telemetry.ts';

/**
 * What was opened so far while something is built that may still fail.
 *
 * Promise: `closeAll` closes each in reverse order, whatever happens to the others. One that fails, or takes longer than
 * CLOSE_WITHIN_MS, is logged with its cause (`close-failed`) and never hides the original failure.
 */
export interface Opened {
  /** Returns its argument. */
  keep<T extends Closable>(step: string, closable: T): T;
  closeAll(): Promise<void>;
}

interface Closable {
  close(): Promise<void>;
}

const CLOSE_WITHIN_MS = 5_000;

export function createOpened({ clock, telemetry }: { readonly clock: Clock; readonly telemetry: Telemetry }): Opened {
  const kept: { readonly step: string; readonly closable: Closable }[] = [];

  async function close(step: string, closable: Closable): Promise<void> {
    try {
      if (await within(clock, deadlineIn(clock, CLOSE_WITHIN_MS), closable.close())) return;
      telemetry.event('close-failed', { step, reason: `it did not close within ${CLOSE_WITHIN_MS} ms` });
    } catch (thrown) {
      telemetry.event('close-failed', { step, reason: classify(thrown).message });
    }
  }

  return {
    keep(step, closable) {
      kept.push({ step, closable });
      return closable;
    },
    async closeAll() {
      for (let last = kept.pop(); last !== undefined; last = kept.pop()) await close(last.step, last.closable);
    },
  };
}
