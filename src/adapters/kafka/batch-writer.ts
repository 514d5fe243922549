import type { RecordSlab } from '../../kernel/record-slab.ts';
import { crc32c } from './crc32c.ts';

/**
 * Rows of a slab → one record batch (magic 2, not compressed), straight into the buffer that goes to the socket. Pure.
 *
 * Promise: exactly these rows, in their order; null and empty are kept apart, in keys, values and header values; timestamps are exact,
 * whatever lies between them. Nothing is made for a record: no view, no object, no big number, unless two timestamps of one
 * batch lie further apart than a double is exact.
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
/** Length, attributes, timestamp, offset, lengths of key and value, and the count of no headers, each as long as it can be. */
const RECORD_BYTES = 5 + 1 + 10 + 5 + 5 + 5 + 1;
const MAGIC = 2;
const TRANSACTIONAL = 16;
/** Where the checksum begins to look. */
const ATTRIBUTES = 21;
/** Up to here a native call costs more than it saves. */
const SHORT_BYTES = 160;
/** Zigzagged, they are an int32. */
const SMALL_DELTA = 2 ** 30;
const EXACT = Number.MAX_SAFE_INTEGER;

/** A batch of these rows takes no more than this. */
export function batchBound(rows: RecordSlab, from: number, to: number): number {
  const { keyStart, keyEnd, valueStart, valueEnd, headersStart, headersEnd } = rows;
  let bytes = HEADER_BYTES + RECORD_BYTES * (to - from);
  // A part that is null adds -1 - -1.
  for (let i = from; i < to; i++) {
    bytes += keyEnd[i] - keyStart[i] + valueEnd[i] - valueStart[i] + headersEnd[i] - headersStart[i];
  }
  return bytes;
}

/** Writes rows [from, to), one at least, at `at`, where `batchBound` bytes must be free. Returns where the batch ends. */
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
  const first = rows.timestamps[from];
  let max = first;
  for (let i = from; i < to; i++) if (rows.timestamps[i] > max) max = rows.timestamps[i];
  const end = writeRecords(into, view, at + HEADER_BYTES, rows, from, to);
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

function writeRecords(into: Buffer, view: DataView, at: number, rows: RecordSlab, from: number, to: number): number {
  const { arena, timestamps, keyStart, keyEnd, valueStart, valueEnd, headersStart, headersEnd } = rows;
  const source = new DataView(arena.buffer, arena.byteOffset, arena.byteLength);
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
    const zigzag = isSmall ? (delta << 1) ^ (delta >> 31) : 0;
    const offset = (i - from) << 1;
    const length =
      1 +
      (isSmall ? varintBytes(zigzag) : varlongBytes(timestamps[i], first)) +
      varintBytes(offset) +
      (key < 0 ? 1 : varintBytes(keyBytes * 2) + keyBytes) +
      (value < 0 ? 1 : varintBytes(valueBytes * 2) + valueBytes) +
      (headersBytes > 0 ? headersBytes : 1);
    at = putVarint(into, at, length * 2);
    into[at++] = 0;
    at = isSmall ? putVarint(into, at, zigzag) : putVarlong(into, at, timestamps[i], first);
    at = putVarint(into, at, offset);
    if (key < 0) into[at++] = 1;
    else {
      at = putVarint(into, at, keyBytes * 2);
      at = copy(view, into, at, source, arena, key, keyBytes);
    }
    if (value < 0) into[at++] = 1;
    else {
      at = putVarint(into, at, valueBytes * 2);
      at = copy(view, into, at, source, arena, value, valueBytes);
    }
    if (headersBytes > 0) at = copy(view, into, at, source, arena, headers, headersBytes);
    else into[at++] = 0;
  }
  return at;
}

/** By words where that is less than what a native call costs. */
function copy(
  view: DataView,
  into: Buffer,
  at: number,
  source: DataView,
  arena: Buffer,
  start: number,
  bytes: number,
): number {
  if (bytes > SHORT_BYTES) {
    arena.copy(into, at, start, start + bytes);
    return at + bytes;
  }
  const end = start + bytes;
  // Big numbers by name only: the compiler moves eight bytes from here to there, and makes none of them.
  for (const last = end - 8; start <= last; start += 8, at += 8) {
    view.setBigInt64(at, source.getBigInt64(start, true), true);
  }
  for (; start < end; start++, at++) into[at] = arena[start];
  return at;
}

/** Of an unsigned number below 2³². */
function varintBytes(n: number): number {
  return n < 0x80 ? 1 : n < 0x4000 ? 2 : n < 0x20_0000 ? 3 : n < 0x1000_0000 ? 4 : 5;
}

function putVarint(into: Buffer, at: number, n: number): number {
  while (n > 0x7f) {
    into[at++] = (n & 0x7f) | 0x80;
    n >>>= 7;
  }
  into[at++] = n;
  return at;
}

const SCRATCH = Buffer.alloc(10);

function varlongBytes(timestamp: number, first: number): number {
  return putVarlong(SCRATCH, 0, timestamp, first);
}

/** The zigzag of a difference that is no int32: 2m, or 2m + 1 for the negative one, with an m that is never negative. */
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
