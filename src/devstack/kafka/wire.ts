/**
 * The primitive types of the Kafka protocol: a reader over one request, a writer of one response.
 * 64-bit integers are plain numbers: exact to 2^53, far beyond what memory holds.
 * The reader throws RangeError on a request that ends early or announces more than it holds.
 */
const TWO_32 = 0x1_0000_0000;

export function readI64(bytes: Buffer, at: number): number {
  return bytes.readInt32BE(at) * TWO_32 + bytes.readUInt32BE(at + 4);
}

export function writeI64(bytes: Buffer, value: number, at: number): number {
  bytes.writeInt32BE(Math.floor(value / TWO_32), at);
  return bytes.writeUInt32BE(((value % TWO_32) + TWO_32) % TWO_32, at + 4);
}

export class Reader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  bool(): boolean {
    return this.i8() !== 0;
  }
  i8(): number {
    return this.#bytes.readInt8(this.#skip(1));
  }
  i16(): number {
    return this.#bytes.readInt16BE(this.#skip(2));
  }
  i32(): number {
    return this.#bytes.readInt32BE(this.#skip(4));
  }
  i64(): number {
    return readI64(this.#bytes, this.#skip(8));
  }
  nullableStr(): string | null {
    const length = this.i16();
    return length < 0 ? null : this.#bytes.toString('utf8', this.#skip(length), this.#at);
  }
  str(): string {
    return this.nullableStr() ?? '';
  }
  /** A view into the request, not a copy; empty where the client sent null. */
  blob(): Buffer {
    const length = Math.max(0, this.i32());
    return this.#bytes.subarray(this.#skip(length), this.#at);
  }
  /** The length of an array; -1 for null. */
  count(): number {
    const count = this.i32();
    // A count is read before what it counts: a wild one would allocate gigabytes, so it may not exceed the bytes left.
    if (count > this.#bytes.length - this.#at) throw new RangeError(`array of ${count} items in a shorter request`);
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
    const from = this.#at;
    this.#at += count;
    if (this.#at > this.#bytes.length)
      throw new RangeError(`request ends ${this.#at - this.#bytes.length} bytes early`);
    return from;
  }
}

export class Writer {
  readonly #done: Buffer[] = [];
  #open = Buffer.allocUnsafe(512);
  #from = 0;
  #at = 4; // the first four bytes become the length of the response

  bool(value: boolean): this {
    return this.i8(value ? 1 : 0);
  }
  i8(value: number): this {
    return this.#wrote(this.#room(1).writeInt8(value, this.#at));
  }
  i16(value: number): this {
    return this.#wrote(this.#room(2).writeInt16BE(value, this.#at));
  }
  i32(value: number): this {
    return this.#wrote(this.#room(4).writeInt32BE(value, this.#at));
  }
  i64(value: number): this {
    return this.#wrote(writeI64(this.#room(8), value, this.#at));
  }
  str(value: string | null): this {
    if (value === null) return this.i16(-1);
    const length = Buffer.byteLength(value);
    this.i16(length).#room(length).write(value, this.#at);
    return this.#wrote(this.#at + length);
  }
  /** Bytes with their length, sent from where they lie: they must not change any more. */
  blob(bytes: Buffer): this {
    this.i32(bytes.length);
    this.#done.push(this.#open.subarray(this.#from, this.#at), bytes);
    this.#from = this.#at;
    return this;
  }
  array<T>(items: readonly T[], item: (value: T) => void): this {
    this.i32(items.length);
    for (const value of items) item(value);
    return this;
  }
  /** The pieces of the finished response, length prefix in front. */
  finish(): Buffer[] {
    const pieces = [...this.#done, this.#open.subarray(this.#from, this.#at)];
    pieces[0].writeInt32BE(
      pieces.reduce((sum, piece) => sum + piece.length, -4),
      0,
    );
    return pieces;
  }
  #wrote(at: number): this {
    this.#at = at;
    return this;
  }
  /** The open buffer, with room for `count` more bytes at `#at`. */
  #room(count: number): Buffer {
    if (this.#at + count > this.#open.length) {
      const written = this.#open.subarray(this.#from, this.#at);
      this.#open = Buffer.allocUnsafe(2 * (written.length + count) + 512);
      this.#at = written.copy(this.#open);
      this.#from = 0;
    }
    return this.#open;
  }
}
