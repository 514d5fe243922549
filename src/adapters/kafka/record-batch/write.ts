import { copyBytes } from '../../../kernel/bytes/copy-bytes.ts';
import { putVarint, varintBytes, zigzag } from '../../../kernel/bytes/varints.ts';
import type { RecordSlab } from '../../../kernel/record-slab.ts';
import { crc32c } from './crc32c.ts';

/**
 * Writes rows of a slab as one record batch (magic 2, not compressed), directly into the buffer that goes to the socket. Pure.
 *
 * Promise: exactly these rows, in their order; null and empty stay distinct in keys, values and header values; timestamps are exact,
 * however far apart. Nothing is allocated per record, no view, object or BigInt, unless two timestamps of one batch are too far
 * apart for a double to be exact.
 *
 * A record: varint length of what follows, attributes, varlong timestamp delta, varint offset delta, key, value (varint length, -1
 * for null), headers, which the slab has as a block in this very layout. Varints are zigzag.
 */
export interface BatchProducer {
  /** The halves of the 64-bit id, as signed and unsigned numbers. */
  readonly idHigh: number;
  readonly idLow: number;
  readonly epoch: number;
  /** The batch is part of a transaction of this producer. */
  readonly isTransactional: boolean;
}

export function batchProducer(producerId: string, epoch: number, isTransactional: boolean): BatchProducer {
  const id = BigInt.asUintN(64, BigInt(producerId));
  return { idHigh: Number(BigInt.asIntN(32, id >> 32n)), idLow: Number(id & 0xffff_ffffn), epoch, isTransactional };
}

const HEADER_BYTES = 61;
/** Length, attributes, timestamp, offset, lengths of key and value, and a header count of 0, each at its maximum length. */
const RECORD_BYTES = 5 + 1 + 10 + 5 + 5 + 5 + 1;
const MAGIC = 2;
const TRANSACTIONAL = 16;
/** Where the bytes covered by the checksum begin. */
const ATTRIBUTES = 21;
/** Zigzagged, they are an int32. */
const SMALL_DELTA = 2 ** 30;
const EXACT = Number.MAX_SAFE_INTEGER;

/** An upper bound of the size of a batch of these rows. */
export function batchBound(rows: RecordSlab, from: number, to: number): number {
  if (isWhole(rows, from, to)) return HEADER_BYTES + rows.used;
  const { keyStart, keyEnd, valueStart, valueEnd, headersStart, headersEnd } = rows;
  let bytes = HEADER_BYTES + RECORD_BYTES * (to - from);
  // A part that is null adds -1 - -1.
  for (let i = from; i < to; i++) {
    bytes += keyEnd[i] - keyStart[i] + valueEnd[i] - valueStart[i] + headersEnd[i] - headersStart[i];
  }
  return bytes;
}

/** Writes rows [from, to), at least one, at `at`, where `batchBound` bytes must be free. Returns the end of the batch. */
export function writeBatch(
  into: Buffer,
  at: number,
  rows: RecordSlab,
  from: number,
  to: number,
  producer: BatchProducer,
  sequence: number,
): number {
  const view = new DataView(into.buffer, into.byteOffset, into.byteLength);
  const whole = isWhole(rows, from, to);
  const first = whole ? rows.firstTimestamp : rows.timestamps[from];
  const max = whole ? rows.latestTimestamp : latest(rows.timestamps, from, to);
  const records = at + HEADER_BYTES;
  const end = whole
    ? records + rows.arena.copy(into, records, 0, rows.used)
    : writeRecords(into, view, records, rows, from, to);
  putInt64(view, at, 0); // base offset: the broker's
  view.setInt32(at + 8, end - at - 12);
  view.setInt32(at + 12, 0); // leader epoch: the broker's
  into[at + 16] = MAGIC;
  view.setInt16(at + ATTRIBUTES, producer.isTransactional ? TRANSACTIONAL : 0);
  view.setInt32(at + 23, to - from - 1);
  putInt64(view, at + 27, first);
  putInt64(view, at + 35, max);
  view.setInt32(at + 43, producer.idHigh);
  view.setUint32(at + 47, producer.idLow);
  view.setInt16(at + 51, producer.epoch);
  view.setInt32(at + 53, sequence);
  view.setInt32(at + 57, to - from);
  view.setUint32(at + 17, crc32c(into, at + ATTRIBUTES, end));
  return end;
}

