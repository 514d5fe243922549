import type { Column } from '../../kernel/columns.ts';
import { OPEN } from '../../kernel/fate.ts';
import type { DefaultEntry } from '../avro/default-entry.ts';
import { parseAvroRecord } from '../avro/schema.ts';
import { bindColumns } from '../bind-columns.ts';
import { ColumnText } from '../column-text.ts';
import type { ColumnWant, ValueDecoder } from '../types.ts';
import { jsonFields } from './fields.ts';
import { JsonRowReader } from './row.ts';

export interface JsonDecoderOptions {
  /** The .avsc (parsed JSON) that gives the fields and their types. */
  readonly schema: unknown;
  readonly wants: readonly ColumnWant[];
}

/**
 * Plain JSON objects → columns, without parsing into objects. Types are those of an .avsc, in plain JSON, not Avro's JSON
 * encoding: `"ATL"`, never `{"string":"ATL"}`; a vector is an array of numbers, whatever its Avro type.
 *
 * Promise, for any bytes: it never throws, reads nothing outside [start, end), takes time linear in their number, and accepts
 * nothing that JSON.parse would refuse. It also refuses more than 64 levels and bytes that are not UTF-8; and, in wanted
 * fields, a value of another type, null where the type has none, numbers out of range (1.0 is an integer, 1.5 is not), and
 * unpaired surrogates. If a member occurs twice, its last value counts. An absent one is its default, or null where its type
 * allows that, because producers omit nulls. Unwanted members may have any type.
 *
 * A string with escapes makes its column own a copy of the arena, in which the text is unescaped in place.
 * Throws `contract-broken` for a bad schema or a want that it cannot serve.
 */
export function compileJsonDecoder(options: JsonDecoderOptions): ValueDecoder {
  const { wants } = options;
  const fields = jsonFields(parseAvroRecord(options.schema), wants);
  const texts = new Map<DefaultEntry, ColumnText>();

  function baseOf(entry: DefaultEntry | undefined, column: Column): number {
    if (entry === undefined || column.kind !== 'string' || entry.text.length === 0) return 0;
    let text = texts.get(entry);
    if (text === undefined) {
      text = new ColumnText(entry.text);
      texts.set(entry, text);
    }
    return text.baseIn(column);
  }

  function readerOf(arena: Buffer, columns: readonly Column[]): JsonRowReader {
    bindColumns(arena, wants, columns);
    return new JsonRowReader(arena, fields, columns, baseOf);
  }

  return {
    bind(arena, columns) {
      const reader = readerOf(arena, columns);
      return (start, end, i) => reader.read(start, end, i);
    },
    bindRows(arena, columns) {
      const reader = readerOf(arena, columns);
      return (starts, ends, skip, fate, from, to) => {
        for (let i = from; i < to; i++) {
          if (fate[i] === OPEN && !reader.read(starts[i] + skip, ends[i], i)) return i;
        }
        return to;
      };
    },
  };
}
