/** The log of one partition, in memory: batches as received. Only `truncateBefore` removes anything. */
import {
  baseOffset,
  checkBatch,
  type Found,
  firstAtOrAfter,
  isControl,
  isTransactional,
  maxTimestamp,
  producerId,
  recordSpan,
} from './batch.ts';
import { endMarker } from './marker.ts';
import { Producers } from './producers.ts';
import { ERROR } from './protocol.ts';
import { type Aborted, Stability } from './stability.ts';

const LATEST = -1;
const EARLIEST = -2;

export class PartitionLog {
  startOffset = 0;
  /** Offset of the next record; also the high watermark, because there are no replicas. */
  endOffset = 0;
  leaderId: number;
  /** The remaining batches, from the one that holds the start offset. */
  readonly batches: Buffer[] = [];
  readonly #producers = new Producers();
  readonly #stability = new Stability();
  readonly #changed: () => void;

  constructor(leaderId: number, changed: () => void) {
    this.leaderId = leaderId;
    this.#changed = changed;
  }

  /** The end for readers of committed records. */
  get stableOffset(): number {
    return Math.max(this.startOffset, this.#stability.stableOffset(this.endOffset));
  }

  /** Where the batch was appended, or an error code; `transaction`: whether a batch of a transaction may be written. */
  append(
    received: Buffer,
    maxBytes: number,
    transaction: (batch: Buffer) => number = () => ERROR.invalidTransactionState,
  ): (Found & { readonly startOffset: number }) | number {
    const open = (batch: Buffer): number =>
      this.#stability.isOpen(producerId(batch)) ? ERROR.invalidTransactionState : 0;
    const errorCode =
      checkBatch(received, maxBytes) || (isTransactional(received) ? transaction(received) : open(received));
    if (errorCode !== ERROR.none) return errorCode;
    const { startOffset, endOffset: offset } = this;
    if (producerId(received) >= 0) {
      const earlier = this.#producers.check(received);
      // As in Kafka: on a topic with client timestamps, a timestamp in the answer shows that nothing was written.
      if (typeof earlier !== 'number') return { ...earlier, startOffset };
      if (earlier !== ERROR.none) return earlier;
      this.#producers.appended(received, offset);
    }
    if (isTransactional(received)) this.#stability.wrote(producerId(received), offset);
    this.#write(Buffer.from(received)); // a view would keep everything that arrived together with it
    return { offset, timestampMs: -1, startOffset };
  }

  /** Ends a producer's transaction with a marker. */
  end(id: number, epoch: number, committed: boolean): void {
    this.#producers.ended(id, epoch);
    this.#stability.ended(id, this.endOffset, committed);
    const last = this.batches.at(-1);
    this.#write(endMarker(id, epoch, committed, last === undefined ? 0 : maxTimestamp(last)));
  }

  #write(batch: Buffer): void {
    batch.writeBigInt64BE(BigInt(this.endOffset));
    this.batches.push(batch);
    this.endOffset += recordSpan(batch);
    this.#changed();
  }

  /** Whole batches from the one that holds `offset`, below `end`; `always`: at least that one, however large. */
  read(offset: number, end: number, maxBytes: number, always: boolean): Buffer {
    const from = this.#indexOf(offset);
    let to = from;
    for (let left = maxBytes; to < this.batches.length && baseOffset(this.batches[to]) < end; to++) {
      left -= this.batches[to].length;
      if (left < 0 && !(always && to === from)) break;
    }
    return to - from === 1 ? this.batches[from] : Buffer.concat(this.batches.slice(from, to));
  }

  /** Bytes available to a reader at `offset` below `end`, counted up to `enough`. */
  bytesFrom(offset: number, end: number, enough: number): number {
    let bytes = 0;
    for (let i = this.#indexOf(offset); i < this.batches.length && bytes < enough; i++) {
      if (baseOffset(this.batches[i]) >= end) break;
      bytes += this.batches[i].length;
    }
    return bytes;
  }

  /** The aborted transactions whose records a reader of `[from, below)` must skip. */
  aborted(from: number, below: number): Aborted[] {
    return this.#stability.aborted(from, below);
  }

  /** What readers of committed records see. */
  committed(): Buffer[] {
    const end = this.stableOffset;
    return this.batches.filter((batch) => {
      if (baseOffset(batch) >= end || isControl(batch)) return false;
      return !isTransactional(batch) || !this.#stability.isAborted(producerId(batch), baseOffset(batch));
    });
  }

  /** The first record at or after a time below `end`, or null; or one of the two ends. */
  find(timestampMs: number, end: number): Found | null {
    if (timestampMs === LATEST) return { offset: end, timestampMs: -1 };
    if (timestampMs === EARLIEST) return { offset: this.startOffset, timestampMs: -1 };
    for (const batch of this.batches) {
      const found = maxTimestamp(batch) < timestampMs ? null : firstAtOrAfter(batch, timestampMs, this.startOffset);
      if (found) return found.offset < end ? found : null;
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

  /** Index of the batch that holds `offset`; one past the last if it is the end. */
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
