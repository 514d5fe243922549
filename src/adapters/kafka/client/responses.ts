/**
 * A stream of responses with their lengths in front → the responses. One per connection.
 *
 * The caller reads into `room()`, at most as much as fits there, and says how much it was: small responses are copied out of one
 * buffer that is used again, one that is not complete in it is read on into a buffer of its size.
 * Limit: a response has MAX_RESPONSE_BYTES at most, its length included; behind one that says more nothing is read.
 */
export const MAX_RESPONSE_BYTES = 256 * 1024 * 1024;
const READ_BYTES = 64 * 1024;
const LENGTH_BYTES = 4;

export interface ResponsesOptions {
  /** With its length in front. The buffer is the listener's. */
  readonly onResponse: (response: Buffer) => void;
  /** Nothing more can be told from the stream. */
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
  /** Bytes of `large` that are there. */
  private filled = 0;
  private isNonsense = false;

  constructor(options: ResponsesOptions) {
    this.options = options;
  }

  /** Where the next bytes go: never empty. */
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
