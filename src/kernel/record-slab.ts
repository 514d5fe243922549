import { copyBytes } from './copy-bytes.ts';
import { putVarint, varintBytes, zigzag } from './varints.ts';

/** Headers of one record, in the layout of headers.ts; a byte at least. */
export interface HeaderBlock {
  /** The block is its first `length` bytes. */
  readonly view: DataView;
  readonly length: number;
}

/**
 * Records as one arena of bytes and columns of ranges: what encode fills, deliver accumulates and a sink sends.
 * Grows by doubling; `clear()` keeps the memory. Start -1 is null. No object a record.
 *
 * A row may lie there as it does in a Kafka record batch from the key on (length of the key, key, length of the value, value,
 * headers; varints, zigzag): it has a body. `appendRow` puts in front what a batch has there, so that rows that all came by it are
 * the records of a batch, to the byte, and go to the broker in one copy.
 */
export class RecordSlab {
  arena: Buffer;
  /** Of the whole arena. */
  view: DataView;
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
  /** Where its body begins, which ends with the value, or with the headers if there are any; -1 where the row has none. */
  bodyStart: Int32Array;
  /** Rows, and bytes, at the beginning that are the records of a batch. */
  private framedRows = 0;
  private framedBytes = 0;

  constructor(capacity: number, arenaBytes: number) {
    this.arena = Buffer.allocUnsafeSlow(arenaBytes);
    this.view = viewOf(this.arena);
    // One piece of memory for all columns: eight would cost eight times as much to get, and to collect.
    const rows = new ArrayBuffer(capacity * BYTES_A_ROW);
    const column = (k: number): Int32Array => new Int32Array(rows, capacity * (8 + 4 * k), capacity);
    this.timestamps = new Float64Array(rows, 0, capacity);
    this.keyStart = column(0);
    this.keyEnd = column(1);
    this.valueStart = column(2);
    this.valueEnd = column(3);
    this.headersStart = column(4);
    this.headersEnd = column(5);
    this.bodyStart = column(6);
  }

  /** The bytes in use are the records of a record batch: timestamps count from the first one's, offsets from 0. */
  get isBatch(): boolean {
    return this.framedRows === this.count && this.framedBytes === this.used;
  }

  clear(): void {
    this.used = 0;
    this.count = 0;
    this.framedRows = 0;
    this.framedBytes = 0;
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
    this.bodyStart[i] = -1;
    return i;
  }

  /** Makes room for `bytes` more and returns where they go; invalidates earlier references to `arena`. */
  reserve(bytes: number): number {
    const need = this.used + bytes;
    if (need > this.arena.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(need, this.arena.length * 2, 1024));
      this.arena.copy(larger, 0, 0, this.used);
      this.arena = larger;
      this.view = viewOf(larger);
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

  /** Copies row `row` of another slab, with its own headers or those given, to the end of this one: as a record of a batch, where it has a body. */
  appendRow(from: RecordSlab, row: number, headers?: HeaderBlock): number {
    const start = from.bodyStart[row];
    const i = this.count;
    const delta = i === 0 ? 0 : from.timestamps[row] - this.timestamps[0];
    if (start < 0 || !(delta > -SMALL_DELTA && delta < SMALL_DELTA)) return this.appendParts(from, row, headers);
    const hasOwn = headers === undefined && from.headersEnd[row] > from.headersStart[row];
    const own = hasOwn ? from.headersStart[row] : -1;
    const bytes = (own < 0 ? from.valueEnd[row] : from.headersEnd[row]) - start;
    // Without headers there is their count, which is none.
    const rest = headers === undefined ? (own < 0 ? 1 : 0) : headers.length;
    const later = zigzag(delta);
    const offset = i * 2;
    const length = 1 + varintBytes(later) + varintBytes(offset) + bytes + rest;
    const first = this.reserve(MAX_FRAMING + bytes + rest);
    const { arena, view } = this;
    let at = putVarint(arena, first, length * 2);
    arena[at++] = 0;
    at = putVarint(arena, at, later);
    at = putVarint(arena, at, offset);
    copyBytes(view, at, from.view, start, bytes);
    const end = at + bytes;
    if (headers !== undefined) copyBytes(view, end, headers.view, 0, rest);
    else if (own < 0) arena[end] = 0;
    this.used = end + rest;
    if (this.framedRows === i && this.framedBytes === first) {
      this.framedRows++;
      this.framedBytes = this.used;
    }
    const by = at - start;
    this.count++;
    if (i === this.timestamps.length) this.growRows();
    const keyStart = from.keyStart[row];
    this.timestamps[i] = from.timestamps[row];
    this.keyStart[i] = keyStart < 0 ? -1 : keyStart + by;
    this.keyEnd[i] = keyStart < 0 ? -1 : from.keyEnd[row] + by;
    // A body is made of a value.
    this.valueStart[i] = from.valueStart[row] + by;
    this.valueEnd[i] = from.valueEnd[row] + by;
    this.headersStart[i] = headers === undefined ? (own < 0 ? -1 : own + by) : end;
    this.headersEnd[i] = headers === undefined && own < 0 ? -1 : this.used;
    this.bodyStart[i] = at;
    return i;
  }

  private appendParts(from: RecordSlab, row: number, headers: HeaderBlock | undefined): number {
    const i = this.begin(from.timestamps[row]);
    if (from.keyStart[row] >= 0) {
      this.keyStart[i] = this.copyIn(from.arena, from.keyStart[row], from.keyEnd[row]);
      this.keyEnd[i] = this.used;
    }
    if (from.valueStart[row] >= 0) {
      this.valueStart[i] = this.copyIn(from.arena, from.valueStart[row], from.valueEnd[row]);
      this.valueEnd[i] = this.used;
    }
    if (headers !== undefined) {
      const at = this.reserve(headers.length);
      copyBytes(this.view, at, headers.view, 0, headers.length);
      this.headersStart[i] = at;
      this.headersEnd[i] = this.used = at + headers.length;
    } else if (from.headersStart[row] >= 0) {
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
    this.bodyStart = wider.bodyStart;
  }
}

const COLUMNS = [
  ...(['timestamps', 'keyStart', 'keyEnd', 'valueStart', 'valueEnd'] as const),
  ...(['headersStart', 'headersEnd', 'bodyStart'] as const),
] as const;

/** Zigzagged, they are an int32. */
const SMALL_DELTA = 2 ** 30;
/** Length, attributes, timestamp and offset, each as long as it can be. */
const MAX_FRAMING = 5 + 1 + 5 + 5;

function viewOf({ buffer, byteOffset, byteLength }: Buffer): DataView {
  return new DataView(buffer, byteOffset, byteLength);
}

/** A float64 and seven int32. */
export const BYTES_A_ROW = 8 + 7 * 4;
