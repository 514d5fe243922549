/**
 * Encodes and decodes the few requests of a probe (probe.ts): non-flexible versions, a handful of fields, nothing per record. Reading
 * beyond the end of an answer throws, which merely fails the probe.
 */
export class ProbeWriter {
  #parts: Buffer[] = [];

  int8(value: number): this {
    return this.#add(1, (into) => into.writeInt8(value));
  }

  int16(value: number): this {
    return this.#add(2, (into) => into.writeInt16BE(value));
  }

  int32(value: number): this {
    return this.#add(4, (into) => into.writeInt32BE(value));
  }

  int64(value: number): this {
    return this.#add(8, (into) => into.writeBigInt64BE(BigInt(value)));
  }

  text(value: string): this {
    const bytes = Buffer.from(value);
    this.int16(bytes.length);
    this.#parts.push(bytes);
    return this;
  }

  raw(bytes: Buffer): this {
    this.#parts.push(bytes);
    return this;
  }

  list<Item>(items: readonly Item[], write: (item: Item, into: this) => void): this {
    this.int32(items.length);
    for (const item of items) write(item, this);
    return this;
  }

  bytes(): Buffer {
    return Buffer.concat(this.#parts);
  }

  #add(bytes: number, write: (into: Buffer) => void): this {
    const into = Buffer.alloc(bytes);
    write(into);
    this.#parts.push(into);
    return this;
  }
}

export class ProbeReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  int8(): number {
    return this.#bytes.readInt8(this.#skip(1));
  }

  int16(): number {
    return this.#bytes.readInt16BE(this.#skip(2));
  }

  int32(): number {
    return this.#bytes.readInt32BE(this.#skip(4));
  }

  int64(): number {
    return Number(this.#bytes.readBigInt64BE(this.#skip(8)));
  }

  /** Empty for a text that is null. */
  text(): string {
    const length = Math.max(0, this.int16());
    const at = this.#skip(length);
    return this.#bytes.toString('utf8', at, at + length);
  }

  skipBytes(): void {
    this.#skip(Math.max(0, this.int32()));
  }

  rest(): Buffer {
    return this.#bytes.subarray(this.#at);
  }

  list<Item>(read: () => Item): Item[] {
    const length = this.int32();
    const items: Item[] = [];
    for (let k = 0; k < length; k++) items.push(read());
    return items;
  }

  #skip(bytes: number): number {
    const at = this.#at;
    this.#at += bytes;
    if (this.#at > this.#bytes.length) throw new RangeError('the answer is shorter than it says');
    return at;
  }
}
