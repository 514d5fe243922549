import { RecordColumns } from '../../../kernel/record-columns.ts';
import type { FetchedBatch, FetchedMessage } from './internals.ts';

/**
 * Reuses the memory of fetches: the bytes of large responses, and the columns into which their records are decoded.
 *
 * Both are thousands of times larger than their objects on the heap, and make V8 collect garbage (cause) → if they were new for each
 * fetch, the whole heap would be marked seven times a second, on helper threads too: a quarter of all time (effect) → what was
 * given back last is lent first (guard).
 *
 * Promise: memory is lent again once every batch of its response has ended and every frame that lies in it is settled, and only if
 * it came from here. A batch that the client drops never ends, nor does one whose hand-over failed, and frames of a revoked
 * partition may never settle: such a response is left to the garbage collector.
 * Limits: KEPT_BYTES of responses that are unused or hold frames, and KEPT_ROWS of columns; a response smaller than LEAST_BYTES, or
 * larger than half of KEPT_BYTES, is allocated elsewhere.
 */
const LEAST_BYTES = 64 * 1024;
const KEPT_BYTES = 32 * 1024 * 1024;
/** Of these, what frames never hold: a backlog of them leaves the next fetches memory that is used again. */
const NEXT_BYTES = 8 * 1024 * 1024;
const KEPT_ROWS = 256 * 1024;
const LEAST_ROWS = 64;

interface Borrowed {
  readonly memory: WeakRef<ArrayBufferLike>;
  readonly bytes: number;
}

interface Held {
  readonly response: ArrayBufferLike;
  readonly columns: readonly RecordColumns[];
}

export class FetchMemory {
  private readonly responses: Buffer[] = [];
  private responseBytes = 0;
  /** By the buffer that was lent: nothing else is taken back. */
  private readonly lent = new WeakMap<ArrayBufferLike, Buffer>();
  private readonly columns = new Map<number, RecordColumns[]>();
  private rows = 0;
  /** By the messages that one partition's part of a response was decoded into. */
  private readonly held = new WeakMap<readonly FetchedMessage[], Held>();
  /** Batches of a response that have not ended, and frames that lie in it. */
  private readonly open = new WeakMap<ArrayBufferLike, number>();
  /** Responses that hold frames. Weakly, so that the garbage collector may take them. */
  private borrowed: Borrowed[] = [];

  /** Memory for a response, of exactly this length, with undefined content. */
  response(bytes: number): Buffer {
    if (bytes < LEAST_BYTES || bytes > KEPT_BYTES / 2) return Buffer.allocUnsafeSlow(bytes);
    const { responses } = this;
    for (let i = responses.length - 1; i >= 0; i--) {
      const found = responses[i];
      if (found.length < bytes) continue;
      responses.splice(i, 1);
      this.responseBytes -= found.length;
      this.lent.set(found.buffer, found);
      return found.subarray(0, bytes);
    }
    // Of few sizes, so that all that is kept is little more than what was in use; pages that nobody touches are not there.
    const made = Buffer.allocUnsafeSlow(2 ** Math.ceil(Math.log2(bytes)));
    this.lent.set(made.buffer, made);
    return made.subarray(0, bytes);
  }

  /** For `rows` records or more, up to twice as many. */
  columnsFor(rows: number): RecordColumns {
    const capacity = Math.max(LEAST_ROWS, 2 ** Math.ceil(Math.log2(rows)));
    const found = this.columns.get(capacity)?.pop();
    if (found === undefined) return new RecordColumns(capacity);
    this.rows -= capacity;
    found.count = 0;
    return found;
  }

  /** These messages lie in this response, and in these columns. */
  hold(messages: readonly FetchedMessage[], response: Buffer, columns: readonly RecordColumns[]): void {
    this.held.set(messages, { response: response.buffer, columns });
  }

  /** What one fetch brought; each of the batches is to be ended, or none of it comes back. */
  begin(batches: readonly FetchedBatch[]): void {
    for (const { rawMessages } of batches) {
      const held = this.held.get(rawMessages);
      if (held !== undefined) this.open.set(held.response, (this.open.get(held.response) ?? 0) + 1);
    }
  }

  /** Nobody reads the batch or its messages any longer. */
  end({ rawMessages }: FetchedBatch): void {
    const held = this.held.get(rawMessages);
    if (held === undefined) return;
    this.held.delete(rawMessages);
    for (const columns of held.columns) this.giveColumns(columns);
    this.close(held.response);
  }

  /**
   * For a frame that is to lie where its records lie, in `bytes`, instead of in a copy: what to call, once, when nobody looks at it
   * any more. Undefined where `bytes` is not of that batch's response, or too much is held already: then copy.
   */
  borrow({ rawMessages }: FetchedBatch, { buffer }: Buffer): (() => void) | undefined {
    const memory = this.held.get(rawMessages)?.response;
    const whole = memory === buffer ? this.lent.get(buffer) : undefined;
    if (whole === undefined || !this.mayBorrow(whole)) return undefined;
    this.open.set(buffer, (this.open.get(buffer) ?? 0) + 1);
    return () => this.close(buffer);
  }

  private mayBorrow({ buffer, length }: Buffer): boolean {
    const { borrowed } = this;
    if (borrowed.some(({ memory }) => memory.deref() === buffer)) return true;
    if (this.borrowedBytes() + length > KEPT_BYTES - NEXT_BYTES) {
      this.borrowed = borrowed.filter(({ memory }) => memory.deref() !== undefined);
      if (this.borrowedBytes() + length > KEPT_BYTES - NEXT_BYTES) return false;
    }
    this.borrowed.push({ memory: new WeakRef(buffer), bytes: length });
    return true;
  }

  private borrowedBytes(): number {
    return this.borrowed.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  private close(response: ArrayBufferLike): void {
    const left = (this.open.get(response) ?? 0) - 1;
    this.open.set(response, left);
    if (left === 0) this.giveResponse(response);
  }

  private giveColumns(columns: RecordColumns): void {
    const { capacity } = columns;
    if (this.rows + capacity > KEPT_ROWS) return;
    this.rows += capacity;
    const others = this.columns.get(capacity);
    if (others === undefined) this.columns.set(capacity, [columns]);
    else others.push(columns);
  }

  private giveResponse(memory: ArrayBufferLike): void {
    const whole = this.lent.get(memory);
    if (whole === undefined) return;
    this.lent.delete(memory);
    this.borrowed = this.borrowed.filter((each) => each.memory.deref() !== memory);
    this.responses.push(whole);
    this.responseBytes += whole.length;
    // The first of them is the one that was used least lately.
    const most = Math.max(whole.length, KEPT_BYTES - this.borrowedBytes());
    while (this.responseBytes > most) this.responseBytes -= (this.responses.shift() as Buffer).length;
  }
}

/** The client's sockets and decoders are the process's, and so is this. */
export const fetchMemory = new FetchMemory();
