import { copyBytes } from './bytes/copy-bytes.ts';
import { putVarint, varintBytes, zigzag } from './bytes/varints.ts';
import { locateRecords, MAX_FRAMING, type SlabColumns, slabColumns, widen } from './slab-columns.ts';

/** Headers of one record, in the layout of headers.ts; a byte at least. */
export interface HeaderBlock {
  /** The block is its first `length` bytes. */
  readonly view: DataView;
  readonly length: number;
}

/**
 * Records as one arena of bytes and columns of ranges: what encode fills, deliver accumulates and a sink sends.
 * Grows by doubling; `clear()` keeps the memory. Start -1 is null. No object per record.
 *
 * A row may be laid out as in a Kafka record batch from the key on (length of the key, key, length of the value, value, headers;
 * zigzag varints): it then has a body. `appendRow` adds what precedes the body in a batch, so that a slab whose rows were all
 * appended by it holds the records of a batch, byte for byte, and goes to the broker in one copy.
 *
 * Hazard: eight columns of each of a dozen slabs are more memory streams than a processor can prefetch (cause) → a cache miss per
 * row, for entries that nobody reads (effect) → entries of rows that are records of a batch are parsed from it when a column is
 * requested (guard). So take a column from the slab after appending the rows, not before.
 */
export class RecordSlab {
  arena: Buffer;
  /** Of the whole arena. */
  view: DataView;
  /** Bytes of the arena in use. */
  used = 0;
  count = 0;
  private columns: SlabColumns;
  /** Rows, and bytes, at the beginning that are the records of a batch. */
  private framedRows = 0;
  private framedBytes = 0;
  /** Of these, what the columns have. */
  private locatedRows = 0;
  private locatedBytes = 0;
  /** Of the framed rows: the first one's, and the latest. */
  private readonly times = new Float64Array(2);

  constructor(capacity: number, arenaBytes: number) {
    this.arena = Buffer.allocUnsafeSlow(arenaBytes);
    this.view = viewOf(this.arena);
    this.columns = slabColumns(capacity);
  }

  /** Wall ms. */
  get timestamps(): Float64Array {
    return this.located().timestamps;
  }

  get keyStart(): Int32Array {
    return this.located().keyStart;
  }

  get keyEnd(): Int32Array {
    return this.located().keyEnd;
  }

  get valueStart(): Int32Array {
    return this.located().valueStart;
  }

  get valueEnd(): Int32Array {
    return this.located().valueEnd;
  }

  get headersStart(): Int32Array {
    return this.located().headersStart;
  }

  get headersEnd(): Int32Array {
    return this.located().headersEnd;
  }

  /** Where its body begins, which ends with the value, or with the headers if there are any; -1 where the row has none. */
  get bodyStart(): Int32Array {
    return this.located().bodyStart;
  }

  /** The bytes in use are the records of a record batch: timestamps count from the first one's, offsets from 0. */
  get isBatch(): boolean {
    return this.framedRows === this.count && this.framedBytes === this.used;
  }

  /** Of the first row, and of the latest one, where `isBatch`: no column is looked at. */
  get firstTimestamp(): number {
    return this.times[0];
  }

  get latestTimestamp(): number {
    return this.times[1];
  }

  clear(): void {
    this.used = 0;
    this.count = 0;
    this.framedRows = 0;
    this.framedBytes = 0;
    this.locatedRows = 0;
    this.locatedBytes = 0;
  }

  /** Begins row `count`, every part null; the caller then writes parts and moves `used`. Returns the row. */
  begin(timestampMs: number): number {
    const i = this.count++;
    if (i >= this.columns.capacity) this.growRows();
    const { timestamps, keyStart, keyEnd, valueStart, valueEnd, headersStart, headersEnd, bodyStart } = this.columns;
    timestamps[i] = timestampMs;
    keyStart[i] = -1;
    keyEnd[i] = -1;
    valueStart[i] = -1;
    valueEnd[i] = -1;
    headersStart[i] = -1;
    headersEnd[i] = -1;
    bodyStart[i] = -1;
    return i;
  }

