/**
 * Record batches (magic 2, uncompressed) for the load generator and its reader.
 * Limit: no headers are written; only uncompressed batches are read, and the bench reads no others.
 */
import { crc32c } from '@node-rs/crc32';

const HEAD_BYTES = 61;
const CRC_FROM = 21;
const LOG_APPEND_TIME = 8;

export interface KeyValue {
  readonly key: Buffer;
  readonly value: Buffer;
}

export function encodeBatch(records: readonly KeyValue[], timestampMs: number): Buffer {
  const most = records.reduce((sum, { key, value }) => sum + key.length + value.length + 32, HEAD_BYTES);
  const batch = Buffer.allocUnsafe(most);
  let at = HEAD_BYTES;
  for (let i = 0; i < records.length; i++) {
    const { key, value } = records[i];
    const body = 3 + varintBytes(i) + varintBytes(key.length) + key.length + varintBytes(value.length) + value.length;
    at = writeVarint(batch, at, body);
    batch[at++] = 0;
    batch[at++] = 0;
    at = writeVarint(batch, at, i);
    at = writeVarint(batch, at, key.length);
    at += key.copy(batch, at);
    at = writeVarint(batch, at, value.length);
    at += value.copy(batch, at);
    batch[at++] = 0;
  }
  batch.fill(0, 0, HEAD_BYTES);
  batch.writeInt32BE(at - 12, 8);
  batch.writeInt8(2, 16);
  batch.writeInt32BE(records.length - 1, 23);
  batch.writeBigInt64BE(BigInt(timestampMs), 27);
  batch.writeBigInt64BE(BigInt(timestampMs), 35);
  batch.writeBigInt64BE(-1n, 43);
  batch.writeInt16BE(-1, 51);
  batch.writeInt32BE(-1, 53);
  batch.writeInt32BE(records.length, 57);
  batch.writeUInt32BE(crc32c(batch.subarray(CRC_FROM, at)), 17);
  return batch.subarray(0, at);
}

export interface ReadRecord extends KeyValue {
  readonly offset: number;
  /** The broker's append time or the producer's timestamp, depending on the topic's setting. */
  readonly timestampMs: number;
  readonly headers: Readonly<Record<string, string>>;
}

/** Records of whole batches, and the offset to go on from. */
export function readBatches(bytes: Buffer, each: (record: ReadRecord) => void): number {
  let from = 0;
  let next = -1;
  while (from + HEAD_BYTES <= bytes.length) {
    const end = from + 12 + bytes.readInt32BE(from + 8);
    if (end > bytes.length) break;
    const base = Number(bytes.readBigInt64BE(from));
    const attributes = bytes.readInt16BE(from + 21);
    if ((attributes & 7) !== 0) throw new Error('a batch is compressed, and the bench reads none of those');
    const firstMs = Number(bytes.readBigInt64BE(from + 27));
    const maxMs = Number(bytes.readBigInt64BE(from + 35));
    const cursor = new Cursor(bytes, from + HEAD_BYTES);
    for (let left = bytes.readInt32BE(from + 57); left > 0; left--) {
      cursor.varint();
      cursor.at++;
      const delta = cursor.varint();
      const offset = base + cursor.varint();
      const key = cursor.bytes();
      const value = cursor.bytes();
      const headers: Record<string, string> = {};
      for (let h = cursor.varint(); h > 0; h--) headers[cursor.bytes().toString()] = cursor.bytes().toString();
      each({
        offset,
        timestampMs: (attributes & LOG_APPEND_TIME) !== 0 ? maxMs : firstMs + delta,
        key,
        value,
        headers,
      });
    }
    next = base + bytes.readInt32BE(from + 23) + 1;
    from = end;
  }
  return next;
}

/** Zigzag varints of up to 53 bits, as both Kafka and Avro have them. */
export class Cursor {
  at: number;
  private readonly buffer: Buffer;

  constructor(buffer: Buffer, at: number) {
    this.buffer = buffer;
    this.at = at;
  }
  varint(): number {
    let value = 0;
    let scale = 1;
    let byte: number;
    do {
      byte = this.buffer[this.at++];
      value += (byte & 0x7f) * scale;
      scale *= 128;
    } while (byte > 127);
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }
  bytes(): Buffer {
    const length = Math.max(0, this.varint());
    this.at += length;
    return this.buffer.subarray(this.at - length, this.at);
  }
}

function varintBytes(value: number): number {
  let bytes = 1;
  for (let rest = value * 2; rest > 127; rest = Math.floor(rest / 128)) bytes++;
  return bytes;
}

/** Zigzag, of a number that is not negative. */
export function writeVarint(buffer: Buffer, at: number, value: number): number {
  let rest = value * 2;
  while (rest > 127) {
    buffer[at++] = (rest % 128) | 128;
    rest = Math.floor(rest / 128);
  }
  buffer[at++] = rest;
  return at;
}
