import { branchesOf, decimalOf, isNullable, isNumber } from '../../codecs/avro/fields.ts';
import { fieldAt, namesOf, pathsOf } from '../../codecs/avro/paths.ts';
import type { AvroField, AvroRecord, AvroType } from '../../codecs/avro/schema.ts';
import { FUNCTIONS } from '../../features/functions/table.ts';

/** What an event field can contribute to a model: lines of a bundle, and their width. */
export interface Proposal {
  /** Path of the field; `customer.age` in a nested record. */
  readonly field: string;
  /** Suggested name of its column. */
  readonly label: string;
  /**
   * number; flag (boolean); symbols (enum, one column per symbol); list (of width 0 until fitted); id and time (integers that are
   * seldom features); text (no line, only a suggestion); key (text that identifies the record); nothing.
   */
  readonly kind: 'number' | 'flag' | 'symbols' | 'list' | 'id' | 'time' | 'text' | 'key' | 'nothing';
  readonly width: number;
  readonly lines: readonly Line[];
  /** For a time: what could be made of it. */
  readonly hint?: string;
}

export interface Line {
  readonly name: string;
  readonly expression: string;
  readonly note: string;
}

const ID = /(^|_)(id|uuid|guid|key)$|[a-z0-9](Id|Uuid|Guid|Key)$/i;
const TIME = /(^|_)(at|ts|time|timestamp)$|[a-z0-9](At|Ts|Time|Timestamp)$/;

/** Whether a field identifies the subject of the record and can be a key. */
export function isKey({ name, type }: AvroField): boolean {
  const values = valuesOf(type);
  return (
    ID.test(name) && values.length === 1 && !isNullable(type) && ['string', 'int', 'long'].includes(values[0].type)
  );
}

export function proposals(record: AvroRecord): readonly Proposal[] {
  const paths = pathsOf(record);
  const labels = new Set<string>();
  return paths.flatMap((path) => {
    const field = fieldAt(record, path);
    // A nested record is represented by its fields.
    if (field === undefined || paths.some((other) => other.startsWith(`${path}.`))) return [];
    let label = path.replaceAll('.', '_');
    while (labels.has(label)) label = `${label}_`;
    labels.add(label);
    return [proposal(field, label)];
  });
}

function proposal({ name, type }: AvroField, label: string): Proposal {
  const last = namesOf(name).at(-1) ?? name;
  const values = valuesOf(type);
  const nullable = isNullable(type);
  const [only] = values;
  const one = (kind: Proposal['kind'], width: number, lines: readonly Line[]): Proposal => ({
    field: name,
    label,
    kind,
    width,
    lines,
  });
  if (only === undefined) return one('nothing', 0, []);
  const number = line(label, nullable ? `event.${name} ?? 0` : `event.${name}`, nullable ? IMPUTED : '');
  if (values.every((each) => isNumber(each) || decimalOf(each) !== undefined)) {
    if (!ID.test(last) && isTime(last, only)) return { ...one('time', 1, [number]), hint: timeHint(name, only) };
    return one(ID.test(last) ? 'id' : 'number', 1, [number]);
  }
  if (values.length > 1) return one('nothing', 0, []);
  if (only.type === 'boolean') return one('flag', 1, [{ ...number, note: number.note || 'true is 1' }]);
  if (only.type === 'enum') {
    const lines = only.symbols.map((symbol) => {
      const same = `event.${name} == "${symbol}"`;
      return line(`${label}_${symbol}`, nullable ? `(${same}) ?? 0` : same, '');
    });
    return one('symbols', lines.length, lines);
  }
  if (only.type === 'string') return one(ID.test(last) ? 'key' : 'text', 0, []);
  if ((only.type === 'array' && isNumber(only.items)) || only.type === 'bytes') return one('list', 0, [number]);
  if (only.type === 'fixed' && only.size % 4 === 0) return one('list', only.size / 4, [number]);
  return one('nothing', 0, []);
}

const IMPUTED = '?? is what stands for a missing value: take what training took';

/** `shape` is a reserved key in a list of lines. */
function line(name: string, expression: string, note: string): Line {
  return { name: name === 'shape' ? 'shape_' : name, expression, note };
}

/** Why a field has no line, and what could be written; empty if there is nothing to say. */
export function suggestion({ field, label, kind, hint }: Proposal): string {
  if (kind === 'text') {
    const hashed = FUNCTIONS.has('hashBucket') ? `, or hashBucket(event.${field}, 32) as an index` : '';
    return `${field} is text: a column a value, ${label}_A: event.${field} == "A"${hashed}`;
  }
  if (kind === 'key') return `${field} names the record, and is no feature`;
  if (kind === 'id') return `${field} names the record, and is no feature; if it is one, ${label}: event.${field}`;
  if (kind === 'time') return `${field} is a time: such as ${hint}`;
  if (kind === 'list')
    return `${field} is a list of numbers: ${label}: event.${field}[4], as many as the model was trained on`;
  if (kind === 'nothing')
    return `${field} is of a type that cannot be a column; of maps and of lists of records or texts nothing is read`;
  return `${field} is not used`;
}

/** A time is read as a count of days, milliseconds or microseconds. */
function timeHint(name: string, type: AvroType): string {
  const logical = ('logicalType' in type && type.logicalType) || '';
  if (logical === 'date') return `weekday: cyclic(mod(event.${name}, 7), 7, 1)`;
  const perMinute = logical.endsWith('nanos') ? 60_000_000_000 : logical.endsWith('micros') ? 60_000_000 : 60_000;
  return `tod: cyclic(mod(floorDiv(event.${name}, ${perMinute}), 1440), 1440, 1)`;
}

function isTime(name: string, type: AvroType): boolean {
  const logical = 'logicalType' in type ? type.logicalType : undefined;
  return logical !== undefined ? /timestamp|date|time/.test(logical) : type.type === 'long' && TIME.test(name);
}

function valuesOf(type: AvroType): readonly AvroType[] {
  return branchesOf(type).filter((branch) => branch.type !== 'null');
}
