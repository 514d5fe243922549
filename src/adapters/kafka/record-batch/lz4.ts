/**
 * LZ4 frames, decompression only, as Kafka's clients write them. Format: lz4/doc/lz4_Frame_format.md 1.6.
 *
 * Promise: no byte outside the input is read, none outside the output is written; more than `maxBytes` is a RangeError with code
 * ERR_BUFFER_TOO_LARGE, as in node:zlib; any other fault is a RangeError. It yields to the event loop now and then.
 * Limits: no dictionaries; LZ4's checksums are not verified, because the record batch has one of its own (and old clients
 * compute that of the header wrongly).
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { copyWithin, TURN_BYTES, tooLarge } from '../../../kernel/bytes/snappy.ts';

const MAGIC = 0x184d2204;
const FIRST_OUTPUT_BYTES = 64 * 1024;

export async function unlz4(input: Buffer, maxBytes: number): Promise<Buffer> {
  const frame = readHeader(input);
  let at = frame.end;
  const output = new Output(Math.min(maxBytes, Math.max(FIRST_OUTPUT_BYTES, 4 * input.length)), maxBytes);
  for (;;) {
    if (at + 4 > input.length) throw malformed();
    const word = input.readUInt32LE(at);
    at += 4;
    if (word === 0) return output.done();
    const size = word & 0x7fffffff;
    if (at + size > input.length) throw malformed();
    // Blocks that do not know of each other may not copy from each other.
    const floor = frame.independent ? output.length : 0;
    if (word >>> 31 === 1) output.literals(input, at, size);
    else await block(input, at, at + size, output, floor);
    at += size + (frame.blockChecksums ? 4 : 0);
  }
}

function readHeader(input: Buffer): { end: number; independent: boolean; blockChecksums: boolean } {
  if (input.length < 7 || input.readUInt32LE(0) !== MAGIC) throw malformed();
  const flags = input[4];
  if (flags >>> 6 !== 1 || (flags & 1) !== 0) throw malformed();
  const contentSize = (flags & 8) !== 0;
  return {
    end: 7 + (contentSize ? 8 : 0),
    independent: (flags & 32) !== 0,
    blockChecksums: (flags & 16) !== 0,
  };
}

async function block(input: Buffer, from: number, to: number, output: Output, floor: number): Promise<void> {
  let at = from;
  const more = (start: number): number => {
    let size = start;
    for (let byte = 255; byte === 255; ) {
      if (at >= to) throw malformed();
      byte = input[at++];
      size += byte;
    }
    return size;
  };
  let turn = output.length + TURN_BYTES;
  while (at < to) {
    if (output.length > turn) {
      turn = output.length + TURN_BYTES;
      await nextTurn();
    }
    const token = input[at++];
    const literals = token >>> 4 === 15 ? more(15) : token >>> 4;
    if (at + literals > to) throw malformed();
    output.literals(input, at, literals);
    at += literals;
    if (at === to) return; // the last sequence has no match
    if (at + 2 > to) throw malformed();
    const offset = input.readUInt16LE(at);
    at += 2;
    const size = ((token & 15) === 15 ? more(15) : token & 15) + 4;
    if (offset === 0 || offset > output.length - floor) throw malformed();
    output.match(offset, size);
  }
}

/** Grows as it is written, because a frame need not state its length, and may state it wrongly. */
class Output {
  length = 0;
  private bytes: Buffer;
  private readonly maxBytes: number;

  constructor(bytes: number, maxBytes: number) {
    this.bytes = Buffer.allocUnsafeSlow(bytes);
    this.maxBytes = maxBytes;
  }

  literals(from: Buffer, start: number, size: number): void {
    this.reserve(size);
    from.copy(this.bytes, this.length, start, start + size);
    this.length += size;
  }

  match(offset: number, size: number): void {
    this.reserve(size);
    copyWithin(this.bytes, this.length, offset, size);
    this.length += size;
  }

  done(): Buffer {
    return this.bytes.subarray(0, this.length);
  }

  private reserve(size: number): void {
    const wanted = this.length + size;
    if (wanted <= this.bytes.length) return;
    if (wanted > this.maxBytes) throw tooLarge();
    const wider = Buffer.allocUnsafeSlow(Math.min(this.maxBytes, Math.max(wanted, 2 * this.bytes.length)));
    this.bytes.copy(wider, 0, 0, this.length);
    this.bytes = wider;
  }
}

function malformed(): RangeError {
  return new RangeError('malformed');
}
