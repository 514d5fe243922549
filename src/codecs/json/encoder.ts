import type { Column, VectorColumn } from '../../kernel/columns.ts';
import type { RecordSlab } from '../../kernel/record-slab.ts';
import { checkConstant } from '../avro/defaults.ts';
import { type ColumnPlan, checkColumn, type EncoderOptions, planOutput } from '../avro/output-plan.ts';
import type { AvroType } from '../avro/schema.ts';
import { putBytes } from '../avro/writers.ts';
import { bodiesOf } from '../bodies.ts';
import { writeInteger, writeLongDigits } from '../digits.ts';
import { keepCode } from '../keep-code.ts';
import { symbolAt } from '../symbols.ts';
import type { RowEncoder, ValueEncoder } from '../types.ts';
import { type JsonOut, writeAvroAsJson } from './from-avro.ts';
import { MAX_NUMBER_BYTES, writeFloat32, writeFloat64 } from './numbers.ts';
import { FALSE, NULL, TRUE } from './scan.ts';
import { type JsonShape, jsonShape } from './shape.ts';
import { maxTextBytes, writeText } from './write.ts';

/** A column's member: the text before its value, and its type. */
interface Member {
  /** `{"name":` or `,"name":`, after any constant members that stand before it. */
  readonly before: Buffer;
  readonly column: Column;
  /** Type of the value, or of a vector's items. */
  readonly type: AvroType['type'];
  readonly nullable: boolean;
  readonly symbols: readonly Buffer[] | undefined;
  /** For a raw column: how to read it, and its text for the record that is being written. */
  readonly raw: { readonly shape: JsonShape; readonly out: JsonOut } | undefined;
}

/**
 * Columns → plain JSON objects, members in the order of the schema, into the slab.
 *
 * Numbers are the shortest text that reads back to the same value: to the same float32 if the type is float. Longs keep all
 * their digits. Returns false if a value does not fit, by the rules of compileAvroEncoder. Throws `contract-broken` as
 * planOutput does.
 */
export function compileJsonEncoder(options: EncoderOptions): ValueEncoder {
  const plans = planOutput(options);
  const members: (Pick<Member, 'before'> & NonNullable<Member['raw']> & { readonly plan: ColumnPlan })[] = [];
  let text = '{';
  for (const [index, plan] of plans.entries()) {
    text += `${index === 0 ? '' : ','}${JSON.stringify(plan.field.name)}:`;
    if (plan.from === 'constant') {
      checkConstant(plan.field.type, plan.json, plan.field.name);
      text += JSON.stringify(plan.json);
      continue;
    }
    const out = { bytes: Buffer.alloc(0), used: 0 };
    members.push({ before: Buffer.from(text), plan, shape: jsonShape(plan.branch), out });
    text = '';
  }
  const after = Buffer.from(`${text}}`);

  const encoder: ValueEncoder = {
    bind(events, predictions) {
      const bound = members.map(({ before, plan, shape, out }): Member => {
        const column = (plan.from === 'event' ? events : predictions)[plan.slot];
        checkColumn(plan, column);
        const { branch } = plan;
        return {
          before,
          column,
          type: branch.type === 'array' ? branch.items.type : branch.type,
          nullable: plan.nullIndex >= 0,
          raw: column.kind === 'raw' ? { shape, out } : undefined,
          symbols: branch.type === 'enum' ? branch.symbols.map((symbol) => Buffer.from(symbol)) : undefined,
        };
      });
      return bindRows(bound, after);
    },
    bindBodies: (events, predictions) => bodiesOf(encoder.bind(events, predictions)),
  };
  return keepCode(encoder, bindRows([], after));
}

function bindRows(members: readonly Member[], after: Buffer): RowEncoder {
  let fixedBytes = after.length;
  for (const { before } of members) fixedBytes += before.length;

  return (i: number, slab: RecordSlab): boolean => {
    let bytes = fixedBytes;
    for (let k = 0; k < members.length; k++) {
      const more = maxBytes(members[k], i);
      if (more < 0) return false;
      bytes += more;
    }
    let at = slab.reserve(bytes);
    const { arena } = slab;
    for (let k = 0; k < members.length; k++) {
      const member = members[k];
      at = putBytes(arena, at, member.before, 0, member.before.length);
      if (!isMissing(member.column, i)) at = writeEntry(arena, at, member, i);
      else if (member.nullable) at = putBytes(arena, at, NULL, 0, 4);
      else return false;
      if (at < 0) return false;
    }
    slab.used = putBytes(arena, at, after, 0, after.length);
    return true;
  };
}

