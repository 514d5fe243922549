import type { Clock } from '../kernel/clock.ts';
import type { Conditions } from '../kernel/conditions.ts';

/** Nothing has settled for this long for no known reason: not ready. Longer where a drain may take longer. */
const STALLED_MS = 60_000;
const STALLED_DRAINS = 3;
/** A stall of this length will not end by itself: a restart helps. */
const STALLED_FOR_GOOD_MS = 600_000;

export interface Stall {
  /** Empty if there is no stall. */
  readonly reason: string;
  readonly isForGood: boolean;
}

/**
 * Frames that were handed over and have not settled.
 * A call that never returns raises no error (cause) → the pipeline would stand still and look healthy (effect) → if frames are under
 * way and none settles, without a condition that explains it, that is a stall (guard).
 */
export class UnderWay {
  private count = 0;
  private waiters: (() => void)[] = [];
  private progressMs: number;
  private readonly clock: Clock;
  private readonly stalledMs: number;

  constructor(clock: Clock, options: { readonly drainMs: number }) {
    this.clock = clock;
    this.stalledMs = Math.max(STALLED_MS, STALLED_DRAINS * options.drainMs);
    this.progressMs = clock.monotonicMs();
  }

  enter(): void {
    if (this.count++ === 0) this.progress();
  }

  leave(): void {
    this.progress();
    if (--this.count > 0) return;
    const { waiters } = this;
    this.waiters = [];
    for (const wake of waiters) wake();
  }

  /** Progress is due from now on: a dependency is back, something settled, or new work arrived. */
  progress(): void {
    this.progressMs = this.clock.monotonicMs();
  }

  /** Resolves when no frame is under way. */
  none(): Promise<void> {
    return this.count === 0 ? Promise.resolve() : new Promise((resolve) => this.waiters.push(resolve));
  }

  stall(conditions: Conditions): Stall {
    const stillMs = this.count > 0 && conditions.none ? this.clock.monotonicMs() - this.progressMs : 0;
    return {
      reason: stillMs >= this.stalledMs ? `no record settled for ${Math.floor(stillMs / 1_000)} s` : '',
      isForGood: stillMs >= Math.max(STALLED_FOR_GOOD_MS, this.stalledMs),
    };
  }
}
