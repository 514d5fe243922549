import { decimalOf, isDuration, isNullable } from '../../codecs/avro/fields.ts';
import type { AvroRecord, AvroType } from '../../codecs/avro/schema.ts';

const SOME_TIME_MS = 991_595_400_000;
const MAX_DEPTH = 8;

/** A meaningless record that fits its schema; each list, by path, has the width that the bundle reads. */
export function exampleEvent(record: AvroRecord, widths: ReadonlyMap<string, number>): Record<string, unknown> {
  return exampleRecord(record, widths, '', 0);
}

/** The same with null wherever the schema allows it; undefined if it never does. */
export function barestEvent(record: AvroRecord, event: Record<string, unknown>): Record<string, unknown> | undefined {
  let isBarer = false;
  const bare = { ...event };
  for (const { name, type } of record.fields) {
    const value = event[name];
    const inner = type.type === 'record' && value !== null ? barestEvent(type, value as typeof event) : undefined;
    if (!isNullable(type) && inner === undefined) continue;
    bare[name] = isNullable(type) ? null : inner;
    isBarer = true;
  }
  return isBarer ? bare : undefined;
}

function exampleRecord(
  { fields }: AvroRecord,
  widths: ReadonlyMap<string, number>,
  before: string,
  depth: number,
): Record<string, unknown> {
  return Object.fromEntries(
    fields.map(({ name, type }) => [name, exampleOf(type, { widths, path: `${before}${name}` }, depth)]),
  );
}

interface Place {
  readonly widths: ReadonlyMap<string, number>;
  readonly path: string;
}

function exampleOf(type: AvroType, place: Place, depth: number): unknown {
  const width = place.widths.get(place.path) ?? 1;
  // A recursive schema must end somewhere: in a null, or in an empty list.
  if (depth > MAX_DEPTH) return null;
  const decimal = decimalOf(type);
  // A value with a single digit, which every decimal can hold: 1, 0.1, 0.01, …
  if (decimal !== undefined) return Number(`1e-${decimal.scale}`);
  if (isDuration(type)) return [0, 1, 0];
  switch (type.type) {
    case 'null':
      return null;
    case 'boolean':
      return true;
    case 'int':
    case 'long':
      return someTime(type.logicalType) ?? 1;
    case 'float':
    case 'double':
      return 0.5;
    case 'string':
      return type.logicalType === 'uuid' ? '00000000-0000-4000-8000-000000000001' : 'text';
    // Vectors of float32, which are lists in plain JSON.
    case 'bytes':
      return Array(width).fill(0.5);
    case 'fixed':
      return type.size % 4 === 0 ? Array(type.size / 4).fill(0.5) : 'x'.repeat(type.size);
    case 'enum':
      return type.symbols[0];
    case 'array':
      return depth >= MAX_DEPTH / 2
        ? []
        : Array.from({ length: width }, () => exampleOf(type.items, NOWHERE, depth + 1));
    case 'map':
      return {};
    case 'union':
      return exampleOf(type.branches.find((branch) => branch.type !== 'null') ?? type.branches[0], place, depth + 1);
    case 'record':
      return exampleRecord(type, place.widths, `${place.path}.`, depth + 1);
  }
}

/** For lists within lists, whose width is never read. */
const NOWHERE: Place = { widths: new Map(), path: '' };

/** The same time in each unit. */
function someTime(logicalType: string | undefined): number | undefined {
  if (logicalType === 'date') return Math.floor(SOME_TIME_MS / 86_400_000);
  if (logicalType?.includes('timestamp') !== true) return undefined;
  if (logicalType.endsWith('nanos')) return undefined;
  return logicalType.endsWith('micros') ? SOME_TIME_MS * 1000 : SOME_TIME_MS;
}
