/** Varints of unsigned numbers below 2³², seven bits per byte, lowest first; signed numbers are zigzag-encoded first. */

export function varintBytes(n: number): number {
  return n < 0x80 ? 1 : n < 0x4000 ? 2 : n < 0x20_0000 ? 3 : n < 0x1000_0000 ? 4 : 5;
}

/** Returns the position behind it. */
export function putVarint(into: Uint8Array, at: number, n: number): number {
  while (n > 0x7f) {
    into[at++] = (n & 0x7f) | 0x80;
    n >>>= 7;
  }
  into[at++] = n;
  return at;
}

/** Of an int32. */
export function zigzag(n: number): number {
  return ((n << 1) ^ (n >> 31)) >>> 0;
}
