/**
 * Splits a byte stream into responses, each of which has its length in front. One per connection.
 *
 * The caller reads into `room()`, at most as much as fits, and reports how much that was. Small responses are copied out of one
 * reused buffer; one that is not complete there is read on into a buffer of its own size.
 * Limit: a response has at most MAX_RESPONSE_BYTES, its length included; after one that claims more, nothing is read.
 */
export const MAX_RESPONSE_BYTES = 256 * 1024 * 1024;
const READ_BYTES = 64 * 1024;
const LENGTH_BYTES = 4;

export interface ResponsesOptions {
  /** The response with its length in front. The listener owns the buffer. */
  readonly onResponse: (response: Buffer) => void;
  /** The stream cannot be parsed any further. */
  readonly onNonsense: (bytes: number) => void;
  /** Memory for a response that is not read in one piece, of exactly this length; new memory if not given. */
  readonly take?: (bytes: number) => Buffer;
}

export class Responses {
  private readonly options: ResponsesOptions;
  private readonly few = Buffer.allocUnsafeSlow(READ_BYTES);
  /** Bytes at the beginning of `few`: less than a length. */
  private held = 0;
  private large: Buffer | undefined;
  /** Bytes of `large` that have arrived. */
  private filled = 0;
  private isNonsense = false;

  constructor(options: ResponsesOptions) {
    this.options = options;
  }

  /** Where to write the next bytes: never empty. */
  room(): Buffer {
    const { large, few, held } = this;
    if (large !== undefined) return large.subarray(this.filled);
    return held === 0 ? few : few.subarray(held);
  }

  /** So many bytes were written to the beginning of `room()`. */
  received(count: number): void {
    if (this.isNonsense) return;
    const { large } = this;
    if (large === undefined) this.split(this.held + count);
    else {
      this.filled += count;
      if (this.filled < large.length) return;
      this.large = undefined;
      this.options.onResponse(large);
    }
  }

  private split(end: number): void {
    const { few } = this;
    this.held = 0;
    let at = 0;
    while (end - at >= LENGTH_BYTES) {
      const length = LENGTH_BYTES + few.readInt32BE(at);
      if (length < LENGTH_BYTES || length > MAX_RESPONSE_BYTES) {
        this.isNonsense = true;
        this.options.onNonsense(length - LENGTH_BYTES);
        return;
      }
      if (length > end - at) {
        this.large = this.options.take?.(length) ?? Buffer.allocUnsafeSlow(length);
        this.filled = few.copy(this.large, 0, at, end);
        return;
      }
      this.options.onResponse(Buffer.from(few.subarray(at, at + length)));
      at += length;
    }
    few.copyWithin(0, at, end);
    this.held = end - at;
  }
}
