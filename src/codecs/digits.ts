/**
 * Decimal digits written as bytes, without strings or BigInts. Each writer puts at most MAX_LONG_DIGITS bytes at `at` and
 * returns the position after them.
 */
export const MAX_LONG_DIGITS = 20;

const MINUS = 0x2d;
const ZERO = 0x30;
const LIMBS = new Int32Array(4);

/** An integer within ±(2^53−1). Minus zero is 0. */
export function writeInteger(into: Uint8Array, at: number, value: number): number {
  if (value < 0) {
    into[at++] = MINUS;
    value = -value;
  }
  if (value < 1e9) return writeUint(into, at, value, 0);
  const high = Math.floor(value / 1e8);
  const low = value - high * 1e8;
  return writeUint(into, writeUint(into, at, high, 0), low, 8);
}

/** A 64-bit integer, given as its halves. */
export function writeLongDigits(into: Uint8Array, at: number, low: number, high: number): number {
  const value = high * 4294967296 + (low >>> 0);
  if (value <= 9007199254740991 && value >= -9007199254740991) return writeInteger(into, at, value);
  if (high < 0) {
    into[at++] = MINUS;
    low = -low | 0;
    high = low === 0 ? -high | 0 : ~high;
  }
  LIMBS[3] = high >>> 16;
  LIMBS[2] = high & 0xffff;
  LIMBS[1] = low >>> 16;
  LIMBS[0] = low & 0xffff;
  const last = divideLimbs(10_000) + 10_000 * divideLimbs(10_000);
  const top = (LIMBS[2] * 65536 + LIMBS[1]) * 65536 + LIMBS[0];
  return writeUint(into, writeInteger(into, at, top), last, 8);
}

/** LIMBS ÷ divisor, in place; returns the remainder. The divisor is below 2^15, so that every step fits a double exactly. */
function divideLimbs(divisor: number): number {
  let rest = 0;
  for (let k = 3; k >= 0; k--) {
    const part = rest * 65536 + LIMBS[k];
    LIMBS[k] = Math.floor(part / divisor);
    rest = part - LIMBS[k] * divisor;
  }
  return rest;
}

/** An integer in [0, 2^31) with at least `width` digits. */
export function writeUint(into: Uint8Array, at: number, value: number, width: number): number {
  value |= 0;
  let digits = 1;
  for (let limit = 10; digits < 10 && value >= limit; limit *= 10) digits++;
  if (digits < width) digits = width;
  for (let k = at + digits - 1; k >= at; k--) {
    const rest = (value / 10) | 0;
    into[k] = ZERO + value - rest * 10;
    value = rest;
  }
  return at + digits;
}
