import type { ColumnKind } from '../../kernel/columns.ts';
import { SluiceError } from '../../kernel/errors.ts';
import type { OutputField } from '../types.ts';
import { branchesOf, describe, isNumber } from './fields.ts';
import { rawBranch } from './same-encoding.ts';
import { type AvroField, type AvroRecord, type AvroType, parseAvroRecord } from './schema.ts';

/** What an encoder must know about a column in advance. */
export interface ColumnShape {
  readonly kind: ColumnKind;
  /** Values of a vector; 1 otherwise. */
  readonly width: number;
  /** Of a raw column: the type of its bytes. */
  readonly type?: AvroType;
}

export interface EncoderOptions {
  /** The schema to write (parsed JSON), a record. */
  readonly schema: unknown;
  readonly fields: readonly OutputField[];
  /** Event columns by slot, and prediction columns by slot, as bind will get them. */
  readonly wants: readonly ColumnShape[];
  readonly predictions: readonly ColumnShape[];
}

/** Where a field of the schema gets its value, in the schema's order. */
export type FieldPlan = ConstantPlan | ColumnPlan;

export interface ConstantPlan {
  readonly from: 'constant';
  readonly field: AvroField;
  /** Checked when it is encoded, against the field's type or one of its branches. */
  readonly json: unknown;
}

export interface ColumnPlan {
  readonly from: 'event' | 'prediction';
  readonly field: AvroField;
  readonly slot: number;
  readonly column: ColumnShape;
  /** The type to write, and its index in the field's union; -1 if the field has no union. */
  readonly branch: AvroType;
  readonly branchIndex: number;
  /** Index of null in the field's union; -1: a missing value does not fit. */
  readonly nullIndex: number;
}

/**
 * Matches an output schema with the topology's output fields. Throws `contract-broken` if a field is not in the schema, a field
 * without a default has no source, or a column cannot be written as its field's type.
 */
export function planOutput(options: EncoderOptions): readonly FieldPlan[] {
  const record = parseAvroRecord(options.schema);
  const sources = new Map<string, OutputField>();
  for (const output of options.fields) {
    if (!record.fields.some((field) => field.name === output.name)) {
      throw broken(`the output schema ${record.name} has no field "${output.name}"; it has ${names(record)}`);
    }
    if (sources.has(output.name)) throw broken(`the output field "${output.name}" is given twice`);
    sources.set(output.name, output);
  }
  return record.fields.map((field): FieldPlan => {
    const source = sources.get(field.name)?.source;
    if (source === undefined) {
      if (field.default !== undefined) return { from: 'constant', field, json: field.default };
      throw broken(
        `the output schema ${record.name} needs a field "${field.name}" (no default), which no output field fills`,
      );
    }
    if (source.from === 'constant') return { from: 'constant', field, json: source.value };
    const column = (source.from === 'event' ? options.wants : options.predictions)[source.slot];
    if (column === undefined)
      throw broken(`the output field "${field.name}" names ${source.from} column ${source.slot}, which does not exist`);
    return columnPlan(field, source.from, source.slot, column);
  });
}

function columnPlan(field: AvroField, from: 'event' | 'prediction', slot: number, column: ColumnShape): ColumnPlan {
  const branches = branchesOf(field.type);
  if (branches.length > MAX_BRANCHES)
    throw broken(`the output field "${field.name}" is a union of over ${MAX_BRANCHES} types`);
  if (column.kind === 'raw') return rawPlan(field, from, slot, column);
  const index = preferredBranch(column.kind, branches);
  if (index >= 0) {
    const isUnion = field.type.type === 'union';
    const nullIndex = isUnion ? branches.findIndex((branch) => branch.type === 'null') : -1;
    return { from, field, slot, column, branch: branches[index], branchIndex: isUnion ? index : -1, nullIndex };
  }
  const what = column.kind === 'vector' ? `vector of ${column.width}` : column.kind;
  throw broken(`the output field "${field.name}" is ${describe(field.type)}; a ${what} cannot be written as that`);
}

/** The branch to write such a column as: the one that loses least; -1: none. */
export function preferredBranch(kind: Exclude<ColumnKind, 'raw'>, branches: readonly AvroType[]): number {
  for (const accepts of PREFERENCES[kind]) {
    const index = branches.findIndex(accepts);
    if (index >= 0) return index;
  }
  return -1;
}

/** Plan for a raw value, which is one branch of the field's union or the whole union. */
function rawPlan(field: AvroField, from: 'event' | 'prediction', slot: number, column: ColumnShape): ColumnPlan {
  const branchIndex = column.type === undefined ? undefined : rawBranch(column.type, field.type);
  if (column.type !== undefined && branchIndex !== undefined) {
    return { from, field, slot, column, branch: column.type, branchIndex, nullIndex: -1 };
  }
  const what = column.type === undefined ? 'value' : describe(column.type);
  throw broken(`the output field "${field.name}" is ${describe(field.type)}; a ${what} cannot be written as that`);
}

/** Most branches whose index fits in one byte. */
const MAX_BRANCHES = 64;

type Accepts = (type: AvroType) => boolean;

const is =
  (name: AvroType['type']): Accepts =>
  (type) =>
    type.type === name;
const numberArray: Accepts = (type) => type.type === 'array' && isNumber(type.items);

/** What a column can be written as, in order of least loss. */
const PREFERENCES: Readonly<Record<Exclude<ColumnKind, 'raw'>, readonly Accepts[]>> = {
  number: [is('double'), is('float'), is('long'), is('int'), is('boolean')],
  long: [is('long'), is('int'), is('double')],
  string: [is('string'), is('enum')],
  label: [is('string'), is('enum')],
  vector: [numberArray],
};

export function checkColumn(plan: ColumnPlan, column: { readonly kind: ColumnKind } | undefined): void {
  if (column?.kind === plan.column.kind) return;
  throw new SluiceError(
    'invariant-broken',
    `output field "${plan.field.name}" was compiled for a ${plan.column.kind} column but is bound to a ${column?.kind ?? 'nothing'}`,
  );
}

function names(record: AvroRecord): string {
  return record.fields.map((field) => field.name).join(', ');
}

function broken(message: string): SluiceError {
  return new SluiceError('contract-broken', message);
}
