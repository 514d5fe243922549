import type { IHeaders } from 'kafkajs';

const EMPTY = Buffer.alloc(0);

/** An object without a prototype, so that a header may be named __proto__ or constructor. */
const NOTHING: object = Object.freeze(Object.create(null));

interface Known {
  readonly name: string;
  readonly nameStart: number;
  readonly nameEnd: number;
  value: Buffer;
  valueStart: number;
  /** Until a value here differed from the one before it. */
  isConstant: boolean;
}

/**
 * Header blocks (see kernel/headers.ts) of one arena → the objects that the client expects, one row at a time.
 *
 * Rows of a chunk have the same header names, and usually some values that never change. What the previous row had at the same place
 * is compared and reused: text and views are made only for what is new. Throws RangeError on an invalid block.
 */
export class HeaderObjects {
  private readonly arena: Buffer;
  private readonly onNull: () => void;
  private readonly known: Known[] = [];
  private at = 0;
  private end = 0;

  constructor(arena: Buffer, onNull: () => void) {
    this.arena = arena;
    this.onNull = onNull;
  }

  read(start: number, end: number): IHeaders {
    this.at = start;
    this.end = end;
    // From an object, not from null: that would make a dictionary, slow to fill and to read.
    const headers: Record<string, Buffer | Buffer[]> = Object.create(NOTHING);
    const count = this.varint();
    for (let k = 0; k < count; k++) {
      const { name, value } = this.header(k);
      const before = headers[name];
      if (before === undefined) headers[name] = value;
      else if (Array.isArray(before)) before.push(value);
      else headers[name] = [before, value];
    }
    if (this.at !== end) throw new RangeError('header block goes on behind its headers');
    return headers;
  }

  /** The k-th header of a row, valid until the next one is read. */
  private header(k: number): Known {
    const nameStart = this.step(this.varint());
    const nameEnd = this.at;
    const length = this.varint();
    if (length === -1) this.onNull();
    const valueStart = this.step(Math.max(0, length));
    const before = this.known[k];
    if (before === undefined || !this.same(before.nameStart, before.nameEnd, nameStart, nameEnd)) {
      const name = this.arena.toString('utf8', nameStart, nameEnd);
      const value = this.view(valueStart);
      this.known[k] = { name, nameStart, nameEnd, value, valueStart, isConstant: true };
      return this.known[k];
    }
    if (
      before.isConstant &&
      this.same(before.valueStart, before.valueStart + before.value.length, valueStart, this.at)
    ) {
      return before;
    }
    before.isConstant = false;
    before.value = this.view(valueStart);
    before.valueStart = valueStart;
    return before;
  }

  private view(start: number): Buffer {
    return start === this.at ? EMPTY : this.arena.subarray(start, this.at);
  }

  private same(start: number, end: number, otherStart: number, otherEnd: number): boolean {
    if (end - start !== otherEnd - otherStart) return false;
    for (let a = start, b = otherStart; a < end; a++, b++) if (this.arena[a] !== this.arena[b]) return false;
    return true;
  }

  /** Goes `length` bytes on and returns where they begin. */
  private step(length: number): number {
    const start = this.at;
    if (length < 0 || start + length > this.end) throw new RangeError('header block ends inside a header');
    this.at = start + length;
    return start;
  }

  private varint(): number {
    let raw = 0;
    for (let shift = 0; ; shift += 7) {
      if (this.at >= this.end || shift > 28) throw new RangeError('header block ends inside a number');
      const byte = this.arena[this.at++];
      raw |= (byte & 0x7f) << shift;
      if (byte < 0x80) return (raw >>> 1) ^ -(raw & 1);
    }
  }
}
