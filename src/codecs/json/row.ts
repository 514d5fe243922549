import { isUtf8 } from 'node:buffer';
import type { Column, LongColumn, RawColumn, StringColumn, VectorColumn } from '../../kernel/columns.ts';
import { putDefault } from '../avro/default-entry.ts';
import { beginRaw, endRaw } from '../avro/raw-out.ts';
import { DOUBLE, fitNumber, INT, type JsonField, LONG, textFits } from './fields.ts';
import { FALSE, JsonCursor, NULL, TRUE } from './scan.ts';
import { readLongDigits, resolveEscapes } from './text.ts';
import { readFirstTime } from './times.ts';
import { writeJsonAsAvro } from './to-avro.ts';
import { readItems } from './vector.ts';

const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const COMMA = 0x2c;
const QUOTE = 0x22;
const LOWER_T = 0x74;
const LOWER_F = 0x66;
const LOWER_N = 0x6e;

/** A time that goes to a column of longs. */
const COUNT = new Float64Array(1);

/** Containers open around a member's value, and around an item of a vector. */
const IN_OBJECT = 1;

/** Reads the JSON objects of one frame into its columns: what compileJsonDecoder promises is kept here. */
export class JsonRowReader {
  private readonly arena: Buffer;
  private readonly fields: readonly JsonField[];
  private readonly columns: readonly Column[];
  /** Field → slot by slot, where its default's text stands in the column. */
  private readonly textBases: readonly (readonly number[])[];
  private readonly cursor: JsonCursor;
  /** Field → the last reading that met it. */
  private readonly seenIn: Float64Array;
  private reading = 0;
  private expected = 0;
  private from = 0;

  constructor(
    arena: Buffer,
    fields: readonly JsonField[],
    columns: readonly Column[],
    textBases: readonly (readonly number[])[],
  ) {
    this.arena = arena;
    this.fields = fields;
    this.columns = columns;
    this.textBases = textBases;
    this.cursor = new JsonCursor(arena);
    this.seenIn = new Float64Array(fields.length);
  }

  read(start: number, end: number, i: number): boolean {
    const { cursor } = this;
    this.reading++;
    this.expected = 0;
    cursor.start(start, end);
    this.from = start;
    if (cursor.peek() !== OPEN_BRACE) return false;
    cursor.at++;
    if (!this.readMembers(i) || cursor.peek() !== -1) return false;
    if (cursor.nonAscii && !isUtf8(this.arena.subarray(start, end))) return false;
    return this.fillAbsent(i);
  }

  private readMembers(i: number): boolean {
    const { cursor } = this;
    if (cursor.peek() === CLOSE_BRACE) {
      cursor.at++;
      return true;
    }
    for (;;) {
      if (!cursor.name()) return false;
      const f = this.fieldNamed();
      if (f < 0 ? !cursor.skip(IN_OBJECT) : !this.readField(f, i)) return false;
      const next = cursor.peek();
      cursor.at++;
      if (next === CLOSE_BRACE) return true;
      if (next !== COMMA) return false;
    }
  }

  /** The field that the cursor's last string names, or -1. Producers keep one order of fields, so the next one is tried first. */
  private fieldNamed(): number {
    const { fields, cursor } = this;
    if (cursor.escaped) {
      const name: unknown = JSON.parse(this.arena.toString('utf8', cursor.textStart - 1, cursor.textEnd + 1));
      return fields.findIndex((field) => field.name === name);
    }
    let f = this.expected;
    for (let tried = 0; tried < fields.length; tried++) {
      if (f >= fields.length) f = 0;
      if (this.spells(fields[f].nameBytes)) {
        this.expected = f + 1;
        return f;
      }
      f++;
    }
    return -1;
  }

  private spells(name: Buffer): boolean {
    const { arena } = this;
    const { textStart, textEnd } = this.cursor;
    if (name.length !== textEnd - textStart) return false;
    for (let k = 0; k < name.length; k++) if (arena[textStart + k] !== name[k]) return false;
    return true;
  }

  private readField(f: number, i: number): boolean {
    const { cursor, columns } = this;
    const field = this.fields[f];
    const { slots } = field;
    this.seenIn[f] = this.reading;
    const byte = cursor.peek();
    if (byte === LOWER_N && field.isPlain) {
      for (let k = 0; k < slots.length; k++) putMissing(columns[slots[k]], i);
      return field.nullable && cursor.literal(NULL);
    }
    const begin = cursor.at;
    for (let k = 0; k < slots.length; k++) {
      cursor.at = begin;
      if (!this.readEntry(field, columns[slots[k]], byte, i)) return false;
    }
    return true;
  }

  private readEntry(field: JsonField, column: Column, byte: number, i: number): boolean {
    if (!field.isPlain) {
      if (column.kind === 'raw') return this.readRaw(field, column, i);
      if (byte === LOWER_N) {
        putMissing(column, i);
        return field.nullable && this.cursor.literal(NULL);
      }
      if (isOther(field, column.kind, byte)) {
        putMissing(column, i);
        return this.cursor.skip(IN_OBJECT);
      }
    }
    switch (column.kind) {
      case 'number':
        if (byte === LOWER_T || byte === LOWER_F) {
          column.values[i] = byte === LOWER_T ? 1 : 0;
          return field.allowsBoolean && this.cursor.literal(byte === LOWER_T ? TRUE : FALSE);
        }
        if (byte === QUOTE) return this.readQuoted(field, column.values, i);
        return this.readNumber(field.numbers, column.values, i);
      case 'long':
        return this.readLong(field, column, i, byte);
      case 'string':
        return byte === QUOTE && field.allowsText && this.readText(field, column, i);
      case 'vector':
        return byte === OPEN_BRACKET && this.readVector(field, column, i);
      default:
        return false;
    }
  }

