import type { ColumnWant } from '../types.ts';
import { branchesOf, decimalOf, isNumber, serves } from './fields.ts';
import { NULL, recordIn } from './paths.ts';
import type { AvroField, AvroRecord, AvroType } from './schema.ts';

/**
 * Resolves writer and reader schemas, following "Schema Resolution" in the Avro specification, for wanted fields only: the
 * others are skipped, so whether they fit does not matter. More lenient than the specification in one point: names of records,
 * enums and fixed types need not match, because producers rarely agree on namespaces; in a union the branch with the same name
 * comes first. Stricter in another: see `clashes`.
 */

export function findWriterField(writer: AvroRecord, field: AvroField): number {
  const own = writer.fields.findIndex((candidate) => candidate.name === field.name);
  return own >= 0 ? own : writer.fields.findIndex((candidate) => field.aliases.includes(candidate.name));
}

/**
 * The branch of the reader's type that a value of the writer's type (not a union) becomes: the same type first, then the first
 * that it can be promoted to. Undefined: none, or the reader's type is not a union and does not fit a column of that kind. null
 * stands for missing.
 */
export function readAs(written: AvroType, reader: AvroType, kind: ColumnWant['kind']): AvroType | undefined {
  const branches = branchesOf(reader);
  const chosen = branchFor(written, branches);
  if (chosen?.type === 'null') return chosen;
  // Items that may be null cannot become a vector, whatever the reader's items are.
  if (chosen?.type === 'array' && written.type === 'array' && kind === 'vector' && !isNumber(written.items))
    return undefined;
  if (chosen !== undefined && serves(chosen, kind)) return chosen;
  return chosen !== undefined && branches.some((branch) => serves(branch, kind)) ? NOT_OF_KIND : undefined;
}

/** The branch that a value becomes: same type and name first, then same type, then the first that it can be promoted to. */
export function branchFor(written: AvroType, branches: readonly AvroType[]): AvroType | undefined {
  const same = (named: boolean) => (branch: AvroType) =>
    branch.type === written.type && (!named || nameOf(branch) === nameOf(written)) && promotes(written, branch);
  return (
    branches.find(same(true)) ?? branches.find(same(false)) ?? branches.find((branch) => promotes(written, branch))
  );
}

/**
 * The records of the writer's type that may be the reader's record. In a union, those with its name if there are any, so that no
 * other is mistaken for it; otherwise all, because producers rarely agree on names.
 */
export function recordsFor(written: AvroType, reader: AvroType): readonly AvroRecord[] {
  const records = branchesOf(written).filter((branch) => branch.type === 'record');
  const named = recordIn(reader);
  const same = records.filter((record) => named !== undefined && nameOf(record) === nameOf(named));
  return same.length > 0 ? same : records;
}

/** For a branch of the reader's union that the column cannot hold, although another could: missing. */
const NOT_OF_KIND: AvroType = NULL;

const PROMOTIONS: Readonly<Record<string, readonly string[]>> = {
  int: ['long', 'float', 'double'],
  long: ['float', 'double'],
  float: ['double'],
  string: ['bytes'],
  bytes: ['string'],
};

/** The name without its namespace; undefined for types without a name. */
function nameOf(type: AvroType): string | undefined {
  return 'name' in type ? type.name.slice(type.name.lastIndexOf('.') + 1) : undefined;
}

/** Logical types that count time units. */
const TIME_UNITS: ReadonlySet<string | undefined> = new Set([
  ...['date', 'time-millis', 'time-micros'],
  ...['millis', 'micros', 'nanos'].flatMap((unit) => [`timestamp-${unit}`, `local-timestamp-${unit}`]),
]);

/**
 * Whether both declare what their values mean, and disagree: decimals of another scale, times in another unit. The specification
 * lets such times pass → values wrong by a factor of a thousand, with no error → they are refused.
 */
export function clashes(written: AvroType, reader: AvroType): boolean {
  const [from, to] = [decimalOf(written), decimalOf(reader)];
  if (from !== undefined && to !== undefined) return from.scale !== to.scale;
  if (from !== undefined || to !== undefined) return written.type !== reader.type;
  const [was, is] = [unitOf(written), unitOf(reader)];
  return was !== undefined && is !== undefined && was !== is;
}

function unitOf(type: AvroType): string | undefined {
  const logical = 'logicalType' in type && TIME_UNITS.has(type.logicalType) ? type.logicalType : undefined;
  return logical?.replace('local-', '');
}

/** `open`: records that are being compared; a nested occurrence of one is decided by the rest of it. */
function promotes(written: AvroType, reader: AvroType, open: ReadonlySet<AvroType> = new Set()): boolean {
  if (clashes(written, reader)) return false;
  const some = (from: AvroType, to: AvroType, inside: ReadonlySet<AvroType>): boolean =>
    branchesOf(from).some((branch) => branchesOf(to).some((other) => promotes(branch, other, inside)));
  if (written.type === 'fixed') return reader.type === 'fixed' && reader.size === written.size;
  if (written.type === 'array') return reader.type === 'array' && some(written.items, reader.items, open);
  if (written.type === 'map') return reader.type === 'map' && some(written.values, reader.values, open);
  if (written.type === 'record') {
    if (reader.type !== 'record' || open.has(written)) return reader.type === 'record';
    const inside = new Set(open).add(written);
    return reader.fields.every((field) => {
      const k = findWriterField(written, field);
      return k < 0 ? field.default !== undefined : some(written.fields[k].type, field.type, inside);
    });
  }
  if (written.type === reader.type) return true;
  return PROMOTIONS[written.type]?.includes(reader.type) ?? false;
}
