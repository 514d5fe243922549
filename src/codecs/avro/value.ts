import { MAX_DECIMAL_BYTES, MAX_DECIMAL_TEXT, significantFrom, writeDecimal } from '../decimal-digits.ts';
import { validUtf8 } from '../utf8.ts';
import { BLOCK, HALVES, readBlock, readInt, readLength, readLong } from './runtime.ts';
import { type AvroRecord, type AvroType, type Decimal, MAX_DEPTH, parseAvroSchema } from './schema.ts';

/**
 * Avro binary → a value for people and their tools: every field of the writer, nothing resolved or renamed.
 *
 * Promise: total over any bytes, bounded as the decoder is (counts are checked against the bytes left, 64 levels); undefined
 * if they are not exactly one value of the schema. Records and maps become objects, unions the value of their branch, longs
 * beyond ±(2^53−1) their digits, floats that JSON cannot express their names, bytes and fixed `0x…`, decimals numbers, or their
 * digits if a number cannot hold them; other logical types keep their underlying value. Limit: an object per value; the path
 * decodes with decoder.ts.
 */
export function createAvroReader(schema: unknown): (bytes: Buffer, start: number) => unknown {
  const type = parseAvroSchema(schema, 'schema-incompatible');
  return (bytes, start) => {
    const cursor = { bytes, at: start, empty: 0 };
    const value = readValue(type, cursor, 0);
    return cursor.at === bytes.length ? value : undefined;
  };
}

interface Cursor {
  readonly bytes: Buffer;
  /** -1 once something did not fit. */
  at: number;
  /** Items so far that took no bytes: nested lists of nulls would multiply what each block may claim. */
  empty: number;
}

const MAX_EMPTY_ITEMS = 65_536;

/** Undefined if it does not fit; `cursor.at` is then -1. */
function readValue(type: AvroType, cursor: Cursor, depth: number): unknown {
  const { bytes } = cursor;
  const end = bytes.length;
  if (depth > MAX_DEPTH) return fail(cursor);
  switch (type.type) {
    case 'null':
      return null;
    case 'boolean':
      return cursor.at < end && bytes[cursor.at] <= 1 ? bytes[cursor.at++] === 1 : fail(cursor);
    case 'int':
      return move(cursor, readInt(bytes, cursor.at, end)) ? HALVES[0] : undefined;
    case 'long':
      return move(cursor, readLong(bytes, cursor.at, end)) ? longOf(HALVES[0], HALVES[1]) : undefined;
    case 'float':
      return step(cursor, 4) ? numberOf(shortest(bytes.readFloatLE(cursor.at - 4))) : undefined;
    case 'double':
      return step(cursor, 8) ? numberOf(bytes.readDoubleLE(cursor.at - 8)) : undefined;
    case 'string': {
      if (!sized(cursor)) return undefined;
      const start = cursor.at - HALVES[0];
      return validUtf8(bytes, start, cursor.at) ? bytes.toString('utf8', start, cursor.at) : fail(cursor);
    }
    case 'bytes':
      return sized(cursor) ? bytesOf(type.decimal, bytes, cursor.at - HALVES[0], cursor.at) : undefined;
    case 'fixed':
      return step(cursor, type.size) ? bytesOf(type.decimal, bytes, cursor.at - type.size, cursor.at) : undefined;
    case 'enum':
      return move(cursor, readInt(bytes, cursor.at, end)) ? (type.symbols[HALVES[0]] ?? fail(cursor)) : undefined;
    case 'union': {
      if (!move(cursor, readInt(bytes, cursor.at, end))) return undefined;
      const branch = type.branches[HALVES[0]];
      return branch === undefined ? fail(cursor) : readValue(branch, cursor, depth + 1);
    }
    case 'record':
      return readRecord(type, cursor, depth);
    case 'array':
      return readArray(type.items, cursor, depth);
    case 'map':
      return readMap(type.values, cursor, depth);
  }
}

function readRecord(type: AvroRecord, cursor: Cursor, depth: number): unknown {
  const entries: [string, unknown][] = [];
  for (const field of type.fields) {
    entries.push([field.name, readValue(field.type, cursor, depth + 1)]);
    if (cursor.at < 0) return undefined;
  }
  return Object.fromEntries(entries);
}

