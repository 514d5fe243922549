import { HALVES, readInt, readLength, readLong } from '../avro/runtime.ts';
import { putBytes } from '../avro/writers.ts';
import { MAX_DECIMAL_BYTES, MAX_DECIMAL_TEXT, significantFrom, writeDecimal } from '../decimal-digits.ts';
import { MAX_LONG_DIGITS, writeLongDigits } from '../digits.ts';
import { MAX_NUMBER_BYTES, writeFloat32, writeFloat64 } from './numbers.ts';
import { FALSE, NULL, TRUE } from './scan.ts';
import type { JsonShape } from './shape.ts';
import { maxTextBytes, writeLatin1, writeText } from './write.ts';

/** Text that grows: `bytes[0 .. used)`. */
export interface JsonOut {
  bytes: Buffer;
  used: number;
}

/**
 * Appends a value in Avro's binary encoding at bytes[at..], which a decoder has validated, as plain JSON. Returns the position
 * after it; -1: it contains a float that is not finite or a decimal longer than the limit, or is not a value of the type.
 *
 * Members follow the order of the schema; bytes and fixed are text of characters U+0000 to U+00FF; decimals are numbers with
 * all their digits; times are numbers in the schema's unit.
 */
export function writeAvroAsJson(out: JsonOut, shape: JsonShape, bytes: Buffer, at: number, end: number): number {
  switch (shape.type) {
    case 'null':
      room(out, 4);
      out.used = putBytes(out.bytes, out.used, NULL, 0, 4);
      return at;
    case 'boolean': {
      const word = bytes[at] === 1 ? TRUE : FALSE;
      room(out, 5);
      out.used = putBytes(out.bytes, out.used, word, 0, word.length);
      return at + 1;
    }
    case 'int':
    case 'long': {
      const behind = readLong(bytes, at, end);
      room(out, MAX_LONG_DIGITS);
      if (behind >= 0) out.used = writeLongDigits(out.bytes, out.used, HALVES[0], HALVES[1]);
      return behind;
    }
    case 'float':
    case 'double': {
      const isFloat = shape.type === 'float';
      const value = isFloat ? bytes.readFloatLE(at) : bytes.readDoubleLE(at);
      if (!Number.isFinite(value)) return -1;
      room(out, MAX_NUMBER_BYTES);
      out.used = isFloat ? writeFloat32(out.bytes, out.used, value) : writeFloat64(out.bytes, out.used, value);
      return at + (isFloat ? 4 : 8);
    }
    case 'string': {
      const start = readLength(bytes, at, end);
      return start < 0 ? -1 : putText(out, bytes, start, start + HALVES[0]);
    }
    case 'bytes':
    case 'fixed': {
      const start = shape.size >= 0 ? at : readLength(bytes, at, end);
      if (start < 0) return -1;
      const behind = start + (shape.size >= 0 ? shape.size : HALVES[0]);
      if (shape.decimal === undefined) {
        room(out, maxTextBytes(behind - start));
        out.used = writeLatin1(out.bytes, out.used, bytes, start, behind);
        return behind;
      }
      const from = significantFrom(bytes, start, behind);
      if (behind - from > MAX_DECIMAL_BYTES) return -1;
      room(out, MAX_DECIMAL_TEXT + shape.decimal.scale);
      out.used = writeDecimal(out.bytes, out.used, bytes, from, behind, shape.decimal.scale);
      return behind;
    }
    case 'enum': {
      const behind = readInt(bytes, at, end);
      const symbol = behind < 0 ? undefined : shape.symbols[HALVES[0]];
      return symbol === undefined || putText(out, symbol, 0, symbol.length) < 0 ? -1 : behind;
    }
    case 'union': {
      const behind = readInt(bytes, at, end);
      const branch = behind < 0 ? undefined : shape.parts[HALVES[0]];
      return branch === undefined ? -1 : writeAvroAsJson(out, branch, bytes, behind, end);
    }
    case 'array':
    case 'map':
      return putBlocks(out, shape, bytes, at, end);
    case 'record': {
      putByte(out, 0x7b);
      for (let f = 0; f < shape.fields.length && at >= 0; f++) {
        const { name, shape: inner } = shape.fields[f];
        if (f > 0) putByte(out, 0x2c);
        putText(out, name, 0, name.length);
        putByte(out, 0x3a);
        at = writeAvroAsJson(out, inner, bytes, at, end);
      }
      putByte(out, 0x7d);
      return at;
    }
  }
}

function putBlocks(out: JsonOut, { type, parts }: JsonShape, bytes: Buffer, at: number, end: number): number {
  const isMap = type === 'map';
  putByte(out, isMap ? 0x7b : 0x5b);
  for (let first = true; ; ) {
    at = readLong(bytes, at, end);
    if (at < 0) return -1;
    let count = HALVES[0];
    if (count === 0) break;
    if (count < 0) {
      count = -count;
      at = readLong(bytes, at, end);
    }
    for (; count > 0; count--) {
      if (!first) putByte(out, 0x2c);
      first = false;
      if (isMap) {
        const key = readLength(bytes, at, end);
        if (key < 0) return -1;
        at = putText(out, bytes, key, key + HALVES[0]);
        putByte(out, 0x3a);
      }
      at = writeAvroAsJson(out, parts[0], bytes, at, end);
      if (at < 0) return -1;
    }
  }
  putByte(out, isMap ? 0x7d : 0x5d);
  return at;
}

function putText(out: JsonOut, bytes: Buffer, start: number, end: number): number {
  room(out, maxTextBytes(end - start));
  out.used = writeText(out.bytes, out.used, bytes, start, end);
  return end;
}

function putByte(out: JsonOut, byte: number): void {
  room(out, 1);
  out.bytes[out.used++] = byte;
}

function room(out: JsonOut, bytes: number): void {
  if (out.used + bytes <= out.bytes.length) return;
  const larger = Buffer.allocUnsafeSlow(2 * (out.used + bytes));
  out.bytes.copy(larger, 0, 0, out.used);
  out.bytes = larger;
}