  private readNumber(types: number, into: Float64Array, at: number): boolean {
    if (!this.cursor.number()) return false;
    const value = fitNumber(types, this.cursor.value);
    into[at] = value;
    return !Number.isNaN(value);
  }

  private readRaw({ shape }: JsonField, column: RawColumn, i: number): boolean {
    beginRaw(column, i, this.cursor.end - this.from);
    return shape !== undefined && writeJsonAsAvro(this.cursor, shape, column, IN_OBJECT) && endRaw(column, i);
  }

  /** A number that JSON has as text: a decimal, a time. */
  private readQuoted({ quotedDecimal, quotedTimes }: JsonField, into: Float64Array, at: number): boolean {
    const { cursor, arena } = this;
    if ((!quotedDecimal && quotedTimes.length === 0) || !cursor.string() || cursor.escaped) return false;
    const { at: next, end, textStart, textEnd } = cursor;
    if (readFirstTime(arena, textStart, textEnd, quotedTimes, into, at)) return true;
    if (!quotedDecimal || textStart === textEnd) return false;
    cursor.at = textStart;
    cursor.end = textEnd;
    const isThere = this.readNumber(DOUBLE, into, at) && cursor.at === textEnd;
    cursor.at = next;
    cursor.end = end;
    return isThere;
  }

  private readLong({ numbers: types, quotedTimes }: JsonField, column: LongColumn, i: number, byte: number): boolean {
    const { cursor } = this;
    if (byte === QUOTE && quotedTimes.length > 0) {
      if (!cursor.string() || cursor.escaped) return false;
      if (!readFirstTime(this.arena, cursor.textStart, cursor.textEnd, quotedTimes, COUNT, 0)) return false;
      column.words[2 * i] = (COUNT[0] % 4294967296) | 0;
      column.words[2 * i + 1] = Math.floor(COUNT[0] / 4294967296);
      column.present[i] = 1;
      return true;
    }
    if ((types & (INT | LONG)) === 0 || !cursor.number()) return false;
    column.present[i] = 1;
    if (cursor.isInteger && (types & LONG) !== 0) {
      return readLongDigits(this.arena, cursor.numberStart, cursor.at, column.words, i);
    }
    const value = fitNumber(types & (INT | LONG), cursor.value);
    column.words[2 * i] = value | 0;
    column.words[2 * i + 1] = Math.floor(value / 4294967296);
    return !Number.isNaN(value);
  }

  /** Text with escapes is resolved in place, in a copy of the arena that the column then owns: it only gets shorter. */
  private readText(field: JsonField, column: StringColumn, i: number): boolean {
    const { cursor, arena } = this;
    if (!cursor.string()) return false;
    const { textStart } = cursor;
    let { textEnd } = cursor;
    if (cursor.escaped) {
      if (column.bytes === arena) column.bytes = Buffer.from(arena);
      textEnd = resolveEscapes(arena, textStart, textEnd, column.bytes, textStart);
      if (textEnd < 0) return false;
    }
    column.start[i] = textStart;
    column.end[i] = textEnd;
    return textFits(field, column.bytes, textStart, textEnd);
  }

  private readVector(field: JsonField, column: VectorColumn, i: number): boolean {
    const { cursor } = this;
    const first = i * column.width;
    const last = first + column.width;
    column.present[i] = 1;
    cursor.at++;
    if (cursor.peek() === CLOSE_BRACKET) {
      cursor.at++;
      return first === last;
    }
    return readItems(cursor, field.items, column.values, first, last);
  }

  private fillAbsent(i: number): boolean {
    const { fields, columns, seenIn } = this;
    for (let f = 0; f < fields.length; f++) {
      if (seenIn[f] === this.reading) continue;
      const { slots, fallback, optional } = fields[f];
      if (!optional) return false;
      for (let k = 0; k < slots.length; k++) {
        const entry = fallback[k];
        if (entry !== undefined) putDefault(columns[slots[k]], entry, this.textBases[f][k], i);
      }
    }
    return true;
  }
}

/** Whether a value that begins with `byte` is of a branch of the field's union that such a column does not hold. */
function isOther(field: JsonField, kind: Column['kind'], byte: number): boolean {
  if (byte === OPEN_BRACE) return field.allowsObject;
  if (byte === OPEN_BRACKET) return kind !== 'vector' && field.allowsList;
  if (byte === QUOTE) return kind !== 'string' && field.allowsText;
  if (byte === LOWER_T || byte === LOWER_F) return kind !== 'number' && field.allowsBoolean;
  return (kind === 'string' || kind === 'vector') && field.numbers !== 0;
}

/** A null after a value, in an object that names a field twice, takes the value back. */
function putMissing(column: Column, i: number): void {
  if (column.kind === 'number') column.values[i] = Number.NaN;
  else if (column.kind === 'string') column.start[i] = -1;
  else if (column.kind !== 'label' && column.kind !== 'raw') column.present[i] = 0;
}
