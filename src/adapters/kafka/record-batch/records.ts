import { setImmediate as nextTurn } from 'node:timers/promises';
import type { RecordColumns, RecordRange } from '../../../kernel/record-columns.ts';

/** Records that are read in one turn of the event loop: half a millisecond. */
export const RECORDS_A_TURN = 20_000;

/** Enough records to be worth loading a dozen columns. */
const ROWS_A_CALL = 64;

/** The base values to which the deltas of a batch's records are added. */
export interface RecordBase {
  readonly firstOffset: number;
  /** None is beyond it. */
  readonly lastOffsetDelta: number;
  readonly firstTimestamp: number;
  /** Where the broker dates the records; undefined where the producer does. */
  readonly appendedAt: number | undefined;
}

/** The bytes of one batch's records, inflated. */
export interface Region {
  readonly bytes: Buffer;
  readonly start: number;
  readonly end: number;
}

/**
 * Reads the records of one batch into the next `count` rows of `into`, which has room for them. Layout: varint length, then
 * attributes, varlong timestamp delta, varint offset delta, key, value (varint length, -1 for null) and a header block. Throws
 * RangeError, and adds no row, unless there are exactly `count` records, in ascending order of offset and none beyond the batch.
 */
export function readRecords(into: RecordColumns, region: Region, count: number, base: RecordBase): RecordRange {
  const reader = new Reader(into, region, base);
  reader.read(count);
  return reader.finish();
}

/** The same for many records: a batch may hold work for many turns of the event loop. */
export async function readManyRecords(
  into: RecordColumns,
  region: Region,
  count: number,
  base: RecordBase,
): Promise<RecordRange> {
  const reader = new Reader(into, region, base);
  for (let left = count; left > 0; left -= RECORDS_A_TURN) {
    if (left < count) await nextTurn();
    reader.read(Math.min(left, RECORDS_A_TURN));
  }
  return reader.finish();
}

/** A record takes at least seven bytes: an impossible count must not lead to columns of that size. */
export function checkCount(count: number, { start, end }: Region): void {
  if (count * 7 > end - start) throw new RangeError('says that it holds more records than it has bytes for');
}

/**
 * Most numbers in a record take one or two bytes. These are read inline, because a call and a position kept in a field would cost
 * more than everything else; longer ones are read again, from their beginning, by a method.
 */
class Reader {
  private readonly into: RecordColumns;
  private readonly bytes: Buffer;
  private readonly start: number;
  private readonly end: number;
  private readonly base: RecordBase;
  private at: number;
  private row: number;
  private before = -1;

  constructor(into: RecordColumns, { bytes, start, end }: Region, base: RecordBase) {
    this.into = into;
    this.bytes = bytes;
    this.start = start;
    this.end = end;
    this.at = start;
    this.base = base;
    this.row = into.count;
  }

  /**
   * By runs of some rows: a function that is called seldom and loops long stays in code of the middle tier for half of its time
   * (cause) → twice the time a record (effect) → it is called often (guard).
   */
  read(count: number): void {
    for (let left = count; left > 0; left -= ROWS_A_CALL) this.readRows(left < ROWS_A_CALL ? left : ROWS_A_CALL);
  }

