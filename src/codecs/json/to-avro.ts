import type { RawColumn } from '../../kernel/columns.ts';
import { rawByte, rawBytes, rawDouble, rawFloat, rawIndex, rawLong } from '../avro/raw-out.ts';
import { MAX_DEPTH } from '../avro/schema.ts';
import { symbolAt } from '../symbols.ts';
import { DOUBLE, FLOAT, fitNumber, INT, LONG } from './fields.ts';
import { appendBytes, appendDecimal, appendText } from './leaves.ts';
import { FALSE, isDigit, type JsonCursor, NULL, TRUE } from './scan.ts';
import type { JsonShape, JsonShapeField } from './shape.ts';
import { readLongDigits } from './text.ts';
import { readTime } from './times.ts';

const QUOTE = 0x22;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const COMMA = 0x2c;
const MINUS = 0x2d;

const WORDS = new Int32Array(2);
const COUNT = new Float64Array(1);

/**
 * Appends a plain JSON value, the cursor before it, to a raw column in Avro's binary encoding. False: it is not of the type, by
 * the rules of compileJsonDecoder, and what was appended is meaningless.
 *
 * In a union, the first branch of the value's kind is taken: for numbers the first that can hold it; for text an enum with that
 * symbol, else string, else the first time that it is; for objects the first record that has all required fields. Bytes are text
 * of characters U+0000 to U+00FF or a list of float32; decimals and times are numbers or text. If a member occurs twice, its
 * last value counts. Limit: an object's members are scanned once for each level around them.
 */
export function writeJsonAsAvro(cursor: JsonCursor, shape: JsonShape, out: RawColumn, depth: number): boolean {
  if (depth > MAX_DEPTH) return false;
  const byte = cursor.peek();
  const { type } = shape;
  switch (type) {
    case 'union': {
      const branch = branchOf(cursor, shape.parts, byte, out, depth);
      if (branch < 0) return false;
      rawIndex(out, branch);
      return writeJsonAsAvro(cursor, shape.parts[branch], out, depth);
    }
    case 'null':
      return cursor.literal(NULL);
    case 'boolean':
      rawByte(out, byte === 0x74 ? 1 : 0);
      return cursor.literal(byte === 0x74 ? TRUE : FALSE);
    case 'int':
    case 'long':
      return writeWhole(cursor, shape, out, byte);
    case 'float':
    case 'double': {
      if (!cursor.number()) return false;
      const value = fitNumber(type === 'float' ? FLOAT : DOUBLE, cursor.value);
      if (type === 'float') rawFloat(out, value);
      else rawDouble(out, value);
      return !Number.isNaN(value);
    }
    case 'string':
      return byte === QUOTE && cursor.string() && appendText(cursor, out);
    case 'enum': {
      if (byte !== QUOTE || !cursor.string() || cursor.escaped) return false;
      const index = symbolAt(shape.symbols, cursor.bytes, cursor.textStart, cursor.textEnd);
      if (index >= 0) rawIndex(out, index);
      return index >= 0;
    }
    case 'bytes':
    case 'fixed':
      return shape.decimal === undefined
        ? appendBytes(cursor, shape, out, byte)
        : appendDecimal(cursor, shape, out, byte);
    case 'array':
      return byte === OPEN_BRACKET && writeItems(cursor, shape.parts[0], out, depth);
    case 'map':
      return byte === OPEN_BRACE && writeMap(cursor, shape.parts[0], out, depth);
    case 'record':
      return byte === OPEN_BRACE && writeRecord(cursor, shape.fields, out, depth);
  }
}

/** Index of the branch that a value belongs to, by its first byte; -1: none. */
function branchOf(
  cursor: JsonCursor,
  branches: readonly JsonShape[],
  byte: number,
  out: RawColumn,
  depth: number,
): number {
  const isNumber = byte === MINUS || isDigit(byte);
  // Types with a JSON form of their own come before those that can only be written as text or as a list.
  for (let pass = 0; pass < 2; pass++) {
    for (let k = 0; k < branches.length; k++) {
      const branch = branches[k];
      if ((pass === 0) !== isNative(branch, byte)) continue;
      const begin = cursor.at;
      const { used } = out;
      // Decimals, sized types and times as text must be tried: only digits, length and form tell them from others.
      const isTried =
        branch.decimal !== undefined || branch.type === 'fixed' || (byte === QUOTE && branch.time !== undefined);
      const fits = isTried
        ? writeJsonAsAvro(cursor, branch, out, depth)
        : isNumber
          ? numberFits(cursor, branch.type)
          : tokenFits(cursor, branch, byte, depth);
      cursor.at = begin;
      out.used = used;
      if (fits) return k;
    }
  }
  return -1;
}

function isNative({ type }: JsonShape, byte: number): boolean {
  if (byte === QUOTE) return type === 'string' || type === 'enum';
  return byte !== OPEN_BRACKET || type === 'array';
}

function numberFits(cursor: JsonCursor, type: JsonShape['type']): boolean {
  const bits =
    type === 'int' ? INT : type === 'long' ? LONG : type === 'float' ? FLOAT : type === 'double' ? DOUBLE : 0;
  if (bits === 0 || !cursor.number()) return false;
  if (bits === LONG && cursor.isInteger) return readLongDigits(cursor.bytes, cursor.numberStart, cursor.at, WORDS, 0);
  const value = fitNumber(bits, cursor.value);
  return !Number.isNaN(value);
}

