import type { Column } from '../../kernel/columns.ts';
import { type DefaultEntry, defaultEntry } from '../avro/default-entry.ts';
import { branchesOf, decimalOf, isDuration, isNullable } from '../avro/fields.ts';
import { defaultOf } from '../avro/records.ts';
import { ResolvedWant } from '../avro/resolved-want.ts';
import type { AvroField, AvroRecord, AvroType } from '../avro/schema.ts';
import { symbolAt } from '../symbols.ts';
import type { ColumnWant } from '../types.ts';
import { type JsonShape, jsonShape } from './shape.ts';
import { type TimeText, timeTextOf } from './times.ts';

/** Numeric types that a value may have, as a bit set. */
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

/** A column, and its entry if there is no value; undefined: missing. */
export interface Absent {
  readonly slot: number;
  readonly entry: DefaultEntry | undefined;
}

/** A wanted field: what its schema allows, and the columns it goes to. */
export interface JsonField {
  readonly name: string;
  readonly nameBytes: Buffer;
  readonly nullable: boolean;
  readonly allowsBoolean: boolean;
  readonly numbers: number;
  readonly allowsText: boolean;
  /** Numbers given as text, if the type allows no other text: decimals, and times of any of these kinds. */
  readonly quotedDecimal: boolean;
  readonly quotedTimes: readonly TimeText[];
  /** Symbols, if text must be one of them. */
  readonly symbols: readonly Buffer[] | undefined;
  /** Values are null or of one type, and no want takes them whole. */
  readonly isPlain: boolean;
  /** Whether a branch is an object or a list in JSON; in columns that cannot hold it, such a value is missing. */
  readonly allowsObject: boolean;
  readonly allowsList: boolean;
  /** For columns that pass on the whole value. */
  readonly shape: JsonShape | undefined;
  /** Numeric types of the items of a vector. */
  readonly items: number;
  /** Columns for the field itself. */
  readonly slots: readonly number[];
  /** If it is a record: its wanted fields. */
  readonly inner: readonly JsonField[];
  /** Entries for its columns, and those of nested fields, if it is absent … */
  readonly fallback: readonly Absent[];
  /** … and for columns of nested fields if it is present but not a record. */
  readonly nothing: readonly Absent[];
  /** The field may be absent. */
  readonly optional: boolean;
}

/** The distinct wanted fields, including those of nested records. Throws `contract-broken` as wantedField does. */
export function jsonFields(record: AvroRecord, wants: readonly ColumnWant[]): readonly JsonField[] {
  return fieldsAt(
    wants.map((want, slot) => new ResolvedWant(record, want, slot)),
    0,
  );
}

function fieldsAt(resolved: readonly ResolvedWant[], depth: number): readonly JsonField[] {
  return [...Map.groupBy(resolved, ({ way }) => way[depth])].map(([field, behind]) => {
    const own = behind.filter((each) => each.isLast(depth));
    const inner = behind.filter((each) => !each.isLast(depth));
    const branches = branchesOf(field.type);
    const enums = branches.flatMap((branch) => (branch.type === 'enum' ? branch.symbols : []));
    const anyText = branches.some((branch) => branch.type === 'string');
    const isWhole = own.some(({ want }) => want.kind === 'raw');
    return {
      name: field.name,
      nameBytes: Buffer.from(field.name),
      nullable: isNullable(field.type),
      allowsBoolean: branches.some((branch) => branch.type === 'boolean'),
      numbers: numericBits(branches),
      allowsText: anyText || enums.length > 0,
      quotedDecimal: !anyText && enums.length === 0 && branches.some((branch) => decimalOf(branch) !== undefined),
      quotedTimes: anyText || enums.length > 0 ? [] : branches.map(timeTextOf).filter((time) => time !== undefined),
      symbols: anyText ? undefined : enums.map((symbol) => Buffer.from(symbol)),
      isPlain: branches.filter(({ type }) => type !== 'null').length < 2 && !isWhole && inner.length === 0,
      allowsObject: branches.some(({ type }) => type === 'record' || type === 'map'),
      allowsList: branches.some(({ type }) => type === 'array' || type === 'bytes' || type === 'fixed'),
      items: numericBits(branches.map(itemType)),
      shape: isWhole ? jsonShape(own[0].field.type) : undefined,
      slots: own.map(({ slot }) => slot),
      inner: fieldsAt(inner, depth + 1),
      fallback: [...own, ...inner].map((each) => ({ slot: each.slot, entry: absentEntry(each, depth) })),
      nothing: inner.map(({ slot, want, field: whole }) => ({ slot, entry: nullEntry(whole, want) })),
      optional: field.default !== undefined || isNullable(field.type),
    };
  });
}

/** A column's entry if a field on the way to its own is absent: the default, or null. */
function absentEntry({ want, way, field }: ResolvedWant, depth: number): DefaultEntry | undefined {
  const [absent] = way.slice(depth);
  if (absent.default !== undefined) return defaultEntry(defaultOf(way.slice(depth), field), want);
  return isNullable(absent.type) ? nullEntry(field, want) : undefined;
}

/** A raw column passes on null as a value; for any other column it is missing. */
function nullEntry(field: AvroField, want: ColumnWant): DefaultEntry | undefined {
  return want.kind === 'raw' && isNullable(field.type) ? defaultEntry({ ...field, default: null }, want) : undefined;
}

/** A number as a value of the first type in `bits` that it fits; NaN: none. */
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

/** The type of a vector's items; bytes and fixed hold float32, and are arrays of numbers in plain JSON. */
function itemType(type: AvroType): AvroType {
  if (type.type === 'array') return type.items;
  if (isDuration(type)) return { type: 'long', logicalType: undefined };
  if (decimalOf(type) !== undefined) return { type: 'null', logicalType: undefined };
  if (type.type === 'bytes' || type.type === 'fixed') return { type: 'float', logicalType: undefined };
  return { type: 'null', logicalType: undefined };
}

const OPEN_BRACE = 0x7b;
const OPEN_BRACKET = 0x5b;
const QUOTE = 0x22;
const LOWER_T = 0x74;
const LOWER_F = 0x66;

/** Whether a value that begins with `byte` belongs to a branch of the field's union that such a column, or a record, cannot hold. */
export function isOther(field: JsonField, kind: Column['kind'] | 'record', byte: number): boolean {
  if (byte === OPEN_BRACE) return field.allowsObject;
  if (byte === OPEN_BRACKET) return kind !== 'vector' && field.allowsList;
  if (byte === QUOTE) return kind !== 'string' && field.allowsText;
  if (byte === LOWER_T || byte === LOWER_F) return kind !== 'number' && field.allowsBoolean;
  return (kind === 'string' || kind === 'vector' || kind === 'record') && field.numbers !== 0;
}
