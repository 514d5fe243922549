import { isUtf8 } from 'node:buffer';
import type { Column, LongColumn, RawColumn, StringColumn, VectorColumn } from '../../kernel/columns.ts';
import { type DefaultEntry, putDefault, putMissing } from '../avro/default-entry.ts';
import { beginRaw, endRaw } from '../avro/raw-out.ts';
import { MAX_DEPTH } from '../avro/schema.ts';
import { type Absent, DOUBLE, fitNumber, INT, isOther, type JsonField, LONG, textFits } from './fields.ts';
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

/** A time on its way to a column of longs. */
const COUNT = new Float64Array(1);

/** Where the text of an entry begins in a column; called once a frame. */
export type TextBase = (entry: DefaultEntry | undefined, column: Column) => number;

interface Put extends Absent {
  readonly base: number;
}

/**
 * Reads the JSON objects of one frame into its columns, keeping the promises of compileJsonDecoder. Each nested record has a
 * reader of its own, created by this one and sharing its cursor.
 */
export class JsonRowReader {
  private readonly arena: Buffer;
  private readonly fields: readonly JsonField[];
  private readonly columns: readonly Column[];
  /** Field → what its columns get if it is absent. */
  private readonly absent: readonly (readonly Put[])[];
  private readonly cursor: JsonCursor;
  /** Number of containers open around a member's value. */
  private readonly depth: number;
  /** Field → reader of the nested record, if any of its fields are wanted. */
  private readonly inner: readonly (JsonRowReader | undefined)[];
  private readonly isFlat: boolean;
  /** Field → number of the last read that found it. */
  private readonly seenIn: Float64Array;
  private reading = 0;
  private expected = 0;

  constructor(
    arena: Buffer,
    fields: readonly JsonField[],
    columns: readonly Column[],
    baseOf: TextBase,
    cursor = new JsonCursor(arena),
    depth = 1,
  ) {
    this.arena = arena;
    this.fields = fields;
    this.columns = columns;
    this.cursor = cursor;
    this.depth = depth;
    this.seenIn = new Float64Array(fields.length);
    // Columns arrive with everything missing; only a record that occurs twice leaves something to reset.
    this.absent = fields.map(({ fallback }) =>
      fallback
        .filter(({ entry }) => depth > 1 || entry !== undefined)
        .map(({ slot, entry }) => ({ slot, entry, base: baseOf(entry, columns[slot]) })),
    );
    this.inner = fields.map(({ inner }) =>
      inner.length === 0 ? undefined : new JsonRowReader(arena, inner, columns, baseOf, cursor, depth + 1),
    );
    this.isFlat = fields.every(({ inner }) => inner.length === 0);
  }

  read(start: number, end: number, i: number): boolean {
    const { cursor } = this;
    this.reading++;
    this.expected = 0;
    cursor.start(start, end);
    if (cursor.peek() !== OPEN_BRACE) return false;
    cursor.at++;
    if (!this.readMembers(i) || cursor.peek() !== -1) return false;
    if (cursor.nonAscii && !isUtf8(this.arena.subarray(start, end))) return false;
    return this.fillAbsent(i);
  }

  /** The record whose brace is at the cursor. */
  private readRecord(i: number): boolean {
    if (this.depth > MAX_DEPTH) return false;
    this.reading++;
    this.expected = 0;
    this.cursor.at++;
    return this.readMembers(i) && this.fillAbsent(i);
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
      if (f < 0 ? !cursor.skip(this.depth) : !this.readField(f, i)) return false;
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
    return this.isFlat || this.readInner(f, begin, byte, i);
  }

  /** The wanted fields of a nested record. */
  private readInner(f: number, begin: number, byte: number, i: number): boolean {
    const { cursor } = this;
    const field = this.fields[f];
    const inner = this.inner[f];
    if (inner === undefined) return true;
    cursor.at = begin;
    if (byte === OPEN_BRACE) return inner.readRecord(i);
    for (let k = 0; k < field.nothing.length; k++) this.put(field.nothing[k], 0, i);
    if (byte === LOWER_N) return field.nullable && cursor.literal(NULL);
    return isOther(field, 'record', byte) && cursor.skip(this.depth);
  }

  private readEntry(field: JsonField, column: Column, byte: number, i: number): boolean {
    if (!field.isPlain) {
      if (column.kind === 'raw') return (byte !== LOWER_N || field.nullable) && this.readRaw(field, column, i);
      if (byte === LOWER_N) {
        putMissing(column, i);
        return field.nullable && this.cursor.literal(NULL);
      }
      if (isOther(field, column.kind, byte)) {
        putMissing(column, i);
        return this.cursor.skip(this.depth);
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
    beginRaw(column, i, this.cursor.end - this.cursor.from);
    return shape !== undefined && writeJsonAsAvro(this.cursor, shape, column, this.depth) && endRaw(column, i);
  }

  /** A number that JSON gives as text: a decimal or a time. */
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

  /** Text with escapes is resolved in place, which only shortens it, in a copy of the arena that the column then owns. */
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
    const { fields, seenIn } = this;
    for (let f = 0; f < fields.length; f++) {
      if (seenIn[f] === this.reading) continue;
      if (!fields[f].optional) return false;
      const absent = this.absent[f];
      for (let k = 0; k < absent.length; k++) this.put(absent[k], absent[k].base, i);
    }
    return true;
  }

  private put({ slot, entry }: Absent, textBase: number, i: number): void {
    const column = this.columns[slot];
    if (entry === undefined) putMissing(column, i);
    else putDefault(column, entry, textBase, i);
  }
}
