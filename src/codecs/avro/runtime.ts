import { validUtf8 } from '../utf8.ts';

/**
 * What generated decoders call. Every reader takes (bytes, at, end), reads nothing outside [at, end) and returns the position
 * after what it read, or -1. Other results are left in HALVES, BLOCK and UNSCALED, because a pair would be an object per call.
 * Not reentrant, and need not be: a decoder takes the result before its next call.
 */

/** Low and high half of the last long; HALVES[0] alone is the last int or length. */
export const HALVES = new Int32Array(2);

/** Items in the last block of an array or map, and where the block ends (-1: it does not say). */
export const BLOCK = new Float64Array(2);

/** The last decimal, unscaled. */
export const UNSCALED = new Float64Array(1);

/** Most items without bytes (nulls) that one block may claim: they cost nothing to send. */
const MAX_EMPTY_ITEMS = 65_536;

const MAX_LONG_BYTES = 10;

/** A zigzag varint of at most 10 bytes and 64 bits → HALVES. Padded ones are accepted, as other readers do. */
export function readLong(bytes: Buffer, at: number, end: number): number {
  return end - at >= MAX_LONG_BYTES ? readWholeLong(bytes, at) : readLongWithin(bytes, at, end);
}

/** For when enough bytes are left for any varint. Unrolled: a loop takes three times as long. */
function readWholeLong(bytes: Buffer, at: number): number {
  let byte = bytes[at];
  let low = byte & 0x7f;
  if (byte < 0x80) return putInt(low, at + 1);
  byte = bytes[at + 1];
  low |= (byte & 0x7f) << 7;
  if (byte < 0x80) return putInt(low, at + 2);
  byte = bytes[at + 2];
  low |= (byte & 0x7f) << 14;
  if (byte < 0x80) return putInt(low, at + 3);
  byte = bytes[at + 3];
  low |= (byte & 0x7f) << 21;
  if (byte < 0x80) return putInt(low, at + 4);
  byte = bytes[at + 4];
  let high = byte & 0x7f;
  if (byte < 0x80) return putLong(low, high, 0, at + 5);
  byte = bytes[at + 5];
  high |= (byte & 0x7f) << 7;
  if (byte < 0x80) return putLong(low, high, 0, at + 6);
  byte = bytes[at + 6];
  high |= (byte & 0x7f) << 14;
  if (byte < 0x80) return putLong(low, high, 0, at + 7);
  byte = bytes[at + 7];
  high |= (byte & 0x7f) << 21;
  if (byte < 0x80) return putLong(low, high, 0, at + 8);
  byte = bytes[at + 8];
  if (byte < 0x80) return putLong(low, high, byte, at + 9);
  const last = bytes[at + 9];
  return last > 1 ? -1 : putLong(low, high, (byte & 0x7f) | (last << 7), at + 10);
}

/** 28 bits, zigzag. */
function putInt(low: number, at: number): number {
  const sign = -(low & 1);
  HALVES[0] = (low >>> 1) ^ sign;
  HALVES[1] = sign;
  return at;
}

/** 28, 28 and 8 bits, zigzag. */
function putLong(bottom: number, middle: number, top: number, at: number): number {
  const low = bottom | (middle << 28);
  const high = (middle >>> 4) | (top << 24);
  const sign = -(low & 1);
  HALVES[0] = ((low >>> 1) | (high << 31)) ^ sign;
  HALVES[1] = (high >>> 1) ^ sign;
  return at;
}

function readLongWithin(bytes: Buffer, at: number, end: number): number {
  let low = 0;
  let high = 0;
  let byte = 0;
  let shift = 0;
  for (; shift < 28; shift += 7) {
    if (at >= end) return -1;
    byte = bytes[at++];
    low |= (byte & 0x7f) << shift;
    if (byte < 0x80) return putInt(low, at);
  }
  for (shift = 0; shift < 28; shift += 7) {
    if (at >= end) return -1;
    byte = bytes[at++];
    high |= (byte & 0x7f) << shift;
    if (byte < 0x80) break;
  }
  let top = 0;
  if (byte >= 0x80) {
    if (at >= end) return -1;
    byte = bytes[at++];
    top = byte & 0x7f;
    if (byte >= 0x80) {
      if (at >= end || bytes[at] > 1) return -1;
      top |= bytes[at++] << 7;
    }
  }
  return putLong(low, high, top, at);
}

/** A zigzag varint of at most 5 bytes and 32 bits → HALVES[0]. */
export function readInt(bytes: Buffer, at: number, end: number): number {
  let raw = 0;
  for (let shift = 0; shift < 28; shift += 7) {
    if (at >= end) return -1;
    const byte = bytes[at++];
    raw |= (byte & 0x7f) << shift;
    if (byte < 0x80) {
      HALVES[0] = (raw >>> 1) ^ -(raw & 1);
      return at;
    }
  }
  if (at >= end || bytes[at] > 0x0f) return -1;
  raw |= bytes[at++] << 28;
  HALVES[0] = (raw >>> 1) ^ -(raw & 1);
  return at;
}

export function skipLong(bytes: Buffer, at: number, end: number): number {
  for (let length = 1; length < 10; length++) {
    if (at >= end) return -1;
    if (bytes[at++] < 0x80) return at;
  }
  return at < end && bytes[at] <= 1 ? at + 1 : -1;
}

export function skipInt(bytes: Buffer, at: number, end: number): number {
  for (let length = 1; length < 5; length++) {
    if (at >= end) return -1;
    if (bytes[at++] < 0x80) return at;
  }
  return at < end && bytes[at] <= 0x0f ? at + 1 : -1;
}

/** The length of bytes or a string that lie in [at, end) → HALVES[0]. */
export function readLength(bytes: Buffer, at: number, end: number): number {
  const next = readLong(bytes, at, end);
  return next < 0 || HALVES[1] !== 0 || HALVES[0] < 0 || HALVES[0] > end - next ? -1 : next;
}

/**
 * The head of a block of an array or map → BLOCK. A count must fit the bytes that are left, at `itemBytes` or more per item. A
 * block that states its own length must keep to it.
 */
export function readBlock(bytes: Buffer, at: number, end: number, itemBytes: number): number {
  at = readLong(bytes, at, end);
  if (at < 0) return -1;
  let count = HALVES[1] * 4294967296 + (HALVES[0] >>> 0);
  let limit = end;
  BLOCK[1] = -1;
  if (count < 0) {
    count = -count;
    at = readLength(bytes, at, end);
    if (at < 0) return -1;
    limit = at + HALVES[0];
    BLOCK[1] = limit;
  }
  BLOCK[0] = count;
  if (itemBytes === 0 ? count > MAX_EMPTY_ITEMS : count > (limit - at) / itemBytes) return -1;
  return at;
}

/**
 * bytes[at..end), not empty, as a big-endian two's complement integer → UNSCALED: exact within ±2^53, beyond that with a
 * relative error of at most 2^-51.
 */
export function readUnscaled(bytes: Buffer, at: number, end: number): void {
  let value = bytes[at] > 127 ? -1 : 0;
  for (let odd = (end - at) & 3; odd > 0; odd--) value = value * 256 + bytes[at++];
  for (; at < end; at += 4) {
    const low = (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3];
    value = value * 4294967296 + (bytes[at] * 16777216 + low);
  }
  UNSCALED[0] = value;
}

export const RUNTIME = {
  HALVES,
  BLOCK,
  readLong,
  readInt,
  skipLong,
  skipInt,
  readLength,
  readBlock,
  readUnscaled,
  UNSCALED,
  validUtf8,
};
