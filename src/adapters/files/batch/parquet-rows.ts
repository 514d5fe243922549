import type { SchemaElement } from 'hyparquet';
import { ByteWriter, ParquetWriter } from 'hyparquet-writer';
import { type Cell, cellText, NumberText, rowCells } from './json-rows.ts';
import type { RowFormat } from './row-formats.ts';

export interface ParquetColumn {
  readonly name: string;
  readonly type: 'BOOLEAN' | 'INT32' | 'INT64' | 'FLOAT' | 'DOUBLE' | 'STRING' | 'JSON';
}

/** Rows of a row group: what is in memory at a time. */
const GROUP_ROWS = 50_000;

/** Rows, JSON objects, as Parquet packed by snappy: a column per field, lists and records as JSON. The footer is written by `end`. */
export function parquetRows(columns: readonly ParquetColumn[]): RowFormat {
  const bytes = new ByteWriter();
  const writer = new ParquetWriter({ writer: bytes, schema: schemaOf(columns) });
  let data: unknown[][] = columns.map(() => []);

  /** What was written since the last time; offsets in the footer count on. */
  function written(): Buffer {
    const some = Buffer.from(new Uint8Array(bytes.buffer, 0, bytes.index));
    bytes.index = 0;
    return some;
  }

  function group(): void {
    if (data[0].length === 0) return;
    writer.write({
      columnData: columns.map(({ name }, k) => ({ name, data: data[k] })),
      rowGroupSize: GROUP_ROWS * 2,
    });
    data = columns.map(() => []);
  }

  return {
    begin: written,
    rows(rows) {
      for (let i = 0; i < rows.count; i++) {
        const cells = rowCells(rows, i);
        for (let k = 0; k < columns.length; k++) data[k].push(entryOf(columns[k], cells[columns[k].name]));
      }
      if (data[0].length >= GROUP_ROWS) group();
      return written();
    },
    // A footer makes the file, and only one may be there: nothing can be gone on with.
    flush: written,
    end() {
      group();
      writer.finish();
      return written();
    },
  };
}

function entryOf({ type }: ParquetColumn, cell: Cell | undefined): unknown {
  if (cell === null || cell === undefined) return null;
  if (type === 'JSON') return JSON.parse(cellText(cell));
  if (!(cell instanceof NumberText)) return cell;
  return type === 'INT64' ? BigInt(cell.text) : Number(cell.text);
}

function schemaOf(columns: readonly ParquetColumn[]): SchemaElement[] {
  const elements = columns.map(({ name, type }): SchemaElement => {
    if (type === 'STRING') return { name, type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'OPTIONAL' };
    if (type === 'JSON') return { name, type: 'BYTE_ARRAY', converted_type: 'JSON', repetition_type: 'OPTIONAL' };
    return { name, type, repetition_type: 'OPTIONAL' };
  });
  return [{ name: 'root', num_children: columns.length }, ...elements];
}
