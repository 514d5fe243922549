/**
 * The log of one partition, in memory. Batches lie one behind the other in segments, copied in once, so that a fetch
 * of many batches is a view of each segment it touches. Nothing is ever dropped but by `truncateBefore`
 * or, whole segments at a time, above `retentionBytes`.
 */
import { checkBatch, firstAtOrAfter, maxTimestamp, place, producerId, recordSpan } from './batch.ts';
import { Producers } from './producers.ts';
import { ERROR } from './protocol.ts';

const FIRST_SEGMENT_BYTES = 16 << 10;
const LARGEST_SEGMENT_BYTES = 2 << 20;

type Segment = {
  readonly bytes: Buffer;
  used: number;
  /** Bytes of the log in front of this segment, dropped ones included. */
  readonly before: number;
  // One entry a batch:
  readonly bases: number[];
  readonly starts: number[];
  readonly maxTimestampsMs: number[];
};
export type Appended = { readonly errorCode: number; readonly baseOffset: number; readonly timestampMs: number };

export class PartitionLog {
  startOffset = 0;
  /** Offset of the next record; also the high watermark, as the only copy is here. */
  endOffset = 0;
  leaderId: number;
  #leaderEpoch = 0;
  /** Called with the bytes appended, or with Infinity when the answer to a waiting fetch changed otherwise. */
  readonly watchers = new Set<(bytes: number) => void>();
  readonly #segments: Segment[] = [];
  readonly #producers = new Producers();
  readonly #retentionBytes: number;

  constructor(leaderId: number, retentionBytes: number) {
    this.leaderId = leaderId;
    this.#retentionBytes = retentionBytes;
  }

  append(batch: Buffer, maxBytes: number): Appended {
    const errorCode = checkBatch(batch, maxBytes);
    if (errorCode !== ERROR.none) return { errorCode, baseOffset: -1, timestampMs: -1 };
    const idempotent = producerId(batch) >= 0;
    if (idempotent) {
      const { errorCode, duplicate } = this.#producers.check(batch);
      if (errorCode !== ERROR.none) return { errorCode, baseOffset: -1, timestampMs: -1 };
      // Like Kafka, answer a duplicate with a time although the topic keeps the client's: it betrays that nothing was written.
      if (duplicate) return { errorCode, baseOffset: duplicate.offset, timestampMs: duplicate.timestampMs };
    }
    const baseOffset = this.endOffset;
    const segment = this.#segmentFor(batch.length);
    place(batch, baseOffset, this.#leaderEpoch);
    batch.copy(segment.bytes, segment.used);
    segment.bases.push(baseOffset);
    segment.starts.push(segment.used);
    segment.maxTimestampsMs.push(maxTimestamp(batch));
    segment.used += batch.length;
    this.endOffset += recordSpan(batch);
    if (idempotent) this.#producers.appended(batch, baseOffset);
    this.#retain();
    for (const wake of this.watchers) wake(batch.length);
    return { errorCode: ERROR.none, baseOffset, timestampMs: -1 };
  }

  /** Whole batches from the one that holds `offset`; `always`: at least one of them, however large. */
  read(offset: number, maxBytes: number, always: boolean): Buffer[] {
    const views: Buffer[] = [];
    if (offset >= this.endOffset) return views;
    let left = maxBytes;
    for (let s = this.#segmentOf(offset); s < this.#segments.length; s++) {
      const { bytes, used, bases, starts } = this.#segments[s];
      const first = views.length === 0 ? floorIndex(bases, offset) : 0;
      const from = starts[first];
      let to = used;
      if (to - from > left) {
        to = starts[floorIndex(starts, from + left)];
        if (to === from && always && views.length === 0) to = starts[first + 1] ?? used;
      }
      if (to > from) views.push(bytes.subarray(from, to));
      left -= to - from;
      if (to < used || left <= 0) break;
    }
    return views;
  }

  *batches(): Generator<Buffer> {
    for (const { bytes, starts, used } of this.#segments)
      for (let i = 0; i < starts.length; i++) yield bytes.subarray(starts[i], starts[i + 1] ?? used);
  }

  /** How many bytes a reader at `offset` has in front of it. */
  bytesFrom(offset: number): number {
    if (offset >= this.endOffset) return 0;
    const { bases, starts, before } = this.#segments[this.#segmentOf(offset)];
    const newest = this.#segments[this.#segments.length - 1];
    return newest.before + newest.used - before - starts[floorIndex(bases, offset)];
  }

  /** The first record at or after a time, or null. */
  find(timestampMs: number): { offset: number; timestampMs: number } | null {
    for (const { bytes, bases, starts, maxTimestampsMs, used } of this.#segments) {
      for (let i = 0; i < bases.length; i++) {
        if (maxTimestampsMs[i] < timestampMs || (bases[i + 1] ?? Infinity) <= this.startOffset) continue;
        const found = firstAtOrAfter(bytes.subarray(starts[i], starts[i + 1] ?? used), timestampMs);
        return found.offset >= this.startOffset ? found : { offset: this.startOffset, timestampMs: found.timestampMs };
      }
    }
    return null;
  }

  truncateBefore(offset: number): void {
    this.startOffset = Math.max(this.startOffset, offset);
    while (this.#segments.length > 1 && this.#segments[1].bases[0] <= offset) this.#segments.shift();
  }

  lead(nodeId: number): void {
    this.leaderId = nodeId;
    this.#leaderEpoch++;
    this.wake();
  }

  wake(): void {
    for (const wake of this.watchers) wake(Infinity);
  }

  #retain(): void {
    const newest = this.#segments[this.#segments.length - 1];
    while (newest.before + newest.used - this.#segments[0].before > this.#retentionBytes && this.#segments.length > 1)
      this.truncateBefore(this.#segments[1].bases[0]);
  }
  #segmentOf(offset: number): number {
    let s = this.#segments.length - 1;
    while (s > 0 && this.#segments[s].bases[0] > offset) s--;
    return s;
  }
  #segmentFor(size: number): Segment {
    const last = this.#segments.at(-1);
    if (last && last.used + size <= last.bytes.length) return last;
    const usual = last ? Math.min(2 * last.bytes.length, LARGEST_SEGMENT_BYTES) : FIRST_SEGMENT_BYTES;
    const bytes = Buffer.allocUnsafeSlow(Math.max(size, usual));
    const before = last ? last.before + last.used : 0;
    const segment = { bytes, used: 0, before, bases: [], starts: [], maxTimestampsMs: [] };
    this.#segments.push(segment);
    return segment;
  }
}

/** Index of the last of the rising `values` that is not above `limit`. */
function floorIndex(values: readonly number[], limit: number): number {
  let low = 0;
  let high = values.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (values[middle] <= limit) low = middle;
    else high = middle - 1;
  }
  return low;
}
