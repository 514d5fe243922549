import { type Clock, pause } from '../kernel/clock.ts';
import { type Deadline, within } from '../kernel/deadline.ts';
import type { SluiceError } from '../kernel/errors.ts';
import type { Watermarks } from '../offsets/watermark.ts';
import type { Commit } from '../stages/commit.ts';
import type { UnderWay } from './stall.ts';

/** How long a drain waits before it tries again to commit its positions. */
const COMMIT_AGAIN_MS = 100;

export interface DrainDeps {
  readonly clock: Clock;
  readonly underWay: UnderWay;
  readonly watermarks: Watermarks;
  readonly commit: Commit;
  /** While true, nothing waits for more rows or lingers. */
  readonly setFlushing: (flushing: boolean) => void;
  /** Resolves when waiting for what is under way is pointless. */
  readonly standstill: Promise<SluiceError> | undefined;
  /** Everything is given up: nothing is retried. */
  readonly abandoned: AbortSignal;
}

export interface Drain {
  /** While `work` is in progress (a drain, or a frame that goes alone), nothing waits for more rows. */
  hurried<T>(work: () => Promise<T>): Promise<T>;
  /** True once everything handed over is settled and committed; false if the deadline comes first or waiting is pointless. */
  settleAll(deadline: Deadline): Promise<boolean>;
  /** Why nothing under way will ever settle, although nothing failed. */
  standsStill(): SluiceError | undefined;
}

/** The part common to a re-join and the end: what was handed over settles, and its positions are committed. */
export function createDrain(deps: DrainDeps): Drain {
  const { clock, underWay, watermarks, commit, abandoned } = deps;
  /** Number of callers for whom nothing may wait for more rows. */
  let hurrying = 0;
  let standsStill: SluiceError | undefined;
  const standstill = deps.standstill?.then((error) => {
    standsStill = error;
  });

  async function hurried<T>(work: () => Promise<T>): Promise<T> {
    if (hurrying++ === 0) deps.setFlushing(true);
    try {
      return await work();
    } finally {
      if (--hurrying === 0) deps.setFlushing(false);
    }
  }

  return {
    hurried,
    async settleAll(deadline) {
      const quiet = standstill === undefined ? underWay.none() : Promise.race([underWay.none(), standstill]);
      const settled = (await hurried(() => within(clock, deadline, quiet))) && standsStill === undefined;
      let stored = await within(clock, deadline, commit.now());
      // A coordinator that is moving refuses for a moment; leaving without the commit would mean reading the records again.
      while (watermarks.committable().length > 0 && !deadline.passed() && !abandoned.aborted) {
        await pause(clock, Math.min(COMMIT_AGAIN_MS, deadline.remainingMs()), abandoned);
        stored = await within(clock, deadline, commit.now());
      }
      return settled && stored && watermarks.committable().length === 0;
    },
    standsStill: () => standsStill,
  };
}
