import type { Clock, Timer } from '../../kernel/clock.ts';

/** A call that has failed for this long, from its start on, is an outage of the store. */
export const OUTAGE_MS = 2_000;

/**
 * Whether the store of one read is out, told from the calls on it: `onChange` once a call has failed for OUTAGE_MS.
 * One that succeeds ends the outage for all: what still fails has to fail for that long again. So an outage begins OUTAGE_MS
 * after the last answer at the earliest, and while it lasts a call is under way that will tell when it is over.
 */
export class StoreHealth {
  private readonly clock: Clock;
  private readonly onChange: (out: boolean, why: string) => void;
  private readonly failingSinceMs = new Map<object, number>();
  private timer: Timer | undefined;
  private why = '';
  private isOut = false;

  constructor(clock: Clock, onChange: (out: boolean, why: string) => void) {
    this.clock = clock;
    this.onChange = onChange;
  }

  get out(): boolean {
    return this.isOut;
  }

  /** Calls that fail. */
  get failing(): number {
    return this.failingSinceMs.size;
  }

  /** `call` began at `startedMs`, has failed, and goes on. */
  failed(call: object, startedMs: number, why: string): void {
    this.why = why;
    if (!this.failingSinceMs.has(call)) this.failingSinceMs.set(call, startedMs);
    this.judge();
  }

  ended(call: object, answered: boolean): void {
    this.failingSinceMs.delete(call);
    if (answered) {
      const nowMs = this.clock.monotonicMs();
      for (const each of this.failingSinceMs.keys()) this.failingSinceMs.set(each, nowMs);
    }
    this.judge();
  }

  private judge(): void {
    this.timer?.cancel();
    this.timer = undefined;
    const oldestMs = Math.min(...this.failingSinceMs.values());
    const leftMs = oldestMs + OUTAGE_MS - this.clock.monotonicMs();
    if (leftMs > 0 && Number.isFinite(leftMs)) this.timer = this.clock.after(leftMs, () => this.judge());
    if (leftMs <= 0 === this.isOut) return;
    this.isOut = !this.isOut;
    this.onChange(this.isOut, this.why);
  }
}
