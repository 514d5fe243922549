import { HEX } from './scan.ts';

/**
 * Text and 64-bit integers from JSON tokens that JsonCursor has found to be well-formed.
 */

const UNESCAPED = new Uint8Array(256);
for (const [letter, code] of Object.entries({ '"': 34, '\\': 92, '/': 47, b: 8, f: 12, n: 10, r: 13, t: 9 })) {
  UNESCAPED[letter.charCodeAt(0)] = code;
}

/**
 * Writes the text of a string token at `at`, escapes resolved, and returns where it ends: never longer than the token, so `into`
 * may be the token's own memory. -1: it has an unpaired surrogate, which UTF-8 cannot express.
 */
export function resolveEscapes(from: Buffer, start: number, end: number, into: Buffer, at: number): number {
  while (start < end) {
    const byte = from[start++];
    if (byte !== 0x5c) {
      into[at++] = byte;
      continue;
    }
    const letter = from[start++];
    if (letter !== 0x75) {
      into[at++] = UNESCAPED[letter];
      continue;
    }
    let code = hex4(from, start);
    start += 4;
    if (code >= 0xd800 && code < 0xe000) {
      if (code >= 0xdc00 || end - start < 6 || from[start] !== 0x5c || from[start + 1] !== 0x75) return -1;
      const low = hex4(from, start + 2);
      if (low < 0xdc00 || low >= 0xe000) return -1;
      start += 6;
      code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    }
    at = writeCodePoint(into, at, code);
  }
  return at;
}

function hex4(from: Buffer, at: number): number {
  return (HEX[from[at]] << 12) | (HEX[from[at + 1]] << 8) | (HEX[from[at + 2]] << 4) | HEX[from[at + 3]];
}

function writeCodePoint(into: Buffer, at: number, code: number): number {
  if (code < 0x80) {
    into[at++] = code;
    return at;
  }
  if (code < 0x800) {
    into[at++] = 0xc0 | (code >> 6);
  } else {
    if (code < 0x10000) {
      into[at++] = 0xe0 | (code >> 12);
    } else {
      into[at++] = 0xf0 | (code >> 18);
      into[at++] = 0x80 | ((code >> 12) & 0x3f);
    }
    into[at++] = 0x80 | ((code >> 6) & 0x3f);
  }
  into[at++] = 0x80 | (code & 0x3f);
  return at;
}

const MAX_DIGITS = 19;

/**
 * An integer token, [start, end), as a 64-bit integer: its halves go to words[2 * i] and words[2 * i + 1]. False: out of range.
 */
export function readLongDigits(from: Buffer, start: number, end: number, words: Int32Array, i: number): boolean {
  const negative = from[start] === 0x2d;
  if (negative) start++;
  if (end - start > MAX_DIGITS) return false;
  const split = Math.max(start, end - 9);
  let top = 0;
  let rest = 0;
  while (start < split) top = top * 10 + from[start++] - 0x30;
  while (start < end) rest = rest * 10 + from[start++] - 0x30;
  // top × 10^9 + rest, top below 10^10, in two halves so that every step is exact in a double.
  const upper = Math.floor(top / 65536) * 1e9;
  const lower = (top % 65536) * 1e9 + rest + (upper % 65536) * 65536;
  let low = (lower % 4294967296) | 0;
  let high = Math.floor(upper / 65536) + Math.floor(lower / 4294967296);
  if (high > 0x7fffffff) {
    if (!negative || high !== 0x80000000 || low !== 0) return false;
  }
  if (negative) {
    high = low === 0 ? -high : ~high;
    low = -low;
  }
  words[2 * i] = low;
  words[2 * i + 1] = high;
  return true;
}
