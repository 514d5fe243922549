import type { Column, StringColumn } from '../kernel/columns.ts';

/**
 * Constant text (enum symbols, defaults) that entries of a string column may point at although no record contains it.
 * It is appended to a copy of the column's bytes, so that ranges into the arena stay valid; once for each column, because
 * decoders of several writer schemas may take turns over the records of one frame.
 */
export class ColumnText {
  private readonly text: Buffer;
  private readonly bases = new WeakMap<StringColumn, number>();

  constructor(text: Buffer) {
    this.text = text;
  }

  /** Where the text begins in `column.bytes`. */
  baseIn(column: Column): number {
    if (column.kind !== 'string') return 0;
    const known = this.bases.get(column);
    if (known !== undefined) return known;
    const base = column.bytes.length;
    column.bytes = Buffer.concat([column.bytes, this.text]);
    this.bases.set(column, base);
    return base;
  }
}
