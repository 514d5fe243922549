/**
 * Reuses the memory of requests: fresh pages from the system cost more than filling them does.
 *
 * Promise: a buffer has one user at a time. Limits: as many as were in use at once, at most MAX_KEPT of MAX_KEPT_BYTES each; larger
 * ones are not kept.
 */
const MIN_BYTES = 64 * 1024;
const MAX_KEPT_BYTES = 2 * 1024 * 1024;
const MAX_KEPT = 8;
/** Bytes kept while nobody sends. */
export const KEPT_REQUEST_BYTES = MAX_KEPT * MAX_KEPT_BYTES;

export class RequestBuffers {
  private readonly free: Buffer[] = [];

  /** At least as large as asked for; what it holds is anything. */
  take(bytes: number): Buffer {
    const found = this.free.findIndex(({ length }) => length >= bytes);
    if (found >= 0) return this.free.splice(found, 1)[0];
    return Buffer.allocUnsafeSlow(
      bytes > MAX_KEPT_BYTES ? bytes : Math.max(MIN_BYTES, 2 ** Math.ceil(Math.log2(bytes))),
    );
  }

  /** Nobody looks at it any more, the socket least of all. */
  give(buffer: Buffer): void {
    if (buffer.length > MAX_KEPT_BYTES) return;
    // The smallest goes where there are too many: what is sent now needs larger ones.
    const place = this.free.findIndex(({ length }) => length > buffer.length);
    this.free.splice(place < 0 ? this.free.length : place, 0, buffer);
    if (this.free.length > MAX_KEPT) this.free.shift();
  }
}
