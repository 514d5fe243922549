import type { RecordSlab } from '../../../kernel/record-slab.ts';

/** How rows become bytes of a file. Calls come one at a time, in this order: begin, rows and flush as often as wanted, end. */
export interface RowFormat {
  /** What the file begins with. */
  begin(): Buffer;
  rows(rows: RecordSlab): Buffer | Promise<Buffer>;
  /** What was gathered of rows and not given out; behind it the file may be gone on with, without `begin`. */
  flush(): Buffer | Promise<Buffer>;
  /** What stands behind the last row. */
  end(): Buffer | Promise<Buffer>;
}

const NOTHING = Buffer.alloc(0);

/** JSON Lines: every row's value and a line end, in one buffer. */
export const LINES: RowFormat = {
  begin: () => NOTHING,
  flush: () => NOTHING,
  end: () => NOTHING,
  rows(rows) {
    let bytes = 0;
    for (let i = 0; i < rows.count; i++) bytes += rows.valueEnd[i] - rows.valueStart[i] + 1;
    const lines = Buffer.allocUnsafe(bytes);
    let at = 0;
    for (let i = 0; i < rows.count; i++) {
      at += rows.arena.copy(lines, at, rows.valueStart[i], rows.valueEnd[i]);
      lines[at++] = 10;
    }
    return lines;
  },
};
