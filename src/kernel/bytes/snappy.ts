import { setImmediate as nextTurn } from 'node:timers/promises';

/**
 * Snappy, decompression only: the raw format, and the framing of Xerial's library, which is what Kafka's clients write.
 * Formats: google/snappy `format_description.txt`; Xerial: 8 bytes of magic, two int32, then (int32 length, raw block)*.
 *
 * Promise: no byte outside the input is read, none outside the output is written; more than `maxBytes` is a RangeError with code
 * ERR_BUFFER_TOO_LARGE, as in node:zlib, before anything is allocated; any other fault is a RangeError. It yields to the event loop
 * every TURN_BYTES of output.
 */
export const TURN_BYTES = 2 * 1024 * 1024;

const XERIAL_MAGIC = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00]);
const XERIAL_HEADER_BYTES = 16;

export async function unsnappy(input: Buffer, maxBytes: number): Promise<Buffer> {
  if (!(input.length >= XERIAL_HEADER_BYTES && input.subarray(0, 8).equals(XERIAL_MAGIC))) {
    return block(input, maxBytes);
  }
  const blocks: Buffer[] = [];
  let left = maxBytes;
  for (let at = XERIAL_HEADER_BYTES; at < input.length; ) {
    if (at + 4 > input.length) throw malformed();
    const length = input.readInt32BE(at);
    at += 4;
    if (length < 0 || at + length > input.length) throw malformed();
    const inflated = await block(input.subarray(at, at + length), left);
    blocks.push(inflated);
    if (Math.floor(left / TURN_BYTES) !== Math.floor((left - inflated.length) / TURN_BYTES)) await nextTurn();
    left -= inflated.length;
    at += length;
  }
  return Buffer.concat(blocks);
}

async function block(input: Buffer, maxBytes: number): Promise<Buffer> {
  let at = 0;
  let length = 0;
  for (let scale = 1; ; scale *= 128) {
    if (at >= input.length || at > 4) throw malformed();
    const byte = input[at++];
    length += (byte & 127) * scale;
    if (byte < 128) break;
  }
  if (length > maxBytes) throw tooLarge();
  // A copy makes 64 bytes of three at most: a header that promises more than that is a lie, and not worth the memory.
  if (length > input.length * 32) throw malformed();
  const output = Buffer.allocUnsafeSlow(length);
  let out = 0;
  let turn = TURN_BYTES;
  while (at < input.length) {
    if (out > turn) {
      turn = out + TURN_BYTES;
      await nextTurn();
    }
    const tag = input[at++];
    const kind = tag & 3;
    if (kind === 0) {
      let size = tag >>> 2;
      if (size >= 60) {
        const extra = size - 59;
        if (at + extra > input.length) throw malformed();
        size = input.readUIntLE(at, extra);
        at += extra;
      }
      size++;
      if (at + size > input.length || out + size > length) throw malformed();
      input.copy(output, out, at, at + size);
      at += size;
      out += size;
      continue;
    }
    const offsetBytes = kind === 1 ? 1 : kind === 2 ? 2 : 4;
    if (at + offsetBytes > input.length) throw malformed();
    const size = kind === 1 ? ((tag >>> 2) & 7) + 4 : (tag >>> 2) + 1;
    const offset = kind === 1 ? ((tag >>> 5) << 8) | input[at] : input.readUIntLE(at, offsetBytes);
    at += offsetBytes;
    if (offset === 0 || offset > out || out + size > length) throw malformed();
    copyWithin(output, out, offset, size);
    out += size;
  }
  if (out !== length) throw malformed();
  return output;
}

/** Copies `size` bytes from `offset` bytes back; source and target may overlap. */
export function copyWithin(output: Buffer, at: number, offset: number, size: number): void {
  if (size < 32) {
    for (let k = 0; k < size; k++) output[at + k] = output[at + k - offset];
    return;
  }
  // What repeats is as long again after each copy.
  for (let done = 0; done < size; ) {
    const length = Math.min(size - done, offset + done);
    output.copyWithin(at + done, at - offset, at - offset + length);
    done += length;
  }
}

export function tooLarge(): RangeError {
  return Object.assign(new RangeError('inflates beyond its bound'), { code: 'ERR_BUFFER_TOO_LARGE' });
}

function malformed(): RangeError {
  return new RangeError('malformed');
}
