import type { ReadPlan } from '../../plan/plan.ts';

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

/** Frames whose rows are used at a time: each is read, and done with, before the next one's turn. */
const MAX_SPARE = 4;
/** Frames differ a little in distinct keys: their rows come in sizes that fit the next one too. */
const ROWS_STEP = 128;

/** Rows that were given back serve the next frame: fresh memory of this size costs as much as filling it. */
export class RowPool {
  private readonly read: ReadPlan;
  private readonly spare: DistinctRows[] = [];

  constructor(read: ReadPlan) {
    this.read = read;
  }

  take(count: number): DistinctRows {
    const { rowWidth, views } = this.read;
    const last = this.spare.pop();
    if (last !== undefined && last.values.length >= count * rowWidth) {
      last.count = count;
      return last;
    }
    const capacity = Math.ceil(count / ROWS_STEP) * ROWS_STEP;
    return {
      count,
      values: new Float64Array(capacity * rowWidth),
      writtenAtMs: new Float64Array(capacity * views.length),
      degraded: undefined,
    };
  }

  recycle({ values, writtenAtMs }: Pick<DistinctRows, 'values' | 'writtenAtMs'>): void {
    if (this.spare.length < MAX_SPARE) this.spare.push({ count: 0, values, writtenAtMs, degraded: undefined });
  }
}
