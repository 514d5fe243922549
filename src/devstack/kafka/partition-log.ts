/** The log of one partition, in memory: batches as they came. Nothing is dropped but by `truncateBefore`. */
import { baseOffset, checkBatch, type Found, firstAtOrAfter, maxTimestamp, producerId, recordSpan } from './batch.ts';
import { Producers } from './producers.ts';
import { ERROR } from './protocol.ts';

const LATEST = -1;
const EARLIEST = -2;

export class PartitionLog {
  startOffset = 0;
  /** Offset of the next record; also the high watermark, as the only copy is here. */
  endOffset = 0;
  leaderId: number;
  /** What is left, from the batch that holds the start offset. */
  readonly batches: Buffer[] = [];
  readonly #producers = new Producers();
  readonly #changed: () => void;

  constructor(leaderId: number, changed: () => void) {
    this.leaderId = leaderId;
    this.#changed = changed;
  }

  /** Where the batch went, or an error code. */
  append(received: Buffer, maxBytes: number): (Found & { readonly startOffset: number }) | number {
    const errorCode = checkBatch(received, maxBytes);
    if (errorCode !== ERROR.none) return errorCode;
    const { startOffset, endOffset: offset } = this;
    if (producerId(received) >= 0) {
      const earlier = this.#producers.check(received);
      // As in Kafka a time in the answer, on a topic that keeps the client's times, betrays that nothing was written.
      if (typeof earlier !== 'number') return { ...earlier, startOffset };
      if (earlier !== ERROR.none) return earlier;
      this.#producers.appended(received, offset);
    }
    const batch = Buffer.from(received); // a view would keep everything that arrived together with it
    batch.writeBigInt64BE(BigInt(offset));
    this.batches.push(batch);
    this.endOffset += recordSpan(batch);
    this.#changed();
    return { offset, timestampMs: -1, startOffset };
  }

  /** Whole batches from the one that holds `offset`; `always`: at least that one, however large. */
  read(offset: number, maxBytes: number, always: boolean): Buffer {
    const from = this.#indexOf(offset);
    let to = from;
    for (let left = maxBytes; to < this.batches.length; to++) {
      left -= this.batches[to].length;
      if (left < 0 && !(always && to === from)) break;
    }
    return to - from === 1 ? this.batches[from] : Buffer.concat(this.batches.slice(from, to));
  }

  /** How many bytes a reader at `offset` has in front of it, counted until there are `enough`. */
  bytesFrom(offset: number, enough: number): number {
    let bytes = 0;
    for (let i = this.#indexOf(offset); i < this.batches.length && bytes < enough; i++) bytes += this.batches[i].length;
    return bytes;
  }

  /** The first record at or after a time, or null; or one of the two ends. */
  find(timestampMs: number): Found | null {
    if (timestampMs === LATEST) return { offset: this.endOffset, timestampMs: -1 };
    if (timestampMs === EARLIEST) return { offset: this.startOffset, timestampMs: -1 };
    for (const batch of this.batches) {
      const found = maxTimestamp(batch) < timestampMs ? null : firstAtOrAfter(batch, timestampMs, this.startOffset);
      if (found) return found;
    }
    return null;
  }

  truncateBefore(offset: number): void {
    this.startOffset = Math.max(this.startOffset, offset);
    this.batches.splice(0, this.#indexOf(this.startOffset));
  }

  lead(nodeId: number): void {
    this.leaderId = nodeId;
    this.#changed();
  }

  /** Index of the batch that holds `offset`; one past the last at the end. */
  #indexOf(offset: number): number {
    let [low, high] = [0, this.batches.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (baseOffset(this.batches[middle]) + recordSpan(this.batches[middle]) <= offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
