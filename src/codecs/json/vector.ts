import { DOUBLE, FLOAT, fitNumber, INT, LONG } from './fields.ts';
import type { JsonCursor } from './scan.ts';

const CLOSE_BRACKET = 0x5d;
const COMMA = 0x2c;
const MINUS = 0x2d;
const POINT = 0x2e;
const ZERO = 0x30;

/** A mantissa of so many digits fits in a 31-bit integer, and its power of ten is exact. */
const MAX_DIGITS = 9;
const POWERS = Float64Array.from({ length: MAX_DIGITS + 1 }, (_, exponent) => 10 ** exponent);

/** By number of digits: the factor that makes room for them in a mantissa. */
const SHIFTS = Int32Array.of(1, 10, 100, 1_000, 10_000);

/**
 * Reads the items of an array of numbers into [first, last): exactly that many, and the closing bracket; the cursor is after the
 * opening one. False: an array of another length or with other items, or not well-formed.
 *
 * Short decimals of floats, of which most vectors consist, are read here in one loop that keeps its state in registers. The
 * cursor reads every other number, including those of integer fields, from its first byte, so validity is decided in one place.
 * A decimal of up to nine digits is one division of exact operands, which is correctly rounded.
 */
export function readItems(
  cursor: JsonCursor,
  types: number,
  into: Float64Array | Float32Array,
  first: number,
  last: number,
): boolean {
  const { bytes, end, view } = cursor;
  const isFloat = (types & (INT | LONG)) === 0 && (types & (FLOAT | DOUBLE)) !== 0;
  const round = (types & DOUBLE) === 0;
  let at = cursor.at;
  for (let k = first; k < last; k++) {
    if (at >= end || bytes[at] <= 0x20) {
      cursor.at = at;
      if (cursor.peek() < 0) return false;
      at = cursor.at;
    }
    const start = at;
    const negative = bytes[at] === MINUS;
    if (negative) at++;
    // Reading past the end is harmless: other bytes of the arena lie there, and `at` beyond the end is detected below.
    let digit = at < end ? bytes[at] - ZERO : -1;
    let digits = 1;
    let places = 0;
    let isShort = isFloat && digit >= 0 && digit <= 9;
    let mantissa = digit;
    if (isShort) {
      at++;
      digit = at < end ? bytes[at] - ZERO : -1;
      while (digit >= 0 && digit <= 9 && digits < MAX_DIGITS) {
        mantissa = (mantissa * 10 + digit) | 0;
        digits++;
        at++;
        digit = at < end ? bytes[at] - ZERO : -1;
      }
      isShort = digits === 1 || bytes[negative ? start + 1 : start] !== ZERO;
      if (digit === POINT - ZERO) {
        at++;
        const point = at;
        // Up to four digits at a time, as bytes of a word; those after the last digit are shifted out of it.
        for (let taken = 4; taken === 4 && digits <= MAX_DIGITS - 4 && end - at >= 4; ) {
          let word = view.getInt32(at, true) ^ 0x30303030;
          const others = ((word + 0x76767676) | word) & 0x80808080;
          if (others !== 0) {
            taken = (31 - Math.clz32(others & -others)) >> 3;
            if (taken === 0) break;
            word <<= 32 - 8 * taken;
          }
          word = (Math.imul(word, 10) + (word >>> 8)) | 0;
          mantissa = (Math.imul(mantissa, SHIFTS[taken]) + (word & 0xff) * 100 + ((word >>> 16) & 0xff)) | 0;
          digits += taken;
          at += taken;
        }
        digit = at < end ? bytes[at] - ZERO : -1;
        while (digit >= 0 && digit <= 9 && digits < MAX_DIGITS) {
          mantissa = (mantissa * 10 + digit) | 0;
          digits++;
          at++;
          digit = at < end ? bytes[at] - ZERO : -1;
        }
        places = at - point;
        if (places === 0) isShort = false;
      }
      // It has more digits, or an exponent.
      if ((digit >= 0 && digit <= 9) || ((digit + ZERO) | 0x20) === 0x65) isShort = false;
    }
    if (isShort) {
      const size = mantissa / POWERS[places];
      const value = negative ? -size : size;
      into[k] = round ? Math.fround(value) : value;
    } else {
      cursor.at = start;
      if (!cursor.number()) return false;
      const value = fitNumber(types, cursor.value);
      if (Number.isNaN(value)) return false;
      into[k] = value;
      at = cursor.at;
    }
    let next = at < end ? bytes[at] : -1;
    if (next <= 0x20) {
      cursor.at = at;
      next = cursor.peek();
      at = cursor.at;
    }
    at++;
    if (next === COMMA) continue;
    cursor.at = at;
    return next === CLOSE_BRACKET && k === last - 1;
  }
  return false;
}
