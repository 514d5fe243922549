/**
 * A circuit breaker: whether an optional service is asked at all.
 *
 * Promise: after `failures` failures in a row, or a single certain one, the service is no longer asked, so that it costs nobody its
 * time-out. It is then tried in the background, with a pause that doubles up to `maxPauseMs`, and asked again once a try succeeds. If
 * it soon fails again, the pause continues where it was.
 */
import type { Clock, Timer } from '../clock.ts';

export interface BreakerDeps {
  readonly clock: Clock;
  /** Tries the helper, out of turn. */
  readonly tryIt: () => Promise<void>;
  /** `why` is what was last known when it opened. */
  readonly onChange: (open: boolean, why: unknown) => void;
}

export interface BreakerOptions {
  readonly failures?: number;
  readonly firstPauseMs?: number;
  readonly maxPauseMs?: number;
}

/** After being closed for this long, the service counts as recovered. */
const WELL_AFTER_MS = 60_000;

export class Breaker {
  private readonly deps: BreakerDeps;
  private readonly failures: number;
  private readonly firstPauseMs: number;
  private readonly maxPauseMs: number;
  private inARow = 0;
  private isOpen = false;
  private pauseMs: number;
  private closedAtMs = Number.NEGATIVE_INFINITY;
  private timer: Timer | undefined;
  private ended = false;

  constructor(deps: BreakerDeps, { failures = 2, firstPauseMs = 500, maxPauseMs = 15_000 }: BreakerOptions = {}) {
    this.deps = deps;
    this.failures = failures;
    this.firstPauseMs = firstPauseMs;
    this.maxPauseMs = maxPauseMs;
    this.pauseMs = firstPauseMs;
  }

  /** Open: it is not asked. */
  get open(): boolean {
    return this.isOpen;
  }

  succeeded(): void {
    this.inARow = 0;
  }

  failed(why: unknown, certain = false): void {
    this.inARow++;
    if (this.isOpen || this.ended || (!certain && this.inARow < this.failures)) return;
    const { clock, onChange } = this.deps;
    const well = clock.monotonicMs() - this.closedAtMs > WELL_AFTER_MS;
    this.pauseMs = well ? this.firstPauseMs : Math.min(this.maxPauseMs, this.pauseMs * 2);
    this.isOpen = true;
    onChange(true, why);
    this.rest();
  }

  close(): void {
    this.ended = true;
    this.timer?.cancel();
  }

  private rest(): void {
    if (this.ended) return;
    this.timer = this.deps.clock.after(this.pauseMs, () => void this.tryAgain());
  }

  private async tryAgain(): Promise<void> {
    try {
      await this.deps.tryIt();
    } catch {
      // It is as it was; why was told when it opened.
      this.pauseMs = Math.min(this.maxPauseMs, this.pauseMs * 2);
      this.rest();
      return;
    }
    if (this.ended) return;
    this.isOpen = false;
    this.inARow = 0;
    this.closedAtMs = this.deps.clock.monotonicMs();
    this.deps.onChange(false, undefined);
  }
}
