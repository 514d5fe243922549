import { putVarint } from '../../kernel/bytes/varints.ts';
import type { RawColumn } from '../../kernel/columns.ts';
import { putLong } from './writers.ts';

/**
 * Appends Avro's binary encoding to a column of raw values, for decoders that pass on what no other column can hold.
 *
 * A value may grow on the way (ints as doubles, defaults that its writer lacks) → a crafted record could fill the memory → an
 * entry may take at most `RAW_GROWTH` times its record's bytes; beyond that nothing is written, and `endRaw` says so.
 */
export const RAW_GROWTH = 16;
export const RAW_LEAST_BYTES = 65_536;

/** Begins entry `i`; its record has `recordBytes` bytes. */
export function beginRaw(column: RawColumn, i: number, recordBytes: number): void {
  column.start[i] = column.used;
  column.limit = column.used + RAW_GROWTH * recordBytes + RAW_LEAST_BYTES;
  column.isOver = false;
}

/** False: it was too long. */
export function endRaw(column: RawColumn, i: number): boolean {
  column.end[i] = column.used;
  return !column.isOver;
}

/** Makes room for `bytes` bytes at `used`; false if that exceeds the entry's limit. */
export function rawRoom(column: RawColumn, bytes: number): boolean {
  const needed = column.used + bytes;
  if (needed > column.limit) {
    column.isOver = true;
    return false;
  }
  if (needed > column.bytes.length) {
    const larger = Buffer.allocUnsafeSlow(Math.max(1024, 2 * needed));
    column.bytes.copy(larger, 0, 0, column.used);
    column.bytes = larger;
    column.view = new DataView(larger.buffer, larger.byteOffset, larger.byteLength);
  }
  return true;
}

/** Appends bytes[from..to) unchanged. */
export function rawBytes(column: RawColumn, bytes: Buffer, from: number, to: number): void {
  if (!rawRoom(column, to - from)) return;
  bytes.copy(column.bytes, column.used, from, to);
  column.used += to - from;
}

/** Appends bytes[from..to) after their length. */
export function rawText(column: RawColumn, bytes: Buffer, from: number, to: number): void {
  rawIndex(column, to - from);
  rawBytes(column, bytes, from, to);
}

/** A length, a branch, a symbol, a count: at most 2^30. */
export function rawIndex(column: RawColumn, index: number): void {
  if (rawRoom(column, 5)) column.used = putVarint(column.bytes, column.used, 2 * index);
}

export function rawLong(column: RawColumn, low: number, high: number): void {
  if (rawRoom(column, 10)) column.used = putLong(column.bytes, column.used, low, high);
}

export function rawByte(column: RawColumn, byte: number): void {
  if (rawRoom(column, 1)) column.bytes[column.used++] = byte;
}

export function rawFloat(column: RawColumn, value: number): void {
  if (!rawRoom(column, 4)) return;
  column.view.setFloat32(column.used, value, true);
  column.used += 4;
}

export function rawDouble(column: RawColumn, value: number): void {
  if (!rawRoom(column, 8)) return;
  column.view.setFloat64(column.used, value, true);
  column.used += 8;
}

export const RAW_OUT = { beginRaw, endRaw, rawBytes, rawText, rawIndex, rawLong, rawByte, rawFloat, rawDouble };
