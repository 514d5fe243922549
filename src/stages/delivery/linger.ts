import type { Clock, Timer } from '../../kernel/clock.ts';

/** Has rows that wait for more. */
export interface Lingering {
  /** So much has come already that more will, soon: for a while yet it waits to be full. */
  readonly isDense: boolean;
  /** It has waited long enough. Not called again before it is armed anew. */
  expire(): void;
}

export interface LingerTimes {
  /** For what little comes. */
  readonly sparseMs: number;
  /** At most. */
  readonly denseMs: number;
}

/**
 * How long what is not full waits for more, for many at once: when one has waited long enough, all that wait leave with it, but for
 * those that are dense.
 *
 * Chunks of many partitions that each wait for themselves leave one by one, in a request each (cause) → at a few thousand records a
 * second most of the time goes into requests (effect) → what is there when one has to leave goes in the same turn, which the
 * sink makes one request of (guard).
 * A backlog that leaves as early as lone records do leaves in small requests (cause) → brokers become the limit (effect) → what is
 * dense waits for `denseMs`, by which it is mostly full (guard).
 */
export class Linger {
  private readonly clock: Clock;
  private readonly times: LingerTimes;
  /** Since when each waits. */
  private readonly since = new Map<Lingering, number>();
  private timer: Timer | undefined;
  private timerMs = Number.POSITIVE_INFINITY;

  constructor(clock: Clock, times: LingerTimes) {
    this.clock = clock;
    this.times = times;
  }

  /** Nothing waits at all. */
  get none(): boolean {
    return this.times.sparseMs <= 0;
  }

  /** Begins to wait, if it does not already. */
  arm(member: Lingering): void {
    if (this.since.has(member)) return;
    const nowMs = this.clock.monotonicMs();
    this.since.set(member, nowMs);
    this.wakeBy(nowMs + this.times.sparseMs, nowMs);
  }

  /** It no longer waits: what it had has left. */
  disarm(member: Lingering): void {
    this.since.delete(member);
  }

  private wakeBy(dueMs: number, nowMs: number): void {
    if (this.timerMs <= dueMs) return;
    this.timer?.cancel();
    this.timerMs = dueMs;
    this.timer = this.clock.after(dueMs - nowMs, this.look);
  }

  private readonly look = (): void => {
    this.timer = undefined;
    this.timerMs = Number.POSITIVE_INFINITY;
    const nowMs = this.clock.monotonicMs();
    const { sparseMs, denseMs } = this.times;
    let nextMs = Number.POSITIVE_INFINITY;
    for (const [member, sinceMs] of this.since) {
      nextMs = Math.min(nextMs, sinceMs + (member.isDense ? denseMs : sparseMs));
    }
    // The one that the timer was set for has left full, or waits on. A timer may be early, by less than a millisecond.
    if (nextMs - nowMs < 1) {
      const leaving: Lingering[] = [];
      let restMs = Number.POSITIVE_INFINITY;
      for (const [member, sinceMs] of this.since) {
        const dueMs = sinceMs + denseMs;
        if (!member.isDense || dueMs - nowMs < 1) leaving.push(member);
        else restMs = Math.min(restMs, dueMs);
      }
      for (const member of leaving) this.since.delete(member);
      nextMs = restMs;
      for (const member of leaving) member.expire();
    }
    if (nextMs < Number.POSITIVE_INFINITY) this.wakeBy(nextMs, nowMs);
  };
}
