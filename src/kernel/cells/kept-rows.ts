/**
 * How a feature row is kept in a shared cache: as bytes with the time at which the store was asked, when each view was written, and the
 * numbers; and under which key.
 *
 * Promise: an encoded row is decoded to the same bits, ages included; anything other than a whole row of this shape is recognised and
 * ignored. The key contains a digest of the format, the store, and everything that a row's numbers depend on, so that versions of a
 * topology, or of Sluice, that read other columns, layouts or stores never see each other's rows.
 * Limit: bytes that were changed in place, with their length unchanged, are not detected.
 */
import { createHash } from 'node:crypto';
import type { FeastEntity, Layout, ViewSpec } from './views.ts';

/** A change of anything in this file is another format. */
const FORMAT = 1;
const PREFIX = 'sluice:kept';
/** The first byte: the kind of entry. */
const WIDE = 0x52; // 'R': numbers of 8 bytes
const NARROW = 0x46; // 'F': numbers of 4 bytes, where all of a row are float32
const ABSENT = 0x41; // 'A': the store has no such row
/** The row has changed: rows that were requested before that must not be stored. */
const CHANGED = 0x43; // 'C'
const HEAD = 9;

export interface KeptShape {
  readonly table: string;
  readonly layout: Layout;
  readonly feast?: FeastEntity | undefined;
  readonly views: readonly ViewSpec[];
  readonly rowWidth: number;
}

/** The prefix of a row's key; `store` names the store of the rows. */
export function keptPrefix(store: string, { table, layout, feast, views, rowWidth }: KeptShape): Buffer {
  const cells = views.map(({ family, numbers = 'float-le', columns }) => [
    family,
    numbers,
    columns.map(({ name, kind, width, offset }) => [name, kind, width, offset]),
  ]);
  const entity = feast && [feast.joinKeys.map(({ name, type }) => [name, type]), feast.separator, feast.keyVersion];
  const all = JSON.stringify([FORMAT, store, table, layout, entity ?? null, cells, rowWidth]);
  const digest = createHash('sha256').update(all).digest('hex').slice(0, 16);
  return Buffer.from(`${PREFIX}:${digest}:${table}:`);
}

export interface Rows {
  readonly values: Float64Array;
  readonly writtenAtMs: Float64Array;
}

export function encodeKept(askedAtMs: number, rows: Rows, row: number, rowWidth: number, views: number): Buffer {
  const { values, writtenAtMs } = rows;
  if (isAbsent(writtenAtMs, row * views, views)) return head(ABSENT, askedAtMs, HEAD);
  const narrow = areFloats(values, row * rowWidth, rowWidth);
  const bytes = head(narrow ? NARROW : WIDE, askedAtMs, HEAD + 8 * views + (narrow ? 4 : 8) * rowWidth);
  let at = HEAD;
  for (let v = 0; v < views; v++) at = bytes.writeDoubleLE(writtenAtMs[row * views + v], at);
  for (let i = row * rowWidth; i < (row + 1) * rowWidth; i++)
    at = narrow ? bytes.writeFloatLE(values[i], at) : bytes.writeDoubleLE(values[i], at);
  return bytes;
}

/** The mark that a row has changed, made at `atMs`. */
export function encodeChanged(atMs: number): Buffer {
  return head(CHANGED, atMs, HEAD);
}

export type Kept = 'row' | 'absent' | 'changed' | 'unreadable';

/** What `bytes` are, for rows of this shape. */
export function kindOfKept(bytes: Buffer, rowWidth: number, views: number): Kept {
  const { length } = bytes;
  if (length < HEAD || !Number.isFinite(bytes.readDoubleLE(1))) return 'unreadable';
  const kind = bytes[0];
  if (length === HEAD) return kind === ABSENT ? 'absent' : kind === CHANGED ? 'changed' : 'unreadable';
  const width = kind === NARROW ? 4 : kind === WIDE ? 8 : Number.NaN;
  return length === HEAD + 8 * views + width * rowWidth ? 'row' : 'unreadable';
}

/** Wall ms at which the store was asked. */
export function askedAtOf(bytes: Buffer): number {
  return bytes.readDoubleLE(1);
}

/** Copies one that is a row into `row` of `into`. */
export function decodeKept(bytes: Buffer, into: Rows, row: number, rowWidth: number, views: number): void {
  const { values, writtenAtMs } = into;
  let at = HEAD;
  for (let v = 0; v < views; v++, at += 8) writtenAtMs[row * views + v] = bytes.readDoubleLE(at);
  const narrow = bytes[0] === NARROW;
  for (let i = row * rowWidth; i < (row + 1) * rowWidth; i++, at += narrow ? 4 : 8)
    values[i] = narrow ? bytes.readFloatLE(at) : bytes.readDoubleLE(at);
}

/** The most bytes of one row, not counting its key and overhead. */
export function keptBytes(rowWidth: number, views: number): number {
  return HEAD + 8 * (views + rowWidth);
}

function head(kind: number, atMs: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  bytes[0] = kind;
  bytes.writeDoubleLE(atMs, 1);
  return bytes;
}

function isAbsent(writtenAtMs: Float64Array, from: number, views: number): boolean {
  for (let v = from; v < from + views; v++) if (!Number.isNaN(writtenAtMs[v])) return false;
  return true;
}

function areFloats(values: Float64Array, from: number, width: number): boolean {
  for (let i = from; i < from + width; i++) if (!Object.is(Math.fround(values[i]), values[i])) return false;
  return true;
}
