import { isDigit } from './json/scan.ts';

/**
 * Decimals as digits ↔ as big-endian two's complement, of any length up to MAX_DECIMAL_BYTES, without BigInts: 16-bit limbs,
 * lowest first, in reused memory. Not reentrant, and need not be.
 */
const MAX_LIMBS = 128;
export const MAX_DECIMAL_BYTES = 2 * MAX_LIMBS;
/** Most characters that a decimal of MAX_DECIMAL_BYTES takes, with sign, point and a zero before it. */
export const MAX_DECIMAL_TEXT = 617 + 3;

const LIMBS = new Uint16Array(MAX_LIMBS);
const DIGITS = new Uint8Array(MAX_DECIMAL_TEXT);
let used = 0;

/**
 * The digits of a JSON number without its sign, [start, end) → LIMBS, scaled by ten to the power of `scale`, which the caller
 * has lowered by the exponent and may be negative. False: not a number, or it has more decimal places than the scale, more
 * digits than the precision, or more than LIMBS hold.
 */
function readDigits(bytes: Buffer, start: number, end: number, precision: number, scale: number): boolean {
  used = 0;
  // Up to the last digit that is not 0: zeros after it are not decimal places, and before the point they are powers of ten.
  let digits = 0;
  let zeros = 0;
  let point = end;
  const first = start;
  for (; start < end; start++) {
    const byte = bytes[start];
    if (byte === 0x2e && point === end && start > first) {
      point = start;
      continue;
    }
    if (!isDigit(byte)) return false;
    if (byte === 0x30) {
      zeros++;
      continue;
    }
    digits += digits === 0 ? 1 : zeros + 1;
    if (digits > precision || (used > 0 && !shift(zeros))) return false;
    zeros = 0;
    if (!multiply(10, byte - 0x30)) return false;
  }
  if (start === first || point === end - 1) return false;
  if (used === 0) return true;
  const places = point === end ? 0 : end - 1 - point;
  const missing = scale - places + zeros;
  return missing >= 0 && digits + missing <= precision && shift(missing);
}

/** NaN if it is not an exponent. */
function exponentOf(bytes: Buffer, at: number, end: number): number {
  const negative = bytes[at] === 0x2d;
  if (at < end && (negative || bytes[at] === 0x2b)) at++;
  if (at >= end) return Number.NaN;
  let exponent = 0;
  for (; at < end; at++) {
    if (!isDigit(bytes[at])) return Number.NaN;
    exponent = exponent * 10 + bytes[at] - 0x30;
  }
  return negative ? -exponent : exponent;
}

/** LIMBS × ten to the power of `zeros`; false: too long. */
function shift(zeros: number): boolean {
  for (; zeros > 0; zeros--) if (!multiply(10, 0)) return false;
  return true;
}

/** LIMBS × factor + more; false: too long. */
function multiply(factor: number, more: number): boolean {
  let carry = more;
  for (let k = 0; k < used; k++) {
    const part = LIMBS[k] * factor + carry;
    LIMBS[k] = part & 0xffff;
    carry = part >>> 16;
  }
  if (carry === 0) return true;
  if (used === MAX_LIMBS) return false;
  LIMBS[used++] = carry;
  return true;
}

/**
 * Digits [start, end), with or without a sign → two's complement at into[at..], as short as possible, or of `size` bytes (-1: as
 * short as possible). Returns the position after it, or -1 if it is not such a decimal. `into` must have room for
 * MAX_DECIMAL_BYTES and for `size`.
 */
