/**
 * The primitive types of the Kafka protocol: a reader over one request, a writer of one response.
 * 64-bit integers are plain numbers: exact to 2^53, far beyond what memory holds.
 * The reader throws RangeError on a request that ends early or announces more than it holds.
 */
const TWO_32 = 0x1_0000_0000;
/** Payloads below this are copied into the response; larger ones are sent from where they lie. */
const COPY_BELOW_BYTES = 1024;

export function readI64(bytes: Buffer, at: number): number {
  return bytes.readInt32BE(at) * TWO_32 + bytes.readUInt32BE(at + 4);
}

export function writeI64(bytes: Buffer, value: number, at: number): void {
  bytes.writeInt32BE(Math.floor(value / TWO_32), at);
  bytes.writeUInt32BE(((value % TWO_32) + TWO_32) % TWO_32, at + 4);
}

export class Reader {
  readonly bytes: Buffer;
  at = 0;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  bool(): boolean {
    return this.i8() !== 0;
  }
  i8(): number {
    return this.bytes.readInt8(this.#skip(1));
  }
  i16(): number {
    return this.bytes.readInt16BE(this.#skip(2));
  }
  i32(): number {
    return this.bytes.readInt32BE(this.#skip(4));
  }
  i64(): number {
    return readI64(this.bytes, this.#skip(8));
  }
  nullableStr(): string | null {
    const length = this.i16();
    return length < 0 ? null : this.bytes.toString('utf8', this.#skip(length), this.at);
  }
  str(): string {
    return this.nullableStr() ?? '';
  }
  /** A view into the request, not a copy; null where the client sent null. */
  blob(): Buffer | null {
    const length = this.i32();
    return length < 0 ? null : this.bytes.subarray(this.#skip(length), this.at);
  }
  /** The length of an array; -1 for null. */
  count(): number {
    const count = this.i32();
    // A count is read before what it counts: a wild one would allocate gigabytes, so it may not exceed the bytes left.
    if (count > this.bytes.length - this.at) throw new RangeError(`array of ${count} items in a shorter request`);
    return count;
  }
  nullableArray<T>(item: () => T): T[] | null {
    const count = this.count();
    return count < 0 ? null : Array.from({ length: count }, item);
  }
  array<T>(item: () => T): T[] {
    return this.nullableArray(item) ?? [];
  }

  #skip(count: number): number {
    const from = this.at;
    this.at += count;
    if (this.at > this.bytes.length) throw new RangeError(`request ends ${this.at - this.bytes.length} bytes early`);
    return from;
  }
}

export class Writer {
  #done: Buffer[] = [];
  #doneBytes = 0;
  #open = Buffer.allocUnsafe(256);
  #from = 0;
  #at = 4; // the first four bytes become the length of the response

  bool(value: boolean): this {
    return this.i8(value ? 1 : 0);
  }
  i8(value: number): this {
    const at = this.#grow(1);
    this.#open.writeInt8(value, at);
    return this;
  }
  i16(value: number): this {
    const at = this.#grow(2);
    this.#open.writeInt16BE(value, at);
    return this;
  }
  i32(value: number): this {
    const at = this.#grow(4);
    this.#open.writeInt32BE(value, at);
    return this;
  }
  i64(value: number): this {
    const at = this.#grow(8);
    writeI64(this.#open, value, at);
    return this;
  }
  /** Variable-length unsigned, as the flexible versions count: arrays say their length plus one. */
  uvarint(value: number): this {
    let rest = value;
    for (; rest > 127; rest >>>= 7) this.#open[this.#grow(1)] = (rest & 127) | 128;
    this.#open[this.#grow(1)] = rest;
    return this;
  }
  str(value: string | null): this {
    if (value === null) return this.i16(-1);
    const length = Buffer.byteLength(value);
    this.i16(length);
    const at = this.#grow(length);
    this.#open.write(value, at);
    return this;
  }
  /** Length-prefixed bytes in one or several pieces; large ones are referenced, so they must not change any more. */
  blob(...pieces: readonly Buffer[]): this {
    this.i32(pieces.reduce((sum, piece) => sum + piece.length, 0));
    for (const piece of pieces) {
      if (piece.length < COPY_BELOW_BYTES) {
        const at = this.#grow(piece.length);
        piece.copy(this.#open, at);
      } else {
        this.#close();
        this.#done.push(piece);
        this.#doneBytes += piece.length;
      }
    }
    return this;
  }
  array<T>(items: readonly T[], item: (value: T) => void): this {
    this.i32(items.length);
    for (const value of items) item(value);
    return this;
  }
  /** The pieces of the finished response, length prefix in front. */
  finish(): Buffer[] {
    this.#close();
    this.#done[0].writeInt32BE(this.#doneBytes - 4, 0);
    return this.#done;
  }

  #close(): void {
    if (this.#at === this.#from) return;
    this.#done.push(this.#open.subarray(this.#from, this.#at));
    this.#doneBytes += this.#at - this.#from;
    this.#from = this.#at;
  }
  #grow(count: number): number {
    const at = this.#at;
    if (at + count <= this.#open.length) {
      this.#at += count;
      return at;
    }
    const used = at - this.#from;
    const larger = Buffer.allocUnsafe(Math.max(2 * this.#open.length, used + count));
    this.#open.copy(larger, 0, this.#from, at);
    this.#open = larger;
    this.#from = 0;
    this.#at = used + count;
    return used;
  }
}
