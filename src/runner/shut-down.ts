import type { Clock } from '../kernel/clock.ts';
import { deadlineIn, within } from '../kernel/deadline.ts';
import { classify, type SluiceError } from '../kernel/errors.ts';
import type { Source } from '../ports/source.ts';
import type { Telemetry } from '../ports/telemetry.ts';
import type { Commit } from '../stages/commit.ts';
import type { Drain } from './drain.ts';

/** Part of the drain budget reserved for leaving the group and closing: a quarter, at most this. */
const LEAVE_MS = 1_000;

export interface ShutDownDeps {
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  readonly source: Source;
  readonly commit: Commit;
  readonly drain: Drain;
  /** Closes sink, store and model. */
  readonly close: () => Promise<void>;
  /** Aborted when time is up: what has not settled by then is given up. */
  readonly abandon: AbortController;
  readonly hasFailed: () => boolean;
  readonly onFailed: (error: SluiceError) => void;
}

/**
 * The end of a run: settle, commit, leave the group, close. One deadline for everything, whatever hangs (law L8).
 * True if every step ended in time. After a failure nothing more is settled; what has settled is committed.
 */
export async function shutDown(deps: ShutDownDeps, drainMs: number): Promise<boolean> {
  const { clock, telemetry, source, commit, drain } = deps;
  const deadline = deadlineIn(clock, drainMs);
  const bounded = async (step: string, work: () => Promise<unknown>): Promise<boolean> => {
    try {
      return await within(clock, deadline, work());
    } catch (thrown) {
      telemetry.event('close-failed', { step, reason: classify(thrown).message });
      return true;
    }
  };
  commit.stop();
  const halting = bounded('halt', () => source.halt());
  // A drain that used the whole budget would leave no time to leave the group, which would then wait for our session to expire.
  const settling = deadlineIn(clock, drainMs - Math.min(LEAVE_MS, drainMs / 4));
  const clean = deps.hasFailed() ? await bounded('commit', () => commit.now()) : await drain.settleAll(settling);
  // It waits for a person, who may not have looked at `/ready`: the exit code says it again.
  const standsStill = drain.standsStill();
  if (standsStill !== undefined) deps.onFailed(standsStill);
  if (!clean) deps.abandon.abort();
  const halted = await halting;
  const left = await bounded('leave', () => source.close());
  const closed = await bounded('close', () => deps.close());
  return clean && halted && left && closed;
}
