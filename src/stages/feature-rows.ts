import type { ReadPlan } from '../plan/plan.ts';

/** The distinct rows of one frame: row 0 is the row that is not there, row k + 1 belongs to distinct key k. */
export interface DistinctRows {
  /** Rows in use; the slabs may hold more. */
  count: number;
  readonly values: Float64Array;
  readonly writtenAtMs: Float64Array;
  /** Row → how it is less than asked for, see degraded.ts; undefined: none is. */
  degraded: Uint8Array | undefined;
}

export function degradeRow(rows: DistinctRows, row: number, how: number): void {
  rows.degraded ??= new Uint8Array(rows.count);
  rows.degraded[row] = how;
}

export function blankRow(rows: DistinctRows, row: number, read: ReadPlan): void {
  rows.values.fill(Number.NaN, row * read.rowWidth, (row + 1) * read.rowWidth);
  rows.writtenAtMs.fill(Number.NaN, row * read.views.length, (row + 1) * read.views.length);
}

export function hasView(writtenAtMs: Float64Array, row: number, views: number): boolean {
  for (let v = 0; v < views; v++) if (!Number.isNaN(writtenAtMs[row * views + v])) return true;
  return false;
}
