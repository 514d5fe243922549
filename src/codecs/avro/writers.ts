import { copyBytes } from '../../kernel/bytes/copy-bytes.ts';
import { putVarint, varintBytes } from '../../kernel/bytes/varints.ts';
import { symbolAt } from '../symbols.ts';

/**
 * What generated encoders call: each writes at `at`, where the caller has made room, and returns the position after it.
 */

/** Below this length a loop beats a native copy. */
const NATIVE_FROM_BYTES = 32;

/** A 64-bit integer, given as its halves, as a zigzag varint. */
export function putLong(into: Buffer, at: number, low: number, high: number): number {
  const sign = high >> 31;
  high = ((high << 1) | (low >>> 31)) ^ sign;
  low = (low << 1) ^ sign;
  while (high !== 0) {
    into[at++] = (low & 0x7f) | 0x80;
    low = (low >>> 7) | (high << 25);
    high >>>= 7;
  }
  low >>>= 0;
  while (low > 0x7f) {
    into[at++] = (low & 0x7f) | 0x80;
    low >>>= 7;
  }
  into[at++] = low;
  return at;
}

/** A safe integer as a zigzag varint. */
export function putInteger(into: Buffer, at: number, value: number): number {
  return putLong(into, at, value | 0, Math.floor(value / 4294967296));
}

/** Copies bytes[start..end) unchanged. */
export function putBytes(into: Buffer, at: number, bytes: Buffer, start: number, end: number): number {
  if (end - start >= NATIVE_FROM_BYTES) {
    bytes.copy(into, at, start, end);
    return at + end - start;
  }
  while (start < end) into[at++] = bytes[start++];
  return at;
}

/** Over all of the bytes: made once a frame, for a column of text. */
function viewOf({ buffer, byteOffset, byteLength }: Buffer): DataView {
  return new DataView(buffer, byteOffset, byteLength);
}

export const WRITERS = { putLong, putInteger, putBytes, putVarint, varintBytes, copyBytes, symbolAt, viewOf };
