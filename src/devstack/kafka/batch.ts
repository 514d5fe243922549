/**
 * A record batch (magic 2) seen from outside. The broker stores it as received and rewrites only its base offset, which
 * the checksum does not cover. Only a search by time looks at single records.
 */
import { crc32c } from './crc32c.ts';
import { ERROR } from './protocol.ts';

const HEADER_BYTES = 61;
const CODEC_BITS = 7;
const TRANSACTIONAL_BIT = 16;
const CONTROL_BIT = 32;

/** The error code for an append: the data must be exactly one complete, undamaged batch. */
export function checkBatch(batch: Buffer, maxBytes: number): number {
  if (batch.length < HEADER_BYTES) return ERROR.corruptMessage;
  const size = 12 + batch.readInt32BE(8);
  if (size < HEADER_BYTES || size > batch.length || batch[16] !== 2) return ERROR.corruptMessage;
  if (size < batch.length) return ERROR.invalidRecord; // a second batch behind the first
  if (size > maxBytes) return ERROR.messageTooLarge;
  if (batch.readUInt32BE(17) !== crc32c(batch, 21, size)) return ERROR.corruptMessage;
  const count = batch.readInt32BE(57);
  return count > 0 && !isControl(batch) && count === recordSpan(batch) ? ERROR.none : ERROR.invalidRecord;
}

export type Found = { readonly offset: number; readonly timestampMs: number };

/** Number of offsets that the batch takes. */
export const recordSpan = (batch: Buffer): number => batch.readInt32BE(23) + 1;
export const baseOffset = (batch: Buffer): number => Number(batch.readBigInt64BE(0));
export const isTransactional = (batch: Buffer): boolean => (batch.readInt16BE(21) & TRANSACTIONAL_BIT) !== 0;
export const isControl = (batch: Buffer): boolean => (batch.readInt16BE(21) & CONTROL_BIT) !== 0;
export const maxTimestamp = (batch: Buffer): number => Number(batch.readBigInt64BE(35));
export const producerId = (batch: Buffer): number => Number(batch.readBigInt64BE(43));
export const producerEpoch = (batch: Buffer): number => batch.readInt16BE(51);
export const baseSequence = (batch: Buffer): number => batch.readInt32BE(53);

/**
 * Offset and timestamp of the first record at or after `timestampMs`, from `startOffset` on; null if there is none.
 * A compressed batch is not searched: its first record is the answer, which may be too early but never too late.
 */
export function firstAtOrAfter(batch: Buffer, timestampMs: number, startOffset: number): Found | null {
  const [firstOffset, baseMs] = [baseOffset(batch), Number(batch.readBigInt64BE(27))];
  const compressed = (batch.readInt16BE(21) & CODEC_BITS) !== 0;
  if (compressed) return { offset: Math.max(firstOffset, startOffset), timestampMs: baseMs };
  const records = batch.subarray(HEADER_BYTES);
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
    const offset = firstOffset + varint();
    if (recordMs >= timestampMs && offset >= startOffset) return { offset, timestampMs: recordMs };
    at = next;
  }
  return null;
}
