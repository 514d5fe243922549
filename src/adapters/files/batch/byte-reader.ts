import { SluiceError } from '../../../kernel/errors.ts';

/** Takes bytes of a stream as they are asked for; holds what was asked for, and one chunk. */
export class ByteReader {
  private readonly file: string;
  private readonly chunks: AsyncIterator<Buffer>;
  private held: Buffer = Buffer.alloc(0);

  constructor(file: string, chunks: AsyncIterable<Buffer>) {
    this.file = file;
    this.chunks = chunks[Symbol.asyncIterator]();
  }

  /** Whether the stream is at its end. */
  async atEnd(): Promise<boolean> {
    return !(await this.have(1));
  }

  /** The next `count` bytes, which stay as they are. */
  async take(count: number): Promise<Buffer> {
    if (!(await this.have(count))) throw new SluiceError('file-failed', `cannot read ${this.file}: it ends too soon`);
    const taken = this.held.subarray(0, count);
    this.held = this.held.subarray(count);
    return taken;
  }

  /** The next long of Avro, which must be a number between 0 and `max`, or above -`max`. */
  async long(what: string, max: number): Promise<number> {
    let value = 0;
    for (let scale = 1, bytes = 0; ; scale *= 128, bytes++) {
      const [byte] = await this.take(1);
      if (bytes === 8) throw this.malformed(`${what} is not a number that makes sense`);
      value += (byte & 127) * scale;
      if (byte < 128) break;
    }
    const signed = value % 2 === 0 ? value / 2 : -(value + 1) / 2;
    if (Math.abs(signed) > max) throw this.malformed(`${what} is ${signed}; ${max} is the limit`);
    return signed;
  }

  malformed(what: string): SluiceError {
    return new SluiceError('file-failed', `cannot read ${this.file}: ${what}`);
  }

  async close(): Promise<void> {
    await this.chunks.return?.();
  }

  private async have(count: number): Promise<boolean> {
    if (this.held.length >= count) return true;
    const parts = [this.held];
    let length = this.held.length;
    while (length < count) {
      const next = await this.chunks.next();
      if (next.done === true) break;
      parts.push(next.value);
      length += next.value.length;
    }
    this.held = Buffer.concat(parts, length);
    return length >= count;
  }
}
