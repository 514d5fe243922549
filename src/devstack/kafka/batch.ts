/**
 * A record batch (magic 2) seen from outside. The broker stores it as it came and rewrites two fields that its
 * checksum leaves out: base offset and leader epoch. Only a search by time looks at single records.
 */
import { gunzipSync } from 'node:zlib';
import { crc32c } from './crc32c.ts';
import { ERROR } from './protocol.ts';
import { readI64, writeI64 } from './wire.ts';

const HEADER_BYTES = 61;
const MAX_INFLATED_BYTES = 256 << 20;
const GZIP = 1;

/** The error code for what a client wants appended: exactly one whole, undamaged batch. */
export function checkBatch(batch: Buffer, maxBytes: number): number {
  if (batch.length < HEADER_BYTES) return ERROR.corruptMessage;
  const size = 12 + batch.readInt32BE(8);
  if (size < HEADER_BYTES || size > batch.length || batch[16] !== 2) return ERROR.corruptMessage;
  if (size < batch.length) return ERROR.invalidRecord; // a second batch behind the first
  if (size > maxBytes) return ERROR.messageTooLarge;
  if (batch.readUInt32BE(17) !== crc32c(batch, 21, size)) return ERROR.corruptMessage;
  const count = batch.readInt32BE(57);
  return count > 0 && count === recordSpan(batch) ? ERROR.none : ERROR.invalidRecord;
}

export function place(batch: Buffer, baseOffset: number, leaderEpoch: number): void {
  writeI64(batch, baseOffset, 0);
  batch.writeInt32BE(leaderEpoch, 12);
}

export type Found = { readonly offset: number; readonly timestampMs: number };

/** How many offsets the batch takes. */
export const recordSpan = (batch: Buffer): number => batch.readInt32BE(23) + 1;
export const maxTimestamp = (batch: Buffer): number => readI64(batch, 35);
export const producerId = (batch: Buffer): number => readI64(batch, 43);
export const producerEpoch = (batch: Buffer): number => batch.readInt16BE(51);
export const baseSequence = (batch: Buffer): number => batch.readInt32BE(53);

/**
 * Offset and timestamp of the first record at or after `timestampMs`, from `startOffset` on; null if there is none.
 * Inside a batch packed with snappy, LZ4 or Zstandard nothing can be seen: then the batch's first record is the answer.
 */
export function firstAtOrAfter(batch: Buffer, timestampMs: number, startOffset: number): Found | null {
  const [baseOffset, baseMs] = [readI64(batch, 0), readI64(batch, 27)];
  const codec = batch.readInt16BE(21) & 7;
  if (codec > GZIP) return { offset: Math.max(baseOffset, startOffset), timestampMs: baseMs };
  const packed = batch.subarray(HEADER_BYTES);
  const records = codec === GZIP ? gunzipSync(packed, { maxOutputLength: MAX_INFLATED_BYTES }) : packed;
  let at = 0;
  const varint = (): number => {
    let [value, scale] = [0, 1];
    for (; records[at] > 127; scale *= 128) value += (records[at++] & 127) * scale;
    value += records[at++] * scale;
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2; // zigzag
  };
  while (at < records.length) {
    const length = varint();
    if (!(length > 0)) return null; // nobody has checked the records, and this one would lead back
    const next = at + length;
    at++; // attributes
    const recordMs = baseMs + varint();
    const offset = baseOffset + varint();
    if (recordMs >= timestampMs && offset >= startOffset) return { offset, timestampMs: recordMs };
    at = next;
  }
  return null;
}
