import type { Clock, Timer } from '../kernel/clock.ts';

/** Has something that waits for company. */
export interface Lingering {
  /** It has waited long enough. Not called again before it is armed anew. */
  expire(): void;
}

/**
 * How long what is not full waits for more, for many at once: when one has waited `lingerMs`, all that wait leave with it.
 *
 * Chunks of many partitions that each wait for themselves leave one by one, in a request each (cause) → at a few thousand records a
 * second most of the time goes into requests (effect) → what is there when one has to leave goes in the same turn, which the
 * sink makes one request of (guard). So nobody waits longer than `lingerMs`, and most wait less.
 */
export class Linger {
  private readonly clock: Clock;
  private readonly lingerMs: number;
  /** Since when each waits, oldest first. */
  private readonly since = new Map<Lingering, number>();
  private timer: Timer | undefined;

  constructor(clock: Clock, lingerMs: number) {
    this.clock = clock;
    this.lingerMs = lingerMs;
  }

  /** Nothing waits at all. */
  get none(): boolean {
    return this.lingerMs <= 0;
  }

  /** Begins to wait, if it does not already. */
  arm(member: Lingering): void {
    if (this.since.has(member)) return;
    this.since.set(member, this.clock.monotonicMs());
    this.timer ??= this.clock.after(this.lingerMs, this.look);
  }

  /** It no longer waits: what it had has left. */
  disarm(member: Lingering): void {
    this.since.delete(member);
  }

  private readonly look = (): void => {
    this.timer = undefined;
    const [oldestMs] = this.since.values();
    if (oldestMs === undefined) return;
    const leftMs = oldestMs + this.lingerMs - this.clock.monotonicMs();
    // The one that the timer was set for has left, full. A timer may be early, by less than a millisecond.
    if (leftMs >= 1) {
      this.timer = this.clock.after(leftMs, this.look);
      return;
    }
    const members = [...this.since.keys()];
    this.since.clear();
    for (const member of members) member.expire();
  };
}
