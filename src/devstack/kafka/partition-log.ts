/**
 * The log of one partition, in memory: batches as they came, found by offset and by the bytes in front of them.
 * Nothing is dropped but by `truncateBefore` and, oldest first, above `retentionBytes` (by up to an eighth more).
 */
import { checkBatch, type Found, firstAtOrAfter, maxTimestamp, place, producerId, recordSpan } from './batch.ts';
import { Producers } from './producers.ts';
import { ERROR } from './protocol.ts';

const NOTHING: Buffer = Buffer.alloc(0);

/** Where a batch went; or an error code and -1 for all the rest. */
export type Appended = {
  readonly errorCode: number;
  readonly baseOffset: number;
  readonly timestampMs: number;
  readonly startOffset: number;
};
export const refusal = (errorCode: number): Appended => ({
  errorCode,
  baseOffset: -1,
  timestampMs: -1,
  startOffset: -1,
});

export class PartitionLog {
  startOffset = 0;
  /** Offset of the next record; also the high watermark, as the only copy is here. */
  endOffset = 0;
  leaderId: number;
  /** Called with the bytes appended, or with Infinity when the answer to a waiting fetch changed otherwise. */
  readonly watchers = new Set<(bytes: number) => void>();
  // One entry a batch: itself, its first offset, and the bytes of the log up to its end, dropped ones included.
  readonly #batches: Buffer[] = [];
  readonly #bases: number[] = [];
  readonly #ends: number[] = [];
  #bytes = 0;
  #leaderEpoch = 0;
  readonly #producers = new Producers();
  readonly #retentionBytes: number;

  constructor(leaderId: number, retentionBytes: number) {
    this.leaderId = leaderId;
    this.#retentionBytes = retentionBytes;
  }

  append(received: Buffer, maxBytes: number): Appended {
    const errorCode = checkBatch(received, maxBytes);
    if (errorCode !== ERROR.none) return refusal(errorCode);
    const { startOffset, endOffset: baseOffset } = this;
    const idempotent = producerId(received) >= 0;
    if (idempotent) {
      const { errorCode, duplicate } = this.#producers.check(received);
      if (errorCode !== ERROR.none) return refusal(errorCode);
      // As in Kafka a time in the answer, on a topic that keeps the client's times, betrays that nothing was written.
      if (duplicate)
        return { errorCode, startOffset, baseOffset: duplicate.offset, timestampMs: duplicate.timestampMs };
      this.#producers.appended(received, baseOffset);
    }
    const batch = Buffer.from(received); // a view would keep everything that arrived together with it
    place(batch, baseOffset, this.#leaderEpoch);
    this.#bytes += batch.length;
    this.#batches.push(batch);
    this.#bases.push(baseOffset);
    this.#ends.push(this.#bytes);
    this.endOffset += recordSpan(batch);
    if (this.#held(0) > this.#retentionBytes * 1.125)
      this.truncateBefore(this.#bases[lastAtMost(this.#ends, this.#bytes - this.#retentionBytes) + 1]);
    for (const wake of this.watchers) wake(batch.length);
    return { errorCode: ERROR.none, startOffset, baseOffset, timestampMs: -1 };
  }

  /** Whole batches from the one that holds `offset`; `always`: at least that one, however large. */
  read(offset: number, maxBytes: number, always: boolean): Buffer {
    const from = this.#indexOf(offset);
    if (from === this.#batches.length) return NOTHING;
    const limit = this.#bytes - this.#held(from) + maxBytes;
    const to = Math.max(lastAtMost(this.#ends, limit) + 1, always ? from + 1 : from);
    return to - from === 1 ? this.#batches[from] : Buffer.concat(this.#batches.slice(from, to));
  }

  /** All that is left, from the batch that holds the start offset. */
  batches(): readonly Buffer[] {
    return this.#batches;
  }

  /** How many bytes a reader at `offset` has in front of it. */
  bytesFrom(offset: number): number {
    return this.#held(this.#indexOf(offset));
  }

  /** The first record at or after a time, or null. */
  find(timestampMs: number): Found | null {
    for (const batch of this.#batches) {
      const found = maxTimestamp(batch) < timestampMs ? null : firstAtOrAfter(batch, timestampMs, this.startOffset);
      if (found) return found;
    }
    return null;
  }

  truncateBefore(offset: number): void {
    this.startOffset = Math.max(this.startOffset, offset);
    const dropped = this.#indexOf(this.startOffset);
    for (const column of [this.#batches, this.#bases, this.#ends]) column.splice(0, dropped);
  }

  lead(nodeId: number): void {
    this.leaderId = nodeId;
    this.#leaderEpoch++;
    this.wake();
  }

  wake(): void {
    for (const wake of this.watchers) wake(Infinity);
  }

  /** Index of the batch that holds `offset`; one past the last at the end. */
  #indexOf(offset: number): number {
    return offset >= this.endOffset ? this.#batches.length : Math.max(0, lastAtMost(this.#bases, offset));
  }
  /** Bytes from the batch at `index` to the end. */
  #held(index: number): number {
    return index < this.#batches.length ? this.#bytes - this.#ends[index] + this.#batches[index].length : 0;
  }
}

/** Index of the last of the rising `values` that is not above `limit`, or -1. */
function lastAtMost(values: readonly number[], limit: number): number {
  let [low, high] = [-1, values.length - 1];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (values[middle] <= limit) low = middle;
    else high = middle - 1;
  }
  return low;
}
