import { encodeKept, keptBytes, type Rows } from '../../kernel/cells/kept-rows.ts';
import type { Clock } from '../../kernel/clock.ts';
import { deadlineIn, within } from '../../kernel/deadline.ts';
import type { SharedCache, SharedCacheEntry } from '../../ports/shared-cache.ts';
import type { Counter, Telemetry } from '../../ports/telemetry.ts';

/** Rows that a store has answered, to be kept. They belong to nobody else: nothing changes them any more. */
export interface Answered {
  readonly prefix: Buffer;
  readonly keys: readonly Buffer[];
  readonly rows: Rows;
  readonly rowWidth: number;
  readonly views: number;
  /** When the store was asked, by both clocks. */
  readonly askedAtMs: number;
  readonly askedMonotonicMs: number;
  readonly ttlMs: number;
  readonly negativeTtlMs: number;
}

export interface WriteBehindDeps {
  readonly clock: Clock;
  readonly random: () => number;
  readonly sharedCache: SharedCache;
  readonly telemetry: Telemetry;
}

/** What waits to be written has this many bytes at most; what comes beyond is not kept. */
export const MOST_QUEUED_BYTES = 8 * 1024 * 1024;
/** Rows per call; one call is under way at a time. */
const ROWS_A_CALL = 128;
const CALL_TIMEOUT_MS = 1_000;
/** What was asked for longer ago is not kept: far less than the time for which a change is remembered (MARKED_MS). */
const TOO_OLD_MS = 5_000;
/** Rows that were read together end over the last tenth of their time. */
const SPREAD = 0.1;
/** Of a row beside its own: its place in a list, its key once more. */
const BYTES_BESIDE = 64;

/**
 * Writes the answers of the store in the background.
 *
 * Promise: nobody waits for it, it begins in a turn of its own, its memory is bounded, and whatever becomes of a row is
 * counted. Limits: what is not written in time is lost to the others, who ask the store; what waits at the end is left.
 */
export class WriteBehind {
  private readonly clock: Clock;
  private readonly random: () => number;
  private readonly sharedCache: SharedCache;
  private readonly mayWrite: () => boolean;
  private readonly kept: Counter;
  private readonly superseded: Counter;
  private readonly dropped: Counter;
  private readonly failed: Counter;
  private readonly queue: Answered[] = [];
  private bytes = 0;
  private busy = false;
  private closed = false;

  constructor({ clock, random, sharedCache, telemetry }: WriteBehindDeps, mayWrite: () => boolean) {
    this.clock = clock;
    this.random = random;
    this.sharedCache = sharedCache;
    this.mayWrite = mayWrite;
    const by = (result: string) => telemetry.counter('sluice_second_level_writes_total', { result });
    this.kept = by('kept');
    this.superseded = by('superseded');
    this.dropped = by('dropped');
    this.failed = by('failed');
    telemetry.gauge('sluice_second_level_queued_bytes', {}, () => this.bytes);
  }

  add(answered: Answered): void {
    const bytes = bytesOf(answered);
    if (this.closed || !this.mayWrite() || this.bytes + bytes > MOST_QUEUED_BYTES) {
      this.dropped.add(answered.keys.length);
      return;
    }
    this.bytes += bytes;
    this.queue.push(answered);
    if (this.busy) return;
    this.busy = true;
    // What was read goes on its way first.
    this.clock.after(0, () => void this.drain());
  }

  close(): void {
    this.closed = true;
  }

  private async drain(): Promise<void> {
    for (let next = this.queue.shift(); next !== undefined; next = this.queue.shift()) {
      for (let from = 0; from < next.keys.length; from += ROWS_A_CALL) {
        await this.write(next, from, Math.min(next.keys.length, from + ROWS_A_CALL));
      }
      this.bytes -= bytesOf(next);
    }
    this.busy = false;
  }

  private async write(answered: Answered, from: number, to: number): Promise<void> {
    const { clock, sharedCache } = this;
    const tooOld = clock.monotonicMs() - answered.askedMonotonicMs > TOO_OLD_MS;
    if (tooOld || this.closed || !this.mayWrite()) {
      this.dropped.add(to - from);
      return;
    }
    const entries: SharedCacheEntry[] = [];
    for (let row = from; row < to; row++) entries.push(entryOf(answered, row, 1 - SPREAD * this.random()));
    const call = sharedCache.keep(entries);
    try {
      if (!(await within(clock, deadlineIn(clock, CALL_TIMEOUT_MS), call))) throw new Error('no answer in time');
      const kept = await call;
      this.kept.add(kept);
      this.superseded.add(to - from - kept);
    } catch {
      // Why is told by reads, which go the same way; who only may not write is told apart by this count.
      this.failed.add(to - from);
    }
  }
}

function bytesOf({ keys, rowWidth, views }: Answered): number {
  let bytes = keys.length * (keptBytes(rowWidth, views) + BYTES_BESIDE);
  for (const key of keys) bytes += key.length;
  return bytes;
}

/**
 * A start reads everything within seconds (cause) → all of it ends within seconds, and every instance asks the store for it at
 * once (effect) → each row has a time of its own, none a longer one than is said (guard).
 */
function entryOf(answered: Answered, row: number, share: number): SharedCacheEntry {
  const { prefix, keys, rows, rowWidth, views, askedAtMs, ttlMs, negativeTtlMs } = answered;
  const value = encodeKept(askedAtMs, rows, row, rowWidth, views);
  const present = value.length > ABSENT_BYTES;
  return { key: Buffer.concat([prefix, keys[row]]), value, ttlMs: share * (present ? ttlMs : negativeTtlMs) };
}

const ABSENT_BYTES = keptBytes(0, 0);