function isMissing(column: Column, i: number): boolean {
  if (column.kind === 'number') return Number.isNaN(column.values[i]);
  if (column.kind === 'string') return column.start[i] < 0;
  if (column.kind === 'label') return column.codes[i] < 0;
  if (column.kind === 'raw') return column.start[i] < 0;
  return column.present[i] === 0;
}

/** -1: a raw value that JSON cannot express. */
function maxBytes({ column, raw }: Member, i: number): number {
  if (column.kind === 'raw') {
    if (raw === undefined || column.start[i] < 0) return 4;
    raw.out.used = 0;
    const behind = writeAvroAsJson(raw.out, raw.shape, column.bytes, column.start[i], column.end[i]);
    return behind < 0 ? -1 : raw.out.used;
  }
  if (column.kind === 'string') return maxTextBytes(Math.max(4, column.end[i] - column.start[i]));
  if (column.kind === 'label') return maxTextBytes(column.codes[i] < 0 ? 4 : column.labels[column.codes[i]].length);
  return column.kind === 'vector' ? 4 + (MAX_NUMBER_BYTES + 1) * column.width : MAX_NUMBER_BYTES;
}

/** Writes an entry that is present; -1: it does not fit its type. */
function writeEntry(into: Buffer, at: number, member: Member, i: number): number {
  const { column } = member;
  switch (column.kind) {
    case 'number':
      return writeNumber(into, at, member.type, column.values[i]);
    case 'long': {
      const low = column.words[2 * i];
      const high = column.words[2 * i + 1];
      if (member.type === 'long') return writeLongDigits(into, at, low, high);
      const value = high * 4294967296 + (low >>> 0);
      return Number.isSafeInteger(value) ? writeNumber(into, at, member.type, value) : -1;
    }
    case 'string':
      return writeString(into, at, member.symbols, column.bytes, column.start[i], column.end[i]);
    case 'label': {
      const label = column.labels[column.codes[i]];
      return writeString(into, at, member.symbols, label, 0, label.length);
    }
    case 'raw': {
      const text = member.raw?.out;
      return text === undefined ? -1 : putBytes(into, at, text.bytes, 0, text.used);
    }
    case 'vector':
      return writeVector(into, at, member.type, column, i);
  }
}

function writeNumber(into: Buffer, at: number, type: AvroType['type'], value: number): number {
  switch (type) {
    case 'boolean':
      if (value === 1) return putBytes(into, at, TRUE, 0, 4);
      return value === 0 ? putBytes(into, at, FALSE, 0, 5) : -1;
    case 'int':
      return (value | 0) === value ? writeInteger(into, at, value) : -1;
    case 'long':
      return Number.isSafeInteger(value) ? writeInteger(into, at, value) : -1;
    case 'float': {
      const rounded = Math.fround(value);
      return Number.isFinite(rounded) ? writeFloat32(into, at, rounded) : -1;
    }
    default:
      return Number.isFinite(value) ? writeFloat64(into, at, value) : -1;
  }
}

function writeString(
  into: Buffer,
  at: number,
  symbols: readonly Buffer[] | undefined,
  bytes: Buffer,
  start: number,
  end: number,
): number {
  if (symbols !== undefined && symbolAt(symbols, bytes, start, end) < 0) return -1;
  return writeText(into, at, bytes, start, end);
}

function writeVector(into: Buffer, at: number, type: AvroType['type'], column: VectorColumn, i: number): number {
  const { width, values } = column;
  into[at++] = 0x5b;
  for (let k = 0; k < width; k++) {
    if (k > 0) into[at++] = 0x2c;
    at = writeNumber(into, at, type, values[i * width + k]);
    if (at < 0) return -1;
  }
  into[at++] = 0x5d;
  return at;
}
