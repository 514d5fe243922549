/**
 * Records as one arena of bytes and columns of ranges: what encode fills, deliver accumulates and a sink sends.
 * Grows by doubling; `clear()` keeps the memory. Start -1 is null. No object a record.
 */
export class RecordSlab {
  arena: Buffer;
  /** Bytes of the arena in use. */
  used = 0;
  count = 0;
  timestamps: Float64Array;
  keyStart: Int32Array;
  keyEnd: Int32Array;
  valueStart: Int32Array;
  valueEnd: Int32Array;
  headersStart: Int32Array;
  headersEnd: Int32Array;

  constructor(capacity: number, arenaBytes: number) {
    this.arena = Buffer.allocUnsafeSlow(arenaBytes);
    // One piece of memory for all columns: seven would cost seven times as much to get, and to collect.
    const rows = new ArrayBuffer(capacity * BYTES_A_ROW);
    const column = (k: number): Int32Array => new Int32Array(rows, capacity * (8 + 4 * k), capacity);
    this.timestamps = new Float64Array(rows, 0, capacity);
    this.keyStart = column(0);
    this.keyEnd = column(1);
    this.valueStart = column(2);
    this.valueEnd = column(3);
    this.headersStart = column(4);
    this.headersEnd = column(5);
  }

  clear(): void {
    this.used = 0;
    this.count = 0;
  }

  /** Begins row `count`, every part null; the caller then writes parts and moves `used`. Returns the row. */
  begin(timestampMs: number): number {
    const i = this.count++;
    if (i === this.timestamps.length) this.growRows();
    this.timestamps[i] = timestampMs;
    this.keyStart[i] = -1;
    this.keyEnd[i] = -1;
    this.valueStart[i] = -1;
    this.valueEnd[i] = -1;
    this.headersStart[i] = -1;
    this.headersEnd[i] = -1;
    return i;
  }

  /** Makes room for `bytes` more and returns where they go; invalidates earlier references to `arena`. */
  reserve(bytes: number): number {
    const need = this.used + bytes;
    if (need > this.arena.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(need, this.arena.length * 2, 1024));
      this.arena.copy(larger, 0, 0, this.used);
      this.arena = larger;
    }
    return this.used;
  }

  append(timestampMs: number, key: Buffer | null, value: Buffer | null, headers: Buffer | null): number {
    const i = this.begin(timestampMs);
    if (key !== null) {
      this.keyStart[i] = this.copyIn(key, 0, key.length);
      this.keyEnd[i] = this.used;
    }
    if (value !== null) {
      this.valueStart[i] = this.copyIn(value, 0, value.length);
      this.valueEnd[i] = this.used;
    }
    if (headers !== null) {
      this.headersStart[i] = this.copyIn(headers, 0, headers.length);
      this.headersEnd[i] = this.used;
    }
    return i;
  }

  /** Copies row `row` of another slab to the end of this one. */
  appendRow(from: RecordSlab, row: number): number {
    const i = this.begin(from.timestamps[row]);
    if (from.keyStart[row] >= 0) {
      this.keyStart[i] = this.copyIn(from.arena, from.keyStart[row], from.keyEnd[row]);
      this.keyEnd[i] = this.used;
    }
    if (from.valueStart[row] >= 0) {
      this.valueStart[i] = this.copyIn(from.arena, from.valueStart[row], from.valueEnd[row]);
      this.valueEnd[i] = this.used;
    }
    if (from.headersStart[row] >= 0) {
      this.headersStart[i] = this.copyIn(from.arena, from.headersStart[row], from.headersEnd[row]);
      this.headersEnd[i] = this.used;
    }
    return i;
  }

  /** Bytes that row `row` would add: what a size limit is compared with. */
  rowBytes(row: number): number {
    let bytes = 0;
    if (this.keyStart[row] >= 0) bytes += this.keyEnd[row] - this.keyStart[row];
    if (this.valueStart[row] >= 0) bytes += this.valueEnd[row] - this.valueStart[row];
    if (this.headersStart[row] >= 0) bytes += this.headersEnd[row] - this.headersStart[row];
    return bytes;
  }

  private copyIn(from: Buffer, start: number, end: number): number {
    const at = this.reserve(end - start);
    from.copy(this.arena, at, start, end);
    this.used = at + end - start;
    return at;
  }

  private growRows(): void {
    const wider = new RecordSlab(Math.max(16, this.timestamps.length * 2), 0);
    for (const name of COLUMNS) wider[name].set(this[name]);
    this.timestamps = wider.timestamps;
    this.keyStart = wider.keyStart;
    this.keyEnd = wider.keyEnd;
    this.valueStart = wider.valueStart;
    this.valueEnd = wider.valueEnd;
    this.headersStart = wider.headersStart;
    this.headersEnd = wider.headersEnd;
  }
}

const COLUMNS = ['timestamps', 'keyStart', 'keyEnd', 'valueStart', 'valueEnd', 'headersStart', 'headersEnd'] as const;
/** A float64 and six int32. */
const BYTES_A_ROW = 8 + 6 * 4;
