import type { RawColumn } from '../../kernel/columns.ts';
import { rawBytes, rawFloat, rawIndex, rawRoom } from '../avro/raw-out.ts';
import { MAX_DECIMAL_BYTES, putDecimal } from '../decimal-digits.ts';
import type { JsonCursor } from './scan.ts';
import type { JsonShape } from './shape.ts';
import { resolveEscapes } from './text.ts';

/** Text, bytes and decimals from JSON, appended to a raw column; see writeJsonAsAvro. */
const QUOTE = 0x22;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const COMMA = 0x2c;

/** The cursor's last string after its length; resolving escapes only shortens it. */
export function appendText(cursor: JsonCursor, out: RawColumn): boolean {
  const { bytes, textStart, textEnd } = cursor;
  if (!cursor.escaped) {
    rawIndex(out, textEnd - textStart);
    rawBytes(out, bytes, textStart, textEnd);
    return true;
  }
  if (!rawRoom(out, textEnd - textStart + MAX_LENGTH)) return true;
  const text = out.used + MAX_LENGTH;
  const end = resolveEscapes(bytes, textStart, textEnd, out.bytes, text);
  if (end < 0) return false;
  rawIndex(out, end - text);
  out.bytes.copyWithin(out.used, text, end);
  out.used += end - text;
  return true;
}

const MAX_LENGTH = 5;

/** Characters as bytes, each of one or two bytes in UTF-8; or numbers as float32. */
export function appendBytes(cursor: JsonCursor, { size }: JsonShape, out: RawColumn, byte: number): boolean {
  const isFixed = size >= 0;
  const before = out.used;
  if (!rawRoom(out, MAX_LENGTH)) return true;
  const start = isFixed ? before : before + MAX_LENGTH;
  out.used = start;
  const isText = byte === QUOTE && cursor.string() && appendLatin1(cursor, out);
  if (!isText && (byte !== OPEN_BRACKET || !appendFloats(cursor, out))) return false;
  const length = out.used - start;
  if (isFixed) return length === size || out.isOver;
  out.used = before;
  rawIndex(out, length);
  out.bytes.copyWithin(out.used, start, start + length);
  out.used += length;
  return true;
}

function appendLatin1(cursor: JsonCursor, out: RawColumn): boolean {
  const { textStart, textEnd } = cursor;
  if (!rawRoom(out, textEnd - textStart)) return true;
  const start = out.used;
  const end = resolveEscapes(cursor.bytes, textStart, textEnd, out.bytes, start);
  if (end < 0) return false;
  const { bytes } = out;
  let at = start;
  for (let k = start; k < end; k++) {
    const byte = bytes[k];
    if (byte > 0xc3) return false;
    bytes[at++] = byte < 0x80 ? byte : ((byte & 3) << 6) | (bytes[++k] & 0x3f);
  }
  out.used = at;
  return true;
}

function appendFloats(cursor: JsonCursor, out: RawColumn): boolean {
  cursor.at++;
  if (cursor.peek() === CLOSE_BRACKET) {
    cursor.at++;
    return true;
  }
  for (;;) {
    cursor.peek();
    if (!cursor.number()) return false;
    rawFloat(out, Math.fround(cursor.value));
    const next = cursor.peek();
    cursor.at++;
    if (next === CLOSE_BRACKET) return true;
    if (next !== COMMA) return false;
  }
}

/** A decimal, given as a number or as text; preceded by its length unless the type has a size. */
export function appendDecimal(cursor: JsonCursor, shape: JsonShape, out: RawColumn, byte: number): boolean {
  const { decimal, size } = shape;
  if (decimal === undefined || !(byte === QUOTE ? cursor.string() : cursor.number())) return false;
  const start = byte === QUOTE ? cursor.textStart : cursor.numberStart;
  const end = byte === QUOTE ? cursor.textEnd : cursor.at;
  if (!rawRoom(out, Math.max(size, MAX_DECIMAL_BYTES) + MAX_LENGTH)) return true;
  const at = size < 0 ? out.used + MAX_LENGTH : out.used;
  const behind = putDecimal(cursor.bytes, start, end, decimal, size, out.bytes, at);
  if (behind < 0) return false;
  if (size < 0) rawIndex(out, behind - at);
  out.bytes.copyWithin(out.used, at, behind);
  out.used += behind - at;
  return true;
}
