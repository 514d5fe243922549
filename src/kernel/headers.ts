import { putVarint, varintBytes, zigzag } from './bytes/varints.ts';

/**
 * Record headers as one block of bytes, in the layout a Kafka record batch uses:
 * varint count, then for each: varint name length, name, varint value length (-1: null), value. Varints are zigzag.
 * So a source copies the block unchanged from the batch, and a sink copies it unchanged into one.
 */
export interface Header {
  readonly name: string;
  readonly value: Buffer | null;
}

export function varintLength(value: number): number {
  return varintBytes(zigzag(value));
}

/** Writes a zigzag varint of an int32 and returns the position after it. */
export function writeVarint(into: Uint8Array, at: number, value: number): number {
  return putVarint(into, at, zigzag(value));
}

export function encodeHeaders(headers: readonly Header[]): Buffer {
  let bytes = varintLength(headers.length);
  for (const { name, value } of headers) {
    const nameBytes = Buffer.byteLength(name);
    bytes += varintLength(nameBytes) + nameBytes + varintLength(value === null ? -1 : value.length);
    if (value !== null) bytes += value.length;
  }
  const block = Buffer.allocUnsafe(bytes);
  let at = writeVarint(block, 0, headers.length);
  for (const { name, value } of headers) {
    at = writeVarint(block, at, Buffer.byteLength(name));
    at += block.write(name, at, 'utf8');
    at = writeVarint(block, at, value === null ? -1 : value.length);
    if (value !== null) at += value.copy(block, at);
  }
  return block;
}

/** Reads a block; the values are views into it. Throws RangeError on a block that is not one. */
export function decodeHeaders(block: Buffer): Header[] {
  let at = 0;
  const varint = (): number => {
    let raw = 0;
    let shift = 0;
    for (;;) {
      if (at >= block.length || shift > 28) throw new RangeError('header block ends inside a number');
      const byte = block[at++];
      raw |= (byte & 0x7f) << shift;
      if (byte < 0x80) return (raw >>> 1) ^ -(raw & 1);
      shift += 7;
    }
  };
  const take = (length: number): Buffer => {
    if (length < 0 || at + length > block.length) throw new RangeError('header block ends inside a header');
    at += length;
    return block.subarray(at - length, at);
  };
  const count = varint();
  const headers: Header[] = [];
  for (let i = 0; i < count; i++) {
    const name = take(varint()).toString('utf8');
    const length = varint();
    headers.push({ name, value: length === -1 ? null : take(length) });
  }
  return headers;
}
