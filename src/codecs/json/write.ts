import { putBytes } from '../avro/writers.ts';

/** By byte: the letter after the backslash; 1: as \u00xx; 0: written unescaped. */
const ESCAPE = new Uint8Array(256).fill(1, 0, 0x20);
for (const [byte, letter] of [
  ['"', '"'],
  ['\\', '\\'],
  ['\b', 'b'],
  ['\f', 'f'],
  ['\n', 'n'],
  ['\r', 'r'],
  ['\t', 't'],
]) {
  ESCAPE[byte.charCodeAt(0)] = letter.charCodeAt(0);
}

const HEX_DIGITS = Buffer.from('0123456789abcdef');

/** Most bytes that a text of this many bytes takes as a JSON string. */
export function maxTextBytes(bytes: number): number {
  return 6 * bytes + 2;
}

/** bytes[start..end), UTF-8, as a JSON string with its quotes. */
export function writeText(into: Buffer, at: number, bytes: Buffer, start: number, end: number): number {
  into[at++] = 0x22;
  let plain = start;
  for (let k = start; k < end; k++) {
    const byte = bytes[k];
    const letter = ESCAPE[byte];
    if (letter === 0) continue;
    at = putBytes(into, at, bytes, plain, k);
    plain = k + 1;
    at = writeEscape(into, at, byte, letter);
  }
  at = putBytes(into, at, bytes, plain, end);
  into[at++] = 0x22;
  return at;
}

function writeEscape(into: Buffer, at: number, byte: number, letter: number): number {
  into[at++] = 0x5c;
  if (letter !== 1) {
    into[at++] = letter;
    return at;
  }
  into[at++] = 0x75;
  into[at++] = 0x30;
  into[at++] = 0x30;
  into[at++] = HEX_DIGITS[byte >> 4];
  into[at++] = HEX_DIGITS[byte & 15];
  return at;
}

/** bytes[start..end) as a JSON string of one character, U+0000 to U+00FF, for each byte. */
export function writeLatin1(into: Buffer, at: number, bytes: Buffer, start: number, end: number): number {
  into[at++] = 0x22;
  for (let k = start; k < end; k++) {
    const byte = bytes[k];
    if (byte >= 0x80) {
      into[at++] = 0xc0 | (byte >> 6);
      into[at++] = 0x80 | (byte & 0x3f);
    } else if (ESCAPE[byte] === 0) {
      into[at++] = byte;
    } else {
      at = writeEscape(into, at, byte, ESCAPE[byte]);
    }
  }
  into[at++] = 0x22;
  return at;
}