  /** Row `count` is a body without headers, which begins at `body` and ends, with its value, at `used`: all that is there already. */
  endBody(timestampMs: number, body: number, key: number, keyTo: number, value: number): number {
    const i = this.count++;
    if (i >= this.columns.capacity) this.growRows();
    const { timestamps, keyStart, keyEnd, valueStart, valueEnd, headersStart, headersEnd, bodyStart } = this.columns;
    timestamps[i] = timestampMs;
    keyStart[i] = key;
    keyEnd[i] = keyTo;
    valueStart[i] = value;
    valueEnd[i] = this.used;
    headersStart[i] = -1;
    headersEnd[i] = -1;
    bodyStart[i] = body;
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
    const { keyStart, keyEnd, valueStart, valueEnd, headersStart, headersEnd } = this.columns;
    if (key !== null) {
      keyStart[i] = this.copyIn(key, 0, key.length);
      keyEnd[i] = this.used;
    }
    if (value !== null) {
      valueStart[i] = this.copyIn(value, 0, value.length);
      valueEnd[i] = this.used;
    }
    if (headers !== null) {
      headersStart[i] = this.copyIn(headers, 0, headers.length);
      headersEnd[i] = this.used;
    }
    return i;
  }

  /** Copies row `row` of another slab, with its own headers or those given, to the end of this one: as a record of a batch, where it has a body. */
  appendRow(from: RecordSlab, row: number, headers?: HeaderBlock): number {
    const { timestamps, valueEnd, headersStart, headersEnd, bodyStart } = from.located();
    const start = bodyStart[row];
    const i = this.count;
    const timestamp = timestamps[row];
    const delta = i === 0 ? 0 : timestamp - this.times[0];
    const isNext = this.framedRows === i && this.framedBytes === this.used;
    if (start < 0 || !isNext || !(delta > -SMALL_DELTA && delta < SMALL_DELTA))
      return this.appendParts(from, row, headers);
    const own = headers === undefined && headersEnd[row] > headersStart[row];
    const bytes = (own ? headersEnd[row] : valueEnd[row]) - start;
    // Without headers there is their count, which is none.
    const rest = headers === undefined ? (own ? 0 : 1) : headers.length;
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
    else if (!own) arena[end] = 0;
    this.used = end + rest;
    this.framedBytes = end + rest;
    this.count = i + 1;
    this.framedRows = i + 1;
    if (i === 0) this.times[0] = this.times[1] = timestamp;
    else if (timestamp > this.times[1]) this.times[1] = timestamp;
    return i;
  }

  private appendParts(from: RecordSlab, row: number, headers: HeaderBlock | undefined): number {
    const source = from.located();
    const i = this.begin(source.timestamps[row]);
    const { keyStart, keyEnd, valueStart, valueEnd, headersStart, headersEnd } = this.columns;
    if (source.keyStart[row] >= 0) {
      keyStart[i] = this.copyIn(from.arena, source.keyStart[row], source.keyEnd[row]);
      keyEnd[i] = this.used;
    }
    if (source.valueStart[row] >= 0) {
      valueStart[i] = this.copyIn(from.arena, source.valueStart[row], source.valueEnd[row]);
      valueEnd[i] = this.used;
    }
    if (headers !== undefined) {
      const at = this.reserve(headers.length);
      copyBytes(this.view, at, headers.view, 0, headers.length);
      headersStart[i] = at;
      headersEnd[i] = this.used = at + headers.length;
    } else if (source.headersStart[row] >= 0) {
      headersStart[i] = this.copyIn(from.arena, source.headersStart[row], source.headersEnd[row]);
      headersEnd[i] = this.used;
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
    this.columns = widen(this.columns, this.count);
  }

  /** The columns, with all rows in them. */
  private located(): SlabColumns {
    if (this.locatedRows < this.framedRows) this.locate();
    return this.columns;
  }

  private locate(): void {
    if (this.columns.capacity < this.framedRows) this.growRows();
    locateRecords(this.arena, this.locatedBytes, this.columns, this.locatedRows, this.framedRows, this.times[0]);
    this.locatedRows = this.framedRows;
    this.locatedBytes = this.framedBytes;
  }
}

/** Zigzagged, they are an int32. */
const SMALL_DELTA = 2 ** 30;

function viewOf({ buffer, byteOffset, byteLength }: Buffer): DataView {
  return new DataView(buffer, byteOffset, byteLength);
}
