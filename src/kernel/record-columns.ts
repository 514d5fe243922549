/**
 * Records as columns, beside the bytes that hold them: what a fetch is decoded into. No object per record.
 *
 * The records of one batch are contiguous: record `i` ends at `ends[i]`, where the next one begins. Several batches share one
 * set of columns, since a set for each would cost too much for a small batch; each has its own bytes, see RecordRange.
 */
export class RecordColumns {
  /** Rows in use. */
  count = 0;
  readonly capacity: number;
  readonly offsets: Float64Array;
  /** Wall ms. */
  readonly timestamps: Float64Array;
  /** Ranges into the bytes of the batch; -1 is null. Headers are in the record-batch layout, see headers.ts; null where there are none. */
  readonly keyStart: Int32Array;
  readonly keyEnd: Int32Array;
  readonly valueStart: Int32Array;
  readonly valueEnd: Int32Array;
  readonly headersStart: Int32Array;
  readonly headersEnd: Int32Array;
  readonly ends: Int32Array;

  constructor(capacity: number) {
    this.capacity = capacity;
    // Not zeroed: no row is read before it is written.
    const rows = Buffer.allocUnsafeSlow(capacity * BYTES_A_ROW).buffer;
    const column = (k: number): Int32Array => new Int32Array(rows, capacity * (16 + 4 * k), capacity);
    this.offsets = new Float64Array(rows, 0, capacity);
    this.timestamps = new Float64Array(rows, capacity * 8, capacity);
    this.keyStart = column(0);
    this.keyEnd = column(1);
    this.valueStart = column(2);
    this.valueEnd = column(3);
    this.headersStart = column(4);
    this.headersEnd = column(5);
    this.ends = column(6);
  }
}

/** Two float64 and seven int32. */
const BYTES_A_ROW = 2 * 8 + 7 * 4;

/** Rows [from, to): the records of one batch, the first of which begins at `start` of `bytes`. */
export interface RecordRange {
  readonly columns: RecordColumns;
  readonly from: number;
  readonly to: number;
  readonly bytes: Buffer;
  readonly start: number;
}

/** Where row `row` of the range begins. */
export function startOf({ columns, from, start }: RecordRange, row: number): number {
  return row === from ? start : columns.ends[row - 1];
}
