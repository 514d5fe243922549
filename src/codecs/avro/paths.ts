import { SluiceError } from '../../kernel/errors.ts';
import type { ColumnWant } from '../types.ts';
import { branchesOf, describe, isDuration, isNullable, serves } from './fields.ts';
import { type AvroField, type AvroRecord, type AvroType, parseAvroRecord } from './schema.ts';

/**
 * Fields of nested records, named by path: `customer.address.zip`. Avro names contain no dots, so a path can be used wherever a
 * field name can.
 *
 * Each field on the way leads into the only record that its type allows; if the value is something else (null, text), the path
 * is null. Limits: nothing is read from arrays, maps or unions of several records.
 */
export function namesOf(path: string): readonly string[] {
  return path.split('.');
}

/** The record that a field of this type leads into; undefined if there is none, or more than one. */
export function recordIn(type: AvroType): AvroRecord | undefined {
  const records = branchesOf(type).filter((branch) => branch.type === 'record');
  return records.length === 1 ? records[0] : undefined;
}

export function fieldNamed(record: AvroRecord, name: string): AvroField | undefined {
  return record.fields.find((candidate) => candidate.name === name);
}

/** All fields on the way to a field, including the field itself. */
export function wayTo(record: AvroRecord, path: string): readonly AvroField[] | undefined {
  const way: AvroField[] = [];
  let within: AvroRecord | undefined = record;
  for (const name of namesOf(path)) {
    const field: AvroField | undefined = within && fieldNamed(within, name);
    if (field === undefined) return undefined;
    way.push(field);
    within = recordIn(field.type);
  }
  return way;
}

/** A field by its path, named by the whole path; its type includes null if a field on the way may be something other than a record. */
export function fieldAt(record: AvroRecord, path: string): AvroField | undefined {
  const way = wayTo(record, path);
  const own = way?.at(-1);
  if (way === undefined || own === undefined || way.length === 1) return own;
  const isOptional = way.slice(0, -1).some(({ type }) => type.type === 'union' && type.branches.length > 1);
  return { name: path, aliases: own.aliases, type: isOptional ? orNull(own.type) : own.type, default: own.default };
}

function orNull(type: AvroType): AvroType {
  return isNullable(type) ? type : { type: 'union', branches: [NULL, ...branchesOf(type)] };
}

export const NULL: AvroType = Object.freeze({ type: 'null', logicalType: undefined });

/** The field that a want names. Throws `contract-broken` if it does not exist or cannot be a column of that kind. */
export function wantedField(record: AvroRecord, want: ColumnWant): AvroField {
  const field = fieldAt(record, want.field);
  if (field === undefined) {
    const { message, known, remedy } = whyNoField(record, want.field, `the schema ${record.name}`);
    throw new SluiceError('contract-broken', `${message}; ${known.length > 0 ? `it has ${known.join(', ')}` : remedy}`);
  }
  if (!branchesOf(field.type).some((branch) => serves(branch, want.kind))) {
    throw new SluiceError(
      'contract-broken',
      `field "${want.field}" of ${record.name} is ${describe(field.type)}, which cannot be read as a ${want.kind}`,
    );
  }
  return field;
}

/** Whether every vector that a field of a schema (parsed JSON) can hold consists of float32. */
export function holdsFloat32(schema: unknown, path: string): boolean {
  const field = fieldAt(parseAvroRecord(schema), path);
  if (field === undefined) return false;
  const vectors = branchesOf(field.type).filter((branch) => serves(branch, 'vector'));
  return vectors.every((branch) => (branch.type === 'array' ? branch.items.type === 'float' : !isDuration(branch)));
}

/** Why a path leads to no field: `customer is record Customer, which has no field "agee"`, and the known names. */
export interface NoField {
  readonly message: string;
  /** The path up to and including the wrong name, and the names that could stand there. */
  readonly wrong: string;
  readonly known: readonly string[];
  /** What to do if `known` is empty. */
  readonly remedy: string;
}

/** For a path that `wayTo` cannot resolve; `what` names the record in messages. */
export function whyNoField(record: AvroRecord, path: string, what: string): NoField {
  const names = namesOf(path);
  let within = record;
  for (let k = 0; ; k++) {
    const before = names.slice(0, k).join('.');
    const field = fieldNamed(within, names[k]);
    if (field === undefined) {
      const known = within.fields.map(({ name }) => (k === 0 ? name : `${before}.${name}`));
      const of = k === 0 ? what : `${before} is ${describe(within)}, which`;
      return { message: `${of} has no field "${names[k]}"`, wrong: names.slice(0, k + 1).join('.'), known, remedy: '' };
    }
    const next = recordIn(field.type);
    const here = names.slice(0, k + 1).join('.');
    if (next === undefined) {
      const message = `${here} is ${describe(field.type)}, in which no field "${names[k + 1] ?? ''}" can be named`;
      return { message, wrong: here, known: [], remedy: insteadOf(field.type) };
    }
    within = next;
  }
}

/** What to write instead of a type that no path leads into. */
export function insteadOf(type: AvroType): string {
  const record = recordIn(type);
  if (record !== undefined) return `name a field of the record: ${record.fields.map(({ name }) => name).join(', ')}`;
  const branches = branchesOf(type).filter((branch) => branch.type !== 'null');
  const has = (wanted: AvroType['type']): boolean => branches.some((branch) => branch.type === wanted);
  if (has('record'))
    return 'of a union of several records nothing is read: have the producer give each a field of its own';
  if (has('array'))
    return 'a list can be read only as a whole, and only if it holds numbers: have the producer write what the model needs as a list of numbers, or as fields of a record';
  if (has('map')) return 'of a map nothing is read: have the producer write what the model needs as fields of a record';
  return 'name the field itself, without what follows the dot';
}

/** Most paths that are listed: a schema that reuses many records has more than anyone would read. */
const MOST_PATHS = 1_000;

/** All paths to fields, a record's own fields directly after it; a recursive record is listed once. */
export function pathsOf(record: AvroRecord): readonly string[] {
  const paths: string[] = [];
  const list = (within: AvroRecord, before: string, open: ReadonlySet<AvroRecord>): void => {
    for (const { name, type } of within.fields) {
      if (paths.length >= MOST_PATHS) return;
      paths.push(`${before}${name}`);
      const inner = recordIn(type);
      if (inner !== undefined && !open.has(inner)) list(inner, `${before}${name}.`, new Set(open).add(inner));
    }
  };
  list(record, '', new Set([record]));
  return paths;
}