function tokenFits(cursor: JsonCursor, shape: JsonShape, byte: number, depth: number): boolean {
  const { type } = shape;
  switch (byte) {
    case 0x6e:
      return type === 'null';
    case 0x74:
    case 0x66:
      return type === 'boolean';
    case OPEN_BRACKET:
      return type === 'array' || type === 'bytes';
    case OPEN_BRACE:
      return type === 'map' || (type === 'record' && findMembers(cursor, shape.fields, depth));
    case QUOTE:
      if (type === 'enum') {
        if (!cursor.string() || cursor.escaped) return false;
        return symbolAt(shape.symbols, cursor.bytes, cursor.textStart, cursor.textEnd) >= 0;
      }
      return type === 'string' || type === 'bytes';
    default:
      return false;
  }
}

function writeWhole(cursor: JsonCursor, { type, time }: JsonShape, out: RawColumn, byte: number): boolean {
  if (byte === QUOTE) {
    if (time === undefined || !cursor.string() || cursor.escaped) return false;
    if (!readTime(cursor.bytes, cursor.textStart, cursor.textEnd, time, COUNT, 0)) return false;
    rawLong(out, (COUNT[0] % 4294967296) | 0, Math.floor(COUNT[0] / 4294967296));
    return true;
  }
  if (!cursor.number()) return false;
  if (type === 'long' && cursor.isInteger) {
    if (!readLongDigits(cursor.bytes, cursor.numberStart, cursor.at, WORDS, 0)) return false;
    rawLong(out, WORDS[0], WORDS[1]);
    return true;
  }
  const value = fitNumber(type === 'int' ? INT : LONG, cursor.value);
  rawLong(out, value | 0, Math.floor(value / 4294967296));
  return !Number.isNaN(value);
}

/** Each item is a block of its own: counting them first would take another scan. */
function writeItems(cursor: JsonCursor, items: JsonShape, out: RawColumn, depth: number): boolean {
  cursor.at++;
  if (cursor.peek() === CLOSE_BRACKET) {
    cursor.at++;
    rawByte(out, 0);
    return true;
  }
  for (;;) {
    rawIndex(out, 1);
    if (!writeJsonAsAvro(cursor, items, out, depth + 1)) return false;
    const next = cursor.peek();
    cursor.at++;
    if (next === CLOSE_BRACKET) break;
    if (next !== COMMA) return false;
  }
  rawByte(out, 0);
  return true;
}

function writeMap(cursor: JsonCursor, values: JsonShape, out: RawColumn, depth: number): boolean {
  cursor.at++;
  if (cursor.peek() === CLOSE_BRACE) {
    cursor.at++;
    rawByte(out, 0);
    return true;
  }
  for (;;) {
    if (!cursor.name()) return false;
    rawIndex(out, 1);
    if (!appendText(cursor, out) || !writeJsonAsAvro(cursor, values, out, depth + 1)) return false;
    const next = cursor.peek();
    cursor.at++;
    if (next === CLOSE_BRACE) break;
    if (next !== COMMA) return false;
  }
  rawByte(out, 0);
  return true;
}

/** Where each field's value begins (0: absent), one level of nesting after the other. */
let places = new Int32Array(256);
let placesUsed = 0;

/** Scans the members of an object; their places start at `placesUsed`. False: not an object, or a required member is absent. */
function findMembers(cursor: JsonCursor, fields: readonly JsonShapeField[], depth: number): boolean {
  const base = placesUsed;
  if (base + fields.length > places.length) {
    const more = new Int32Array(2 * (base + fields.length));
    more.set(places);
    places = more;
  }
  places.fill(0, base, base + fields.length);
  cursor.at++;
  if (cursor.peek() === CLOSE_BRACE) cursor.at++;
  else {
    for (;;) {
      if (!cursor.name()) return false;
      const f = fieldNamed(cursor, fields);
      cursor.peek();
      if (f >= 0) places[base + f] = cursor.at;
      if (depth >= MAX_DEPTH || !cursor.skip(depth + 1)) return false;
      const next = cursor.peek();
      cursor.at++;
      if (next === CLOSE_BRACE) break;
      if (next !== COMMA) return false;
    }
  }
  for (let f = 0; f < fields.length; f++) {
    if (places[base + f] === 0 && fields[f].constant === undefined) return false;
  }
  return true;
}

function fieldNamed({ bytes, textStart, textEnd }: JsonCursor, fields: readonly JsonShapeField[]): number {
  const length = textEnd - textStart;
  for (let f = 0; f < fields.length; f++) {
    const { name } = fields[f];
    let k = name.length === length ? 0 : length + 1;
    while (k < length && bytes[textStart + k] === name[k]) k++;
    if (k === length) return f;
  }
  return -1;
}

function writeRecord(cursor: JsonCursor, fields: readonly JsonShapeField[], out: RawColumn, depth: number): boolean {
  if (!findMembers(cursor, fields, depth)) return false;
  const behind = cursor.at;
  const base = placesUsed;
  placesUsed = base + fields.length;
  let isThere = true;
  for (let f = 0; f < fields.length && isThere; f++) {
    cursor.at = places[base + f];
    if (cursor.at > 0) isThere = writeJsonAsAvro(cursor, fields[f].shape, out, depth + 1);
    else {
      const constant = fields[f].constant as Buffer;
      rawBytes(out, constant, 0, constant.length);
    }
  }
  placesUsed = base;
  cursor.at = behind;
  return isThere;
}