function latest(timestamps: Float64Array, from: number, to: number): number {
  let max = timestamps[from];
  for (let i = from; i < to; i++) if (timestamps[i] > max) max = timestamps[i];
  return max;
}

/** Copies all rows of the slab in one piece. */
function isWhole(rows: RecordSlab, from: number, to: number): boolean {
  return rows.isBatch && from === 0 && to === rows.count;
}

function writeRecords(into: Buffer, view: DataView, at: number, rows: RecordSlab, from: number, to: number): number {
  const { view: source, timestamps, keyStart, keyEnd, valueStart, valueEnd, headersStart, headersEnd } = rows;
  const first = timestamps[from];
  for (let i = from; i < to; i++) {
    const key = keyStart[i];
    const keyBytes = keyEnd[i] - key;
    const value = valueStart[i];
    const valueBytes = valueEnd[i] - value;
    const headers = headersStart[i];
    const headersBytes = headers < 0 ? 0 : headersEnd[i] - headers;
    const delta = timestamps[i] - first;
    const isSmall = delta > -SMALL_DELTA && delta < SMALL_DELTA;
    const later = isSmall ? zigzag(delta) : 0;
    const offset = (i - from) << 1;
    const length =
      1 +
      (isSmall ? varintBytes(later) : varlongBytes(timestamps[i], first)) +
      varintBytes(offset) +
      (key < 0 ? 1 : varintBytes(keyBytes * 2) + keyBytes) +
      (value < 0 ? 1 : varintBytes(valueBytes * 2) + valueBytes) +
      (headersBytes > 0 ? headersBytes : 1);
    at = putVarint(into, at, length * 2);
    into[at++] = 0;
    at = isSmall ? putVarint(into, at, later) : putVarlong(into, at, timestamps[i], first);
    at = putVarint(into, at, offset);
    if (key < 0) into[at++] = 1;
    else {
      at = putVarint(into, at, keyBytes * 2);
      copyBytes(view, at, source, key, keyBytes);
      at += keyBytes;
    }
    if (value < 0) into[at++] = 1;
    else {
      at = putVarint(into, at, valueBytes * 2);
      copyBytes(view, at, source, value, valueBytes);
      at += valueBytes;
    }
    if (headersBytes > 0) {
      copyBytes(view, at, source, headers, headersBytes);
      at += headersBytes;
    } else into[at++] = 0;
  }
  return at;
}

const SCRATCH = Buffer.alloc(10);

function varlongBytes(timestamp: number, first: number): number {
  return putVarlong(SCRATCH, 0, timestamp, first);
}

/** The zigzag of a difference beyond int32: 2m, or 2m + 1 for a negative one, where m is never negative. */
function putVarlong(into: Buffer, at: number, timestamp: number, first: number): number {
  const delta = timestamp - first;
  if (!(Math.abs(delta) <= EXACT && Math.abs(timestamp) <= EXACT && Math.abs(first) <= EXACT)) {
    return putBigVarlong(into, at, BigInt(timestamp) - BigInt(first));
  }
  const sign = delta < 0 ? 1 : 0;
  let rest = delta < 0 ? -delta - 1 : delta;
  into[at++] = (rest % 64) * 2 + sign + 0x80;
  rest = Math.floor(rest / 64);
  while (rest > 0x7f) {
    into[at++] = (rest % 128) + 0x80;
    rest = Math.floor(rest / 128);
  }
  into[at++] = rest;
  return at;
}

/** As an int64 wraps around. */
function putBigVarlong(into: Buffer, at: number, delta: bigint): number {
  const wrapped = BigInt.asIntN(64, delta);
  let rest = BigInt.asUintN(64, (wrapped << 1n) ^ (wrapped >> 63n));
  while (rest > 0x7fn) {
    into[at++] = Number(rest & 0x7fn) | 0x80;
    rest >>= 7n;
  }
  into[at++] = Number(rest);
  return at;
}

function putInt64(view: DataView, at: number, value: number): void {
  view.setInt32(at, Math.floor(value / 2 ** 32));
  view.setUint32(at + 4, value);
}
