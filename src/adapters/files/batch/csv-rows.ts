import { stringify } from 'csv-stringify/sync';
import { type Cell, cellText, rowCells } from './json-rows.ts';
import type { RowFormat } from './row-formats.ts';

/** Rows, JSON objects, as CSV: a header line, null as nothing, empty text as "", lists as JSON. Lines end with LF. */
export function csvRows(names: readonly string[]): RowFormat {
  const bytes = (lines: readonly (readonly (string | null)[])[]): Buffer =>
    Buffer.from(stringify(lines as (string | null)[][], { quoted_empty: true }));
  return {
    begin: () => bytes([names]),
    rows(rows) {
      const lines: (string | null)[][] = [];
      for (let i = 0; i < rows.count; i++) {
        const cells = rowCells(rows, i);
        lines.push(names.map((name) => shown(cells[name])));
      }
      return bytes(lines);
    },
    flush: () => Buffer.alloc(0),
    end: () => Buffer.alloc(0),
  };
}

function shown(cell: Cell | undefined): string | null {
  if (cell === null || cell === undefined) return null;
  return typeof cell === 'string' ? cell : cellText(cell);
}
