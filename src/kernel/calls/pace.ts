import type { Clock, Timer } from '../clock.ts';

/** The key of the doubt about all tables; no table has this name. */
const EVERYTHING = '';

/**
 * When a call may start, so that a store that is down is not flooded.
 *
 * If every waiting frame asked a store that is down → a storm of calls that it must survive when it comes back → a table whose read
 * failed is in doubt: it gets one read at a time, with one call at a time, after a pause that doubles up to `maxPauseMs`; reads that
 * wait for it fail with it. The first successful call ends the doubt. If nothing was answered at all, the whole store is in doubt too,
 * until any table answers.
 *
 * How many calls may be in flight is decided in call-limit.ts.
 *
 * Limits: no fairness other than first come, first served, per table; a read is identified by what its calls have in common.
 */
export interface Turn {
  readonly table: string;
  /** The read that the call belongs to. */
  readonly read: object;
  readonly start: () => void;
}

export interface PaceOptions {
  /** Calls that may be in flight. */
  readonly limit: { readonly allowed: number };
  readonly firstPauseMs?: number;
  readonly maxPauseMs?: number;
}

interface Doubt {
  /** The read that asks; undefined while none does. */
  probe: object | undefined;
  pauseMs: number;
  /** Running: no read may ask yet. */
  timer: Timer | undefined;
}

export class Pace {
  private readonly clock: Clock;
  private readonly limit: PaceOptions['limit'];
  private readonly firstPauseMs: number;
  private readonly maxPauseMs: number;
  private inFlight = 0;
  private readonly runningOf = new Map<object, number>();
  private queue: Turn[] = [];
  private readonly doubts = new Map<string, Doubt>();

  constructor(clock: Clock, { limit, firstPauseMs = 100, maxPauseMs = 2_000 }: PaceOptions) {
    this.clock = clock;
    this.limit = limit;
    this.firstPauseMs = firstPauseMs;
    this.maxPauseMs = maxPauseMs;
  }

  /** Calls in flight. */
  get running(): number {
    return this.inFlight;
  }

  /** Starts it now, or later, or, if its read is given up first, never. */
  submit(turn: Turn): void {
    this.queue.push(turn);
    this.serve();
  }

  /** A call that was started has ended, whatever its result. */
  ended({ read }: Turn): void {
    this.inFlight--;
    const left = (this.runningOf.get(read) ?? 1) - 1;
    if (left > 0) this.runningOf.set(read, left);
    else this.runningOf.delete(read);
    this.serve();
  }

  succeeded(table: string): void {
    for (const key of [table, EVERYTHING]) {
      this.doubts.get(key)?.timer?.cancel();
      this.doubts.delete(key);
    }
    this.serve();
  }

  /**
   * The store could not answer a read: its calls that wait are dropped. Gives the reads that fail with it: those that waited
   * for its answer, if it was the one that asks.
   */
  failed(table: string, read: object, answered: boolean): object[] {
    this.forget(read);
    const failing = new Set<object>();
    for (const key of answered ? [table] : [table, EVERYTHING]) {
      if (!this.doubted(key, read)) continue;
      for (const turn of this.queue) if (key === EVERYTHING || turn.table === table) failing.add(turn.read);
    }
    return [...failing];
  }

  /** True when the read was the one that asked. */
  private doubted(key: string, read: object): boolean {
    const doubt = this.doubts.get(key);
    if (doubt === undefined) {
      this.doubts.set(key, this.rest({ probe: undefined, pauseMs: this.firstPauseMs, timer: undefined }));
      return false;
    }
    if (doubt.probe !== read) return false;
    doubt.probe = undefined;
    doubt.pauseMs = Math.min(this.maxPauseMs, doubt.pauseMs * 2);
    this.rest(doubt);
    return true;
  }

  private forget(read: object): void {
    this.queue = this.queue.filter((turn) => turn.read !== read);
  }

  /** A read is given up: its calls that wait are dropped, and if it was the one that asks, the next may. */
  leave(table: string, read: object): void {
    this.forget(read);
    for (const key of [table, EVERYTHING]) {
      const doubt = this.doubts.get(key);
      if (doubt?.probe === read) doubt.probe = undefined;
    }
    this.serve();
  }

  close(): void {
    for (const { timer } of this.doubts.values()) timer?.cancel();
    this.doubts.clear();
    this.queue = [];
  }

  private rest(doubt: Doubt): Doubt {
    doubt.timer?.cancel();
    doubt.timer = this.clock.after(doubt.pauseMs, () => {
      doubt.timer = undefined;
      this.serve();
    });
    return doubt;
  }

  private serve(): void {
    for (let i = 0; i < this.queue.length && this.inFlight < this.limit.allowed; ) {
      const turn = this.queue[i];
      if (!this.mayStart(turn)) {
        i++;
        continue;
      }
      this.queue.splice(i, 1);
      this.inFlight++;
      this.runningOf.set(turn.read, (this.runningOf.get(turn.read) ?? 0) + 1);
      turn.start();
    }
  }

  private mayStart({ table, read }: Turn): boolean {
    const doubts = [this.doubts.get(EVERYTHING), this.doubts.get(table)].filter((doubt) => doubt !== undefined);
    if (doubts.length === 0) return true;
    const free = doubts.every(({ timer, probe }) => timer === undefined && (probe === undefined || probe === read));
    if (!free || this.runningOf.has(read)) return false;
    for (const doubt of doubts) doubt.probe = read;
    return true;
  }
}
