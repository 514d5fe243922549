/**
 * Conversion between the bytes of one cell and its numbers.
 *
 * Promise: a decoder returns as many numbers as it was made for, or null; it never guesses. Its result lies in memory that the next call
 * of any decoder reuses. Limits: an integer beyond 2^53 is rounded; a cell of the right length in the wrong byte order cannot be
 * recognised, except for a counter that would be read as a double.
 */
import type { NumberEncoding } from './views.ts';

export type CellDecoder = (bytes: Uint8Array) => ArrayLike<number> | null;

export interface CellFormat {
  readonly decode: CellDecoder;
  /** What is longer need not be kept. */
  readonly maxBytes: number;
  /** For people: what a cell should hold. */
  readonly expected: string;
}

/** float32, float64, or whichever the length implies. */
export type FloatWidth = 'f32' | 'f64' | 'either';

/** Longest decimal text: a number needs 25 characters. */
const MAX_TEXT_BYTES = 64;
const DECIMAL = /^[ \t]*[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d{1,4})?[ \t\r\n]*$/;

export function floatFormat(count: number, width: FloatWidth, bigEndian: boolean): CellFormat {
  const as32 = width === 'f64' ? -1 : count * 4;
  const as64 = width === 'f32' ? -1 : count * 8;
  const scratch = scratchOf(count * 8);
  const order = bigEndian ? ', big endian' : '';
  const lengths = [as32, as64].filter((bytes) => bytes >= 0).join(' or ');
  return {
    maxBytes: Math.max(as32, as64),
    expected: `${lengths} bytes (float32 or float64${order})`,
    decode(bytes) {
      const double = bytes.length === as64;
      if (!double && bytes.length !== as32) return null;
      // Cells begin anywhere in a message, typed arrays only at multiples of their width.
      scratch.bytes.set(bytes);
      if (bigEndian) swap(scratch.bytes, bytes.length, double ? 8 : 4);
      // 8 bytes of a counter read as a double → a number like 1e-322 that no feature has → the mistake is told, not scored.
      if (double && width === 'either' && count === 1 && looksLikeCounter(bytes, scratch.f64[0])) return null;
      return double ? scratch.f64 : scratch.f32;
    },
  };
}

function looksLikeCounter(bytes: Uint8Array, asDouble: number): boolean {
  const size = Math.abs(asDouble);
  if (size === 0 || (size > 1e-100 && size < 1e100)) return false;
  return Number.isFinite(size) && Number.isSafeInteger(int64(bytes, 0));
}

function int64Format(count: number): CellFormat {
  const numbers = new Float64Array(count);
  return {
    maxBytes: count * 8,
    expected: `${count * 8} bytes (64-bit integers, big endian)`,
    decode(bytes) {
      if (bytes.length !== count * 8) return null;
      for (let i = 0; i < count; i++) numbers[i] = int64(bytes, i * 8);
      return numbers;
    },
  };
}

function textFormat(): CellFormat {
  const numbers = new Float64Array(1);
  return {
    maxBytes: MAX_TEXT_BYTES,
    expected: 'a decimal number as text',
    decode(bytes) {
      const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
      if (text.length > MAX_TEXT_BYTES || !DECIMAL.test(text)) return null;
      numbers[0] = Number(text);
      return Number.isFinite(numbers[0]) ? numbers : null;
    },
  };
}

/** The format of a cell that holds one column of `width` numbers. */
export function columnFormat(encoding: NumberEncoding, width: number): CellFormat {
  switch (encoding) {
    case 'float-le':
      return floatFormat(width, 'either', false);
    case 'float-be':
      return floatFormat(width, 'either', true);
    case 'int64-be':
      return int64Format(width);
    case 'text':
      return textFormat();
  }
}

/** undefined if the numbers cannot be written this way (such as a fraction as an integer). A missing number is NaN among others; alone in a cell, it is not written. */
export function encodeColumn(encoding: NumberEncoding, numbers: Float64Array): Buffer | undefined {
  switch (encoding) {
    case 'float-le':
    case 'float-be': {
      const bytes = Buffer.from(Float32Array.from(numbers).buffer);
      if (encoding === 'float-be') swap(bytes, bytes.length, 4);
      return bytes;
    }
    case 'int64-be': {
      if (!numbers.every(Number.isSafeInteger)) return undefined;
      const bytes = Buffer.alloc(numbers.length * 8);
      for (const [i, number] of numbers.entries()) bytes.writeBigInt64BE(BigInt(number), i * 8);
      return bytes;
    }
    case 'text':
      return numbers.length === 1 && Number.isFinite(numbers[0]) ? Buffer.from(String(numbers[0])) : undefined;
  }
}

/** Two's complement, most significant byte first. */
function int64(bytes: Uint8Array, at: number): number {
  const high = (bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3];
  const low = (bytes[at + 4] << 24) | (bytes[at + 5] << 16) | (bytes[at + 6] << 8) | bytes[at + 7];
  return high * 4_294_967_296 + (low >>> 0);
}

function swap(bytes: Uint8Array, length: number, width: number): void {
  for (let at = 0; at < length; at += width) bytes.subarray(at, at + width).reverse();
}

interface Scratch {
  readonly bytes: Uint8Array;
  readonly f32: Float32Array;
  readonly f64: Float64Array;
}

function scratchOf(bytes: number): Scratch {
  if (bytes > shared.bytes.length) shared = createScratch(bytes * 2);
  return shared;
}

function createScratch(bytes: number): Scratch {
  const buffer = new ArrayBuffer(Math.ceil(bytes / 8) * 8);
  return { bytes: new Uint8Array(buffer), f32: new Float32Array(buffer), f64: new Float64Array(buffer) };
}

let shared = createScratch(4_096);
