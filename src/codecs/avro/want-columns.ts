import {
  blankMissing,
  type Column,
  emptied,
  float32Column,
  longColumn,
  numberColumn,
  rawColumn,
  stringColumn,
  vectorColumn,
} from '../../kernel/columns.ts';
import type { ColumnWant } from '../types.ts';
import { holdsFloat32 } from './paths.ts';
import { parseAvroRecord } from './schema.ts';

/** Every field of a schema (parsed JSON), whole: what takes values from one format to the other as they are. */
export function wholeWants(schema: unknown): readonly ColumnWant[] {
  return parseAvroRecord(schema).fields.map(({ name, type }) => ({ field: name, kind: 'raw', width: 1, type }));
}

/** Fresh columns of `count` entries, everything missing, one a want: what `ValueDecoder.bind` takes. Text lies in `arena`. */
export function columnsOf(wants: readonly ColumnWant[], count: number, arena: Buffer): Column[] {
  return wants.map((want) => columnOf(want, count, arena));
}

/** Wants whose values are float32, all of them, by the reader's schema (parsed JSON). */
export function float32Wants(schema: unknown, wants: readonly ColumnWant[]): ReadonlySet<ColumnWant> {
  return new Set(wants.filter(({ kind, field }) => kind === 'vector' && holdsFloat32(schema, field)));
}

/** Bytes that an entry of each takes, in all. */
export function entryBytes(wants: readonly ColumnWant[], float32: ReadonlySet<ColumnWant>): number {
  return wants.reduce((sum, want) => sum + 1 + (float32.has(want) ? 4 : 8) * want.width, 0);
}

/** Columns of up to `capacity` entries, again; `float32` of the wants are kept as such. */
export class ReusedColumns {
  private readonly columns: readonly Column[];

  constructor(wants: readonly ColumnWant[], capacity: number, float32: ReadonlySet<ColumnWant> = new Set()) {
    this.columns = wants.map((want) =>
      float32.has(want) ? float32Column(capacity, want.width) : columnOf(want, capacity),
    );
  }

  /**
   * As fresh ones, in the same memory; what it held is gone, but for the values of vectors: `blankMissing` says which of them
   * are none, once the others are there.
   */
  of(count: number, arena: Buffer): Column[] {
    return this.columns.map((column) => emptied(column, count, arena));
  }
}

/** What a frame's decoding ends with: vectors that are not there are NaN throughout. */
export function endVectors(columns: readonly Column[]): void {
  for (const column of columns) if (column.kind === 'vector') blankMissing(column);
}

function columnOf({ kind, width }: ColumnWant, count: number, arena?: Buffer): Column {
  if (kind === 'number') return numberColumn(count);
  if (kind === 'long') return longColumn(count);
  if (kind === 'string') return stringColumn(count, arena);
  if (kind === 'raw') return rawColumn(count);
  return vectorColumn(count, width);
}