export function putDecimal(
  bytes: Buffer,
  start: number,
  end: number,
  { precision, scale }: { readonly precision: number; readonly scale: number },
  size: number,
  into: Buffer,
  at: number,
): number {
  const negative = bytes[start] === 0x2d;
  let behind = start;
  while (behind < end && (bytes[behind] | 0x20) !== 0x65) behind++;
  const exponent = behind === end ? 0 : exponentOf(bytes, behind + 1, end);
  if (Number.isNaN(exponent)) return -1;
  if (!readDigits(bytes, negative ? start + 1 : start, behind, precision, scale + exponent)) return -1;
  let length = Math.max(1, 2 * used);
  if (used > 0) {
    const top = LIMBS[used - 1];
    if (top < 0x100) length--;
    // The highest bit is the sign: -128 fits in a byte, 128 does not.
    const high = top < 0x100 ? top : top >> 8;
    if (high > 0x80 || (high === 0x80 && !(negative && isPower(top)))) length++;
  }
  if (length > (size >= 0 ? size : MAX_DECIMAL_BYTES)) return -1;
  if (size >= 0) length = size;
  let borrow = negative ? 1 : 0;
  for (let k = 0; k < length; k++) {
    const limb = k >> 1 < used ? LIMBS[k >> 1] : 0;
    let byte = (limb >> (8 * (k & 1))) & 0xff;
    if (negative) {
      byte = (byte ^ 0xff) + borrow;
      borrow = byte >> 8;
    }
    into[at + length - 1 - k] = byte;
  }
  return at + length;
}

/** Whether only the highest bit of the number is set. */
function isPower(top: number): boolean {
  if ((top & (top - 1)) !== 0) return false;
  for (let k = 0; k < used - 1; k++) if (LIMBS[k] !== 0) return false;
  return true;
}

/**
 * Where two's complement [start, end) begins without the leading bytes that only repeat its sign: a fixed type has its full size,
 * however few digits it holds.
 */
export function significantFrom(bytes: Buffer, start: number, end: number): number {
  const sign = bytes[start] > 0x7f ? 0xff : 0;
  while (end - start > 1 && bytes[start] === sign && bytes[start + 1] > 0x7f === sign > 0) start++;
  return start;
}

/**
 * Two's complement [start, end), at most MAX_DECIMAL_BYTES, as digits with a point before the last `scale` of them. Returns the
 * position after them. `into` must have room for MAX_DECIMAL_TEXT + scale.
 */
export function writeDecimal(
  into: Buffer,
  at: number,
  bytes: Buffer,
  start: number,
  end: number,
  scale: number,
): number {
  const negative = end > start && bytes[start] > 0x7f;
  used = (end - start + 1) >> 1;
  let carry = negative ? 1 : 0;
  for (let k = 0; k < used; k++) {
    const low = byteAt(bytes, end - 1 - 2 * k, start, negative);
    const high = byteAt(bytes, end - 2 - 2 * k, start, negative);
    let limb = (high << 8) | low;
    if (negative) {
      limb = (limb ^ 0xffff) + carry;
      carry = limb >>> 16;
    }
    LIMBS[k] = limb & 0xffff;
  }
  let digits = 0;
  while (used > 0 && LIMBS[used - 1] === 0) used--;
  while (used > 0) {
    let rest = 0;
    for (let k = used - 1; k >= 0; k--) {
      const part = rest * 65_536 + LIMBS[k];
      LIMBS[k] = Math.floor(part / 10_000);
      rest = part - LIMBS[k] * 10_000;
    }
    while (used > 0 && LIMBS[used - 1] === 0) used--;
    for (let k = 0; k < 4 && (used > 0 || rest > 0); k++) {
      DIGITS[digits++] = rest % 10;
      rest = Math.floor(rest / 10);
    }
  }
  if (negative) into[at++] = 0x2d;
  for (let k = Math.max(digits, scale + 1) - 1; k >= 0; k--) {
    into[at++] = k < digits ? 0x30 + DIGITS[k] : 0x30;
    if (k === scale && scale > 0) into[at++] = 0x2e;
  }
  return at;
}

function byteAt(bytes: Buffer, at: number, start: number, negative: boolean): number {
  if (at >= start) return bytes[at];
  return negative ? 0xff : 0;
}
