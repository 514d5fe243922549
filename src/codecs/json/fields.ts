import { type DefaultEntry, defaultEntry } from '../avro/default-entry.ts';
import { branchesOf, decimalOf, isDuration, isNullable, wantedField } from '../avro/fields.ts';
import type { AvroField, AvroRecord, AvroType } from '../avro/schema.ts';
import { symbolAt } from '../symbols.ts';
import type { ColumnWant } from '../types.ts';
import { type JsonShape, jsonShape } from './shape.ts';
import { type TimeText, timeTextOf } from './times.ts';

/** Numeric types that a value may have, as bits. */
export const INT = 1;
export const LONG = 2;
export const FLOAT = 4;
export const DOUBLE = 8;

const NUMERIC: Readonly<Partial<Record<AvroType['type'], number>>> = {
  int: INT,
  long: LONG,
  float: FLOAT,
  double: DOUBLE,
};

/** A wanted field: what its schema allows, and the columns it goes to. */
export interface JsonField {
  readonly name: string;
  readonly nameBytes: Buffer;
  readonly nullable: boolean;
  readonly allowsBoolean: boolean;
  readonly numbers: number;
  readonly allowsText: boolean;
  /** Numbers as text, where text is nothing else: decimals, and times of any of the kinds that are named. */
  readonly quotedDecimal: boolean;
  readonly quotedTimes: readonly TimeText[];
  /** Symbols, where text must be one. */
  readonly symbols: readonly Buffer[] | undefined;
  /** Values are null or of one type, and nobody wants them whole. */
  readonly isPlain: boolean;
  /** What a branch that is none for some of the columns may begin with: an object, a list. */
  readonly allowsObject: boolean;
  readonly allowsList: boolean;
  /** For columns that pass the value on whole. */
  readonly shape: JsonShape | undefined;
  /** Numeric types of the items of a vector. */
  readonly items: number;
  /** Columns that it goes to, and the entry that each gets where the field is absent (undefined: missing). */
  readonly slots: readonly number[];
  readonly fallback: readonly (DefaultEntry | undefined)[];
  /** The field may be absent. */
  readonly optional: boolean;
}

/** The distinct fields that are wanted. Throws `contract-broken` as wantedField does. */
export function jsonFields(record: AvroRecord, wants: readonly ColumnWant[]): readonly JsonField[] {
  const names = [...new Set(wants.map((want) => want.field))];
  return names.map((name) => {
    const slots = wants.flatMap((want, slot) => (want.field === name ? [slot] : []));
    const field = wantedField(record, wants[slots[0]]);
    for (const slot of slots) wantedField(record, wants[slot]);
    const branches = branchesOf(field.type);
    const enums = branches.flatMap((branch) => (branch.type === 'enum' ? branch.symbols : []));
    const anyText = branches.some((branch) => branch.type === 'string');
    const hasDefault = field.default !== undefined;
    return {
      name,
      nameBytes: Buffer.from(name),
      nullable: isNullable(field.type),
      allowsBoolean: branches.some((branch) => branch.type === 'boolean'),
      numbers: numericBits(branches),
      allowsText: anyText || enums.length > 0,
      quotedDecimal: !anyText && enums.length === 0 && branches.some((branch) => decimalOf(branch) !== undefined),
      quotedTimes: anyText || enums.length > 0 ? [] : branches.map(timeTextOf).filter((time) => time !== undefined),
      symbols: anyText ? undefined : enums.map((symbol) => Buffer.from(symbol)),
      isPlain:
        branches.filter(({ type }) => type !== 'null').length < 2 && !slots.some((slot) => wants[slot].kind === 'raw'),
      allowsObject: branches.some(({ type }) => type === 'record' || type === 'map'),
      allowsList: branches.some(({ type }) => type === 'array' || type === 'bytes' || type === 'fixed'),
      items: numericBits(branches.map(itemType)),
      shape: slots.some((slot) => wants[slot].kind === 'raw') ? jsonShape(field.type) : undefined,
      slots,
      fallback: slots.map((slot) => fallbackOf(field, wants[slot])),
      optional: hasDefault || isNullable(field.type),
    };
  });
}

function fallbackOf(field: AvroField, want: ColumnWant): DefaultEntry | undefined {
  if (field.default !== undefined) return defaultEntry(field, want);
  return want.kind === 'raw' && isNullable(field.type) ? defaultEntry({ ...field, default: null }, want) : undefined;
}

/** A number as a value of the first type of `bits` that it fits; NaN: of none. */
export function fitNumber(bits: number, value: number): number {
  if ((bits & INT) !== 0 && (value | 0) === value) return value + 0;
  if ((bits & LONG) !== 0 && Number.isSafeInteger(value)) return value + 0;
  const rounded = (bits & DOUBLE) !== 0 ? value : (bits & FLOAT) !== 0 ? Math.fround(value) : Number.NaN;
  return Number.isFinite(rounded) ? rounded : Number.NaN;
}

export function textFits(field: JsonField, bytes: Buffer, start: number, end: number): boolean {
  return field.symbols === undefined || symbolAt(field.symbols, bytes, start, end) >= 0;
}

function numericBits(types: readonly AvroType[]): number {
  return types.reduce((bits, type) => bits | (decimalOf(type) !== undefined ? DOUBLE : (NUMERIC[type.type] ?? 0)), 0);
}

/** What the items of a vector are; bytes and fixed hold float32, and are arrays of numbers in plain JSON. */
function itemType(type: AvroType): AvroType {
  if (type.type === 'array') return type.items;
  if (isDuration(type)) return { type: 'long', logicalType: undefined };
  if (decimalOf(type) !== undefined) return { type: 'null', logicalType: undefined };
  if (type.type === 'bytes' || type.type === 'fixed') return { type: 'float', logicalType: undefined };
  return { type: 'null', logicalType: undefined };
}
