/** Columns of a RecordSlab, an entry per row: ranges into its arena, -1 for null. */
export interface SlabColumns {
  readonly capacity: number;
  /** Wall ms. */
  readonly timestamps: Float64Array;
  readonly keyStart: Int32Array;
  readonly keyEnd: Int32Array;
  readonly valueStart: Int32Array;
  readonly valueEnd: Int32Array;
  readonly headersStart: Int32Array;
  readonly headersEnd: Int32Array;
  /** See RecordSlab. */
  readonly bodyStart: Int32Array;
}

/** A float64 and seven int32. */
export const BYTES_A_ROW = 8 + 7 * 4;

/** Length, attributes, timestamp and offset of a record of a batch, each as long as it can be. */
export const MAX_FRAMING = 5 + 1 + 5 + 5;

export function slabColumns(capacity: number): SlabColumns {
  // One piece of memory for all columns: eight would cost eight times as much to get, and to collect.
  const rows = new ArrayBuffer(capacity * BYTES_A_ROW);
  const column = (k: number): Int32Array => new Int32Array(rows, capacity * (8 + 4 * k), capacity);
  return {
    capacity,
    timestamps: new Float64Array(rows, 0, capacity),
    keyStart: column(0),
    keyEnd: column(1),
    valueStart: column(2),
    valueEnd: column(3),
    headersStart: column(4),
    headersEnd: column(5),
    bodyStart: column(6),
  };
}

/** The same rows, with room for `rows` of them at least. */
export function widen(columns: SlabColumns, rows: number): SlabColumns {
  const wider = slabColumns(Math.max(16, rows, columns.capacity * 2));
  wider.timestamps.set(columns.timestamps);
  wider.keyStart.set(columns.keyStart);
  wider.keyEnd.set(columns.keyEnd);
  wider.valueStart.set(columns.valueStart);
  wider.valueEnd.set(columns.valueEnd);
  wider.headersStart.set(columns.headersStart);
  wider.headersEnd.set(columns.headersEnd);
  wider.bodyStart.set(columns.bodyStart);
  return wider;
}

/** Fills rows [from, to) from the records of a batch that lie from `at` on, as `RecordSlab.appendRow` has written them. */
export function locateRecords(
  arena: Uint8Array,
  at: number,
  columns: SlabColumns,
  from: number,
  to: number,
  firstTimestamp: number,
): void {
  const { timestamps, keyStart, keyEnd, valueStart, valueEnd, headersStart, headersEnd, bodyStart } = columns;
  let next = at;
  const varint = (): number => {
    let raw = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = arena[next++];
      raw |= (byte & 0x7f) << shift;
      if (byte < 0x80) return (raw >>> 1) ^ -(raw & 1);
    }
  };
  for (let row = from; row < to; row++) {
    const length = varint();
    const end = next + length;
    next++; // attributes
    timestamps[row] = firstTimestamp + varint();
    varint(); // offset
    bodyStart[row] = next;
    const keyBytes = varint();
    keyStart[row] = keyBytes < 0 ? -1 : next;
    if (keyBytes > 0) next += keyBytes;
    keyEnd[row] = keyBytes < 0 ? -1 : next;
    // A body is made of a value.
    const valueBytes = varint();
    valueStart[row] = next;
    next += valueBytes;
    valueEnd[row] = next;
    const hasHeaders = arena[next] !== 0;
    headersStart[row] = hasHeaders ? next : -1;
    headersEnd[row] = hasHeaders ? end : -1;
    next = end;
  }
}
