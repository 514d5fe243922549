/**
 * The primitive types of the Kafka protocol: a reader of one request, a writer of one response.
 * 64-bit integers are plain numbers, exact to 2^53.
 * The reader throws RangeError if a request ends early or claims to hold more than it does.
 */
export class Reader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
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
    return Number(this.#bytes.readBigInt64BE(this.#skip(8)));
  }
  nullableStr(): string | null {
    const length = this.i16();
    return length < 0 ? null : this.#bytes.toString('utf8', this.#skip(length), this.#at);
  }
  str(): string {
    return this.nullableStr() ?? '';
  }
  /** A view of the request, not a copy; empty for null. */
  blob(): Buffer {
    const length = Math.max(0, this.i32());
    return this.#bytes.subarray(this.#skip(length), this.#at);
  }
  nullableArray<T>(item: () => T): T[] | null {
    const count = this.i32();
    // A wild count must not allocate gigabytes, so it may not exceed the number of bytes left.
    if (count > this.#bytes.length - this.#at) throw new RangeError(`array of ${count} items in a shorter request`);
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
  /** The first piece becomes the total length. */
  readonly #pieces: Buffer[] = [Buffer.alloc(4)];

  i8(value: number): this {
    return this.#int(value, 1);
  }
  i16(value: number): this {
    return this.#int(value, 2);
  }
  i32(value: number): this {
    return this.#int(value, 4);
  }
  i64(value: number): this {
    const piece = Buffer.allocUnsafe(8);
    piece.writeBigInt64BE(BigInt(value));
    return this.#add(piece);
  }
  str(value: string | null): this {
    if (value === null) return this.i16(-1);
    const piece = Buffer.from(value);
    return this.i16(piece.length).#add(piece);
  }
  blob(bytes: Buffer): this {
    return this.i32(bytes.length).#add(bytes);
  }
  array<T>(items: readonly T[], item: (value: T) => void): this {
    this.i32(items.length);
    for (const value of items) item(value);
    return this;
  }
  /** The whole response, preceded by its length. */
  finish(): Buffer {
    const response = Buffer.concat(this.#pieces);
    response.writeInt32BE(response.length - 4);
    return response;
  }
  #int(value: number, bytes: number): this {
    const piece = Buffer.allocUnsafe(bytes);
    piece.writeIntBE(value, 0, bytes);
    return this.#add(piece);
  }
  #add(piece: Buffer): this {
    this.#pieces.push(piece);
    return this;
  }
}