  private readRows(count: number): void {
    const { bytes, end: size } = this;
    const { offsets, timestamps, keyStart, keyEnd, valueStart, valueEnd, headersStart, headersEnd, ends } = this.into;
    const { firstOffset, lastOffsetDelta, firstTimestamp, appendedAt } = this.base;
    const until = this.row + count;
    let { at, before } = this;
    for (let row = this.row; row < until; row++) {
      let raw = at < size ? bytes[at++] : ended();
      if (raw > 127) {
        const next = at < size ? bytes[at++] : ended();
        if (next < 128) raw = (raw & 127) | (next << 7);
        else {
          raw = this.longRaw(at - 2, size);
          at = this.at;
        }
      }
      const length = (raw >>> 1) ^ -(raw & 1);
      if (length < 6 || length > size - at) throw new RangeError('has a record that ends outside it');
      const end = at + length;
      at++; // attributes

      raw = bytes[at++];
      const more = raw > 127 && at < end ? bytes[at] : 0;
      if (raw < 128) timestamps[row] = firstTimestamp + ((raw >>> 1) ^ -(raw & 1));
      else if (more > 0 && more < 128) {
        // A result that is a double would be an object per record.
        raw = (raw & 127) | (more << 7);
        timestamps[row] = firstTimestamp + ((raw >>> 1) ^ -(raw & 1));
        at++;
      } else {
        timestamps[row] = firstTimestamp + this.varlong(at - 1, end);
        at = this.at;
      }
      if (appendedAt !== undefined) timestamps[row] = appendedAt;

      raw = at < end ? bytes[at++] : ended();
      if (raw > 127) {
        const next = at < end ? bytes[at++] : ended();
        if (next < 128) raw = (raw & 127) | (next << 7);
        else {
          raw = this.longRaw(at - 2, end);
          at = this.at;
        }
      }
      const offsetDelta = (raw >>> 1) ^ -(raw & 1);
      if (offsetDelta <= before || offsetDelta > lastOffsetDelta) {
        throw new RangeError('has records that are not in order');
      }
      before = offsetDelta;
      offsets[row] = firstOffset + offsetDelta;

      raw = at < end ? bytes[at++] : ended();
      if (raw > 127) {
        const next = at < end ? bytes[at++] : ended();
        if (next < 128) raw = (raw & 127) | (next << 7);
        else {
          raw = this.longRaw(at - 2, end);
          at = this.at;
        }
      }
      if (raw === NULL) keyStart[row] = keyEnd[row] = -1;
      else {
        const bytesOfKey = (raw >>> 1) ^ -(raw & 1);
        if (bytesOfKey < 0 || bytesOfKey > end - at) throw new RangeError(OUTSIDE);
        keyStart[row] = at;
        at += bytesOfKey;
        keyEnd[row] = at;
      }

      raw = at < end ? bytes[at++] : ended();
      if (raw > 127) {
        const next = at < end ? bytes[at++] : ended();
        if (next < 128) raw = (raw & 127) | (next << 7);
        else {
          raw = this.longRaw(at - 2, end);
          at = this.at;
        }
      }
      if (raw === NULL) valueStart[row] = valueEnd[row] = -1;
      else {
        const bytesOfValue = (raw >>> 1) ^ -(raw & 1);
        if (bytesOfValue < 0 || bytesOfValue > end - at) throw new RangeError(OUTSIDE);
        valueStart[row] = at;
        at += bytesOfValue;
        valueEnd[row] = at;
      }

      raw = at < end ? bytes[at] : ended();
      if (raw === 0) {
        headersStart[row] = headersEnd[row] = -1;
        at++;
      } else {
        headersStart[row] = at;
        const isEmpty = this.skipHeaders(at, end);
        at = this.at;
        headersEnd[row] = at;
        if (isEmpty) headersStart[row] = headersEnd[row] = -1;
      }
      if (at !== end) throw new RangeError('has a record with bytes left over');
      ends[row] = end;
    }
    this.at = at;
    this.before = before;
    this.row = until;
  }

  finish(): RecordRange {
    const { into, bytes, start, row } = this;
    if (this.at !== this.end) throw new RangeError('has bytes left over');
    const range: RecordRange = { columns: into, from: into.count, to: row, bytes, start };
    into.count = row;
    return range;
  }

  /** Looks through a header block; true where it says, in more than one byte, that there are none. */
  private skipHeaders(from: number, end: number): boolean {
    const { bytes } = this;
    const raw = this.longRaw(from, end);
    const count = (raw >>> 1) ^ -(raw & 1);
    let { at } = this;
    if (count < 0 || count * 2 > end - at) throw new RangeError('has headers that end outside it');
    // A name and a value each: only the value may be null.
    for (let field = 0; field < 2 * count; field++) {
      let one = at < end ? bytes[at++] : ended();
      if (one > 127) {
        one = this.longRaw(at - 1, end);
        at = this.at;
      }
      if (one === NULL && (field & 1) === 1) continue;
      const length = (one >>> 1) ^ -(one & 1);
      if (length < 0 || length > end - at) throw new RangeError(OUTSIDE);
      at += length;
    }
    this.at = at;
    return count === 0;
  }

  /** A varint at `from`, as it is written: zigzag. Leaves where it ends in `at`. */
  private longRaw(from: number, end: number): number {
    const { bytes } = this;
    let raw = 0;
    let at = from;
    for (let shift = 0; shift <= 28; shift += 7) {
      const byte = at < end ? bytes[at++] : ended();
      raw |= (byte & 127) << shift;
      if (byte < 128) {
        this.at = at;
        return raw;
      }
    }
    throw new RangeError(ENDLESS);
  }

  /** Exact up to 2⁵³, which no time in milliseconds comes near. */
  private varlong(from: number, end: number): number {
    const { bytes } = this;
    let value = 0;
    let scale = 1;
    let at = from;
    for (let k = 0; k < 10; k++) {
      const byte = at < end ? bytes[at++] : ended();
      value += (byte & 127) * scale;
      if (byte < 128) {
        this.at = at;
        return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
      }
      scale *= 128;
    }
    throw new RangeError(ENDLESS);
  }
}

/** -1, as a varint. */
const NULL = 1;
const OUTSIDE = 'has a field that ends outside its record';
const ENDLESS = 'has a number that does not end';

function ended(): never {
  throw new RangeError('ends inside a record');
}
