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

/** Wants for every field of a schema (parsed JSON), raw: for converting values between formats unchanged. */
export function wholeWants(schema: unknown): readonly ColumnWant[] {
  return parseAvroRecord(schema).fields.map(({ name, type }) => ({ field: name, kind: 'raw', width: 1, type }));
}

/** Fresh columns of `count` entries, all missing, one for each want: what `ValueDecoder.bind` takes. Text lies in `arena`. */
export function columnsOf(wants: readonly ColumnWant[], count: number, arena: Buffer): Column[] {
  return wants.map((want) => columnOf(want, count, arena));
}

/** Wants whose values are all float32 by the reader's schema (parsed JSON). */
export function float32Wants(schema: unknown, wants: readonly ColumnWant[]): ReadonlySet<ColumnWant> {
  return new Set(wants.filter(({ kind, field }) => kind === 'vector' && holdsFloat32(schema, field)));
}

/** Bytes that one entry of all the wants takes. */
export function entryBytes(wants: readonly ColumnWant[], float32: ReadonlySet<ColumnWant>): number {
  return wants.reduce((sum, want) => sum + 1 + (float32.has(want) ? 4 : 8) * want.width, 0);
}

/** Columns of up to `capacity` entries, reused; those in `float32` are kept as float32. */
export class ReusedColumns {
  private readonly columns: readonly Column[];

  constructor(wants: readonly ColumnWant[], capacity: number, float32: ReadonlySet<ColumnWant> = new Set()) {
    this.columns = wants.map((want) =>
      float32.has(want) ? float32Column(capacity, want.width) : columnOf(want, capacity),
    );
  }

  /**
   * As good as fresh ones, in the same memory: all entries are missing, except that vectors keep their old values; after decoding,
   * `blankMissing` blanks those that are missing.
   */
  of(count: number, arena: Buffer): Column[] {
    return this.columns.map((column) => emptied(column, count, arena));
  }
}

/** Ends the decoding of a frame: missing vectors become NaN throughout. */
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
