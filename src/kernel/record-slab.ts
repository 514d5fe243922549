/**
 * Records as one arena of bytes and columns of ranges: what encode fills, deliver accumulates and a sink sends.
 * Grows by doubling; `clear()` keeps the memory. Start -1 is null. No object a record.
 */
export class RecordSlab {
  arena: Buffer;
  /** The arena's whole words: short copies between places that begin on one are cheapest so. */
  words: Int32Array;
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
    this.words = wordsOf(this.arena);
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
      const larger = Buffer.allocUnsafeSlow(wholeWords(Math.max(need, this.arena.length * 2, 1024)));
      this.arena.copy(larger, 0, 0, this.used);
      this.arena = larger;
      this.words = wordsOf(larger);
    }
    return this.used;
  }

  /** As `reserve`, from the next whole word on, where `used` is then; up to three bytes are left unused. */
  reserveAligned(bytes: number): number {
    this.reserve(bytes + 3);
    this.used = wholeWords(this.used);
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
    const keyStart = from.keyStart[row];
    const keyEnd = from.keyEnd[row];
    const valueStart = from.valueStart[row];
    const valueEnd = from.valueEnd[row];
    const start = from.headersStart[row];
    const headersEnd = from.headersEnd[row];
    const bytes = valueEnd - start;
    // As encode lays it out: headers, key and value next to each other.
    const inOnePiece =
      start >= 0 && (keyStart < 0 ? headersEnd : keyEnd) === valueStart && (keyStart < 0 || keyStart === headersEnd);
    if (!inOnePiece) return this.appendParts(from, row);
    const at = this.reserveAligned(bytes + 3);
    const source = from.words;
    const end = (start + bytes + 3) >> 2;
    // The last word may be one that the arena has no whole of.
    if (bytes > MAX_WORDWISE || (start & 3) !== 0 || end > source.length) {
      from.arena.copy(this.arena, at, start, valueEnd);
    } else {
      const { words } = this;
      for (let w = start >> 2, to = at >> 2; w < end; w++, to++) words[to] = source[w];
    }
    this.used = at + bytes;
    const by = at - start;
    const i = this.count++;
    if (i === this.timestamps.length) this.growRows();
    this.timestamps[i] = from.timestamps[row];
    this.keyStart[i] = keyStart < 0 ? -1 : keyStart + by;
    this.keyEnd[i] = keyStart < 0 ? -1 : keyEnd + by;
    this.valueStart[i] = valueStart + by;
    this.valueEnd[i] = valueEnd + by;
    this.headersStart[i] = at;
    this.headersEnd[i] = headersEnd + by;
    return i;
  }

  private appendParts(from: RecordSlab, row: number): number {
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
/** Above this a native copy is cheaper: it costs as much as some thirty words. */
const MAX_WORDWISE = 128;

function wholeWords(bytes: number): number {
  return (bytes + 3) & ~3;
}

/** The arena is memory of its own, so it begins on a word. */
function wordsOf(arena: Buffer): Int32Array {
  return new Int32Array(arena.buffer, arena.byteOffset, arena.length >> 2);
}

/** A float64 and six int32. */
const BYTES_A_ROW = 8 + 6 * 4;