function readArray(items: AvroType, cursor: Cursor, depth: number): unknown {
  const values: unknown[] = [];
  const isRead = readItems(cursor, leastBytes(items), () => {
    values.push(readValue(items, cursor, depth + 1));
  });
  return isRead ? values : undefined;
}

function readMap(type: AvroType, cursor: Cursor, depth: number): unknown {
  const entries: [string, unknown][] = [];
  const isRead = readItems(cursor, 1 + leastBytes(type), () => {
    if (!sized(cursor)) return;
    const name = cursor.bytes.toString('utf8', cursor.at - HALVES[0], cursor.at);
    entries.push([name, readValue(type, cursor, depth + 1)]);
  });
  return isRead ? Object.fromEntries(entries) : undefined;
}

function readItems(cursor: Cursor, itemBytes: number, item: () => void): boolean {
  for (;;) {
    if (!move(cursor, readBlock(cursor.bytes, cursor.at, cursor.bytes.length, itemBytes))) return false;
    const [count, limit] = BLOCK;
    if (count === 0) return true;
    for (let k = 0; k < count; k++) {
      const before = cursor.at;
      item();
      if (cursor.at === before && ++cursor.empty > MAX_EMPTY_ITEMS) fail(cursor);
      if (cursor.at < 0) return false;
    }
    if (limit >= 0 && cursor.at !== limit) {
      fail(cursor);
      return false;
    }
  }
}

/** The least bytes that a value takes; `open` are the records around it. */
function leastBytes(type: AvroType, open: readonly AvroType[] = []): number {
  switch (type.type) {
    case 'null':
      return 0;
    case 'float':
      return 4;
    case 'double':
      return 8;
    case 'fixed':
      return type.size;
    case 'record': {
      if (open.includes(type)) return 0;
      const inside = [...open, type];
      return type.fields.reduce((sum, field) => sum + leastBytes(field.type, inside), 0);
    }
    default:
      return 1;
  }
}

function move(cursor: Cursor, at: number): boolean {
  cursor.at = at;
  return at >= 0;
}

function step(cursor: Cursor, bytes: number): boolean {
  return move(cursor, bytes > cursor.bytes.length - cursor.at ? -1 : cursor.at + bytes);
}

/** Skips a length and the bytes that it announces; HALVES[0] is the length. */
function sized(cursor: Cursor): boolean {
  const at = readLength(cursor.bytes, cursor.at, cursor.bytes.length);
  return move(cursor, at < 0 ? -1 : at + HALVES[0]);
}

function fail(cursor: Cursor): undefined {
  cursor.at = -1;
  return undefined;
}

function longOf(low: number, high: number): number | string {
  const value = high * 4294967296 + (low >>> 0);
  return Number.isSafeInteger(value) ? value : ((BigInt(high) << 32n) | BigInt(low >>> 0)).toString();
}

function numberOf(value: number): number | string {
  return Number.isFinite(value) ? value : String(value);
}

/** A decimal as a number if that keeps all digits, otherwise as text. */
function bytesOf(decimal: Decimal | undefined, bytes: Buffer, start: number, end: number): number | string {
  if (decimal === undefined || end === start) return hexOf(bytes, start, end);
  const from = significantFrom(bytes, start, end);
  if (end - from > MAX_DECIMAL_BYTES) return hexOf(bytes, start, end);
  const room = Buffer.alloc(MAX_DECIMAL_TEXT + decimal.scale);
  const text = room.toString('latin1', 0, writeDecimal(room, 0, bytes, from, end, decimal.scale));
  return text.replace(/\D/g, '').length <= 15 ? Number(text) : text;
}

function hexOf(bytes: Buffer, start: number, end: number): string {
  return `0x${bytes.toString('hex', start, end)}`;
}

/** The number with the fewest digits that is the same float32: 0.1 in place of 0.10000000149011612. */
export function shortest(value: number): number {
  if (!Number.isFinite(value) || Number.isInteger(value) || Math.fround(value) !== value) return value;
  for (let digits = 6; digits < 9; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === value) return short;
  }
  return Number(value.toPrecision(9));
}
