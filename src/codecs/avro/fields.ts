import { type AvroField, type AvroFixed, type AvroType, type Decimal, parseAvroRecord } from './schema.ts';

/** A field of a record, as seen by a part that wants it as a column. */
export interface FieldSummary {
  readonly name: string;
  /**
   * number: int, float, double, boolean, decimal, and unions of them. long: also readable as a number. string: string, enum.
   * vector: array of numbers, bytes or fixed (float32 LE), duration (months, days, milliseconds). other: cannot become a column.
   */
  readonly kind: 'number' | 'long' | 'string' | 'vector' | 'other';
  readonly nullable: boolean;
  /** For a union that is `other`: kinds that some branches can be read as; values of the remaining branches are missing. */
  readonly parts: readonly ('number' | 'string')[];
  /** Width of a vector if the schema fixes it (fixed), 0 if the want must say it; 1 for anything else. */
  readonly width: number;
  /** For people: `long`, `null | string`, `array of float`. */
  readonly avroType: string;
  readonly logicalType: string | undefined;
}

const PARTS = ['number', 'string'] as const;

type ScalarKind = 'number' | 'long' | 'string' | 'vector';

/** The fields of a schema (parsed JSON) in order. Throws `contract-broken` if it is not a record schema. */
export function fieldsOf(schema: unknown): readonly FieldSummary[] {
  return parseAvroRecord(schema).fields.map(summaryOf);
}

export function summaryOf(field: AvroField): FieldSummary {
  const values = branchesOf(field.type).filter((branch) => branch.type !== 'null');
  const kinds = new Set(values.map(kindOf));
  const allNumbers = [...kinds].every((kind) => kind === 'number' || kind === 'long');
  const [first] = kinds;
  const kind = kinds.size === 1 && first !== undefined ? first : kinds.size > 1 && allNumbers ? 'number' : 'other';
  const only = values.length === 1 ? values[0] : undefined;
  return {
    name: field.name,
    kind,
    nullable: isNullable(field.type),
    parts: kind === 'other' ? PARTS.filter((part) => values.some((branch) => serves(branch, part))) : [],
    width: kind !== 'vector' ? 1 : only?.type === 'fixed' ? only.size / 4 : 0,
    avroType: describe(field.type),
    logicalType: only !== undefined && 'logicalType' in only ? only.logicalType : undefined,
  };
}

export function branchesOf(type: AvroType): readonly AvroType[] {
  return type.type === 'union' ? type.branches : [type];
}

export function isNullable(type: AvroType): boolean {
  return branchesOf(type).some((branch) => branch.type === 'null');
}

export function isNumber(type: AvroType): boolean {
  return type.type === 'int' || type.type === 'long' || type.type === 'float' || type.type === 'double';
}

/** The widest kind of column that one branch of a type can be. */
function kindOf(type: AvroType): ScalarKind | 'other' {
  if (serves(type, 'long')) return type.type === 'int' ? 'number' : 'long';
  for (const kind of ['number', 'string', 'vector'] as const) if (serves(type, kind)) return kind;
  return 'other';
}

/** Whether a value of this type (not a union) can be stored in a column of that kind. */
export function serves(type: AvroType, kind: ScalarKind | 'raw'): boolean {
  if (kind === 'raw') return true;
  if (kind === 'number') return isNumber(type) || type.type === 'boolean' || decimalOf(type) !== undefined;
  if (kind === 'long') return type.type === 'int' || type.type === 'long';
  if (kind === 'string') return type.type === 'string' || type.type === 'enum';
  if (type.type === 'array') return isNumber(type.items);
  if (decimalOf(type) !== undefined) return false;
  return type.type === 'bytes' || (type.type === 'fixed' && type.size % 4 === 0 && !isUuid(type));
}

export function decimalOf(type: AvroType): Decimal | undefined {
  return type.type === 'bytes' || type.type === 'fixed' ? type.decimal : undefined;
}

/** Months, days and milliseconds, each an unsigned integer of 32 bits, little endian. */
export function isDuration(type: AvroType): boolean {
  return type.type === 'fixed' && type.size === 12 && type.logicalType === 'duration';
}

/** A uuid stored as 16 bytes, which are not numbers. */
function isUuid({ size, logicalType }: AvroFixed): boolean {
  return size === 16 && logicalType === 'uuid';
}

/** A type in words. */
export function describe(type: AvroType): string {
  const decimal = decimalOf(type);
  if (decimal !== undefined) return `decimal(${decimal.precision}, ${decimal.scale})`;
  switch (type.type) {
    case 'union':
      return type.branches.map(describe).join(' | ');
    case 'array':
      return `array of ${describe(type.items)}`;
    case 'map':
      return `map of ${describe(type.values)}`;
    case 'fixed':
      return `fixed[${type.size}]`;
    case 'enum':
    case 'record':
      return `${type.type} ${type.name}`;
    default:
      return type.type;
  }
}
