import { DEGRADED, degradedText } from '../../kernel/degraded.ts';
import type { Frame } from '../../kernel/frame.ts';
import { encodeHeaders } from '../../kernel/headers.ts';
import type { HeaderBlock } from '../../kernel/record-slab.ts';

const INPUTS_NAME = Buffer.from('sluice-inputs');
const SCHEMA = Buffer.from('schema=');
const FEATURES = Buffer.from('features=');
const NINE = 57;
const ZERO = 48;
/** 2^53 has 16 digits. */
const MAX_DIGITS = 16;
const INPUTS_BYTES = 2 + INPUTS_NAME.length + SCHEMA.length + 1 + FEATURES.length + 2 * MAX_DIGITS;

/**
 * The headers of every output, in the record-batch layout: what it was made of.
 *
 * `sluice-source: topic/partition/offset`, `sluice-model: NAME@VERSION#digest12`, and where there is something to say
 * `sluice-inputs: schema=ID features=SECONDS`: the writer's schema id, and when the oldest feature used was written, in
 * seconds since 1970. A record whose answer is less than asked for has `sluice-degraded: HOW,HOW` too, no other one.
 *
 * The blocks of one frame's records differ in digits, mostly. So the last one is kept, what differs is written over, and the
 * whole is copied. Reused from frame to frame; valid between `begin` and the next.
 */
export class OutputHeaders implements HeaderBlock {
  /** The block: its first `length` bytes. */
  view = new DataView(new ArrayBuffer(0));
  length = 0;
  private frame: Frame | undefined;
  private block = Buffer.alloc(0);
  /** Where source and model end, which every record has. */
  private baseEnd = 0;
  /** The offset that stands in the block, where its digits end, and those that have as many: [leastOffset, offsetLimit). */
  private offset = -1;
  private offsetEnd = 0;
  private leastOffset = 0;
  private offsetLimit = 0;
  /** Of the rest: schema id, seconds (-1: none) and where their digits end, bits of what is less. */
  private schema = -1;
  private seconds = -1;
  private secondsEnd = 0;
  private degraded = 0;

  /** The block of record `i`: this very object, until the next call. */
  of(frame: Frame, i: number): HeaderBlock {
    if (frame !== this.frame) {
      this.frame = frame;
      this.offsetLimit = 0;
    }
    const { offsets, schemaId, featuresAtMs, degraded } = frame;
    this.write(
      offsets[i],
      schemaId[i],
      i < featuresAtMs.length && featuresAtMs[i] > 0 ? Math.floor(featuresAtMs[i] / 1_000) : -1,
      degraded === undefined ? 0 : degraded[i],
    );
    return this;
  }

  /** Makes the block say this. */
  private write(offset: number, schema: number, seconds: number, degraded: number): void {
    if (offset >= this.offsetLimit || offset < this.leastOffset) this.makeBase(offset);
    else if (offset === this.offset + 1) this.countOn();
    else if (offset !== this.offset) writeDigits(this.block, this.offsetEnd, offset);
    this.offset = offset;
    if (schema !== this.schema || degraded !== this.degraded || seconds !== this.seconds) {
      this.writeRest(schema, seconds, degraded);
    }
  }

  /** The next offset; it has as many digits. */
  private countOn(): void {
    const { block } = this;
    let at = this.offsetEnd - 1;
    for (; block[at] === NINE; at--) block[at] = ZERO;
    block[at]++;
  }

  /** Once a frame, and where an offset has more digits than the one before. */
  private makeBase(offset: number): void {
    const { origin, model } = this.frame as Frame;
    const source = Buffer.from(`${origin.topic}/${origin.partition}/${offset}`);
    const before = encodeHeaders([{ name: 'sluice-source', value: source }]).length;
    const base = encodeHeaders([
      { name: 'sluice-source', value: source },
      { name: 'sluice-model', value: Buffer.from(model) },
    ]);
    const most = base.length + INPUTS_BYTES + MAX_DEGRADED_BYTES;
    if (this.block.length < most) {
      this.block = Buffer.allocUnsafeSlow(most);
      this.view = new DataView(this.block.buffer, this.block.byteOffset, this.block.length);
    }
    base.copy(this.block);
    this.baseEnd = base.length;
    this.offsetEnd = before;
    const digits = digitsOf(offset);
    this.leastOffset = digits === 1 ? 0 : 10 ** (digits - 1);
    this.offsetLimit = 10 ** digits;
    this.length = base.length;
    this.schema = -1;
    this.seconds = -1;
    this.degraded = 0;
  }

  private writeRest(schema: number, seconds: number, degraded: number): void {
    const { block } = this;
    const isAsLong = this.seconds >= 0 && seconds >= 0 && digitsOf(seconds) === digitsOf(this.seconds);
    this.seconds = seconds;
    if (isAsLong && schema === this.schema && degraded === this.degraded) {
      writeDigits(block, this.secondsEnd, seconds);
      return;
    }
    this.schema = schema;
    this.degraded = degraded;
    let headers = 2;
    let at = this.baseEnd;
    if (schema >= 0 || seconds >= 0) {
      headers++;
      at = this.writeInputs(at, schema, seconds);
    }
    if (degraded !== 0) {
      headers++;
      at += DEGRADED_HEADERS[degraded].copy(block, at);
    }
    block[0] = varint1(headers);
    this.length = at;
  }

  private writeInputs(start: number, schema: number, seconds: number): number {
    const { block } = this;
    block[start] = varint1(INPUTS_NAME.length);
    // A value of at most 49 bytes: its length is one byte.
    const lengthAt = start + 1 + INPUTS_NAME.copy(block, start + 1);
    let at = lengthAt + 1;
    if (schema >= 0) {
      at += SCHEMA.copy(block, at);
      at += digitsOf(schema);
      writeDigits(block, at, schema);
    }
    if (schema >= 0 && seconds >= 0) block[at++] = 0x20;
    if (seconds >= 0) {
      at += FEATURES.copy(block, at);
      at += digitsOf(seconds);
      this.secondsEnd = at;
      writeDigits(block, at, seconds);
    }
    block[lengthAt] = varint1(at - lengthAt - 1);
    return at;
  }
}

function digitsOf(n: number): number {
  let digits = 1;
  for (let limit = 10; n >= limit; limit *= 10) digits++;
  return digits;
}

/** The digits of `n`, up to `end`. */
function writeDigits(block: Buffer, end: number, n: number): void {
  let rest = n;
  let at = end - 1;
  do {
    const higher = Math.floor(rest / 10);
    block[at--] = ZERO + (rest - higher * 10);
    rest = higher;
  } while (rest > 0);
}

/** The header by the set of bits that it says. */
const DEGRADED_HEADERS: readonly Buffer[] = Array.from({ length: 1 << DEGRADED.length }, (_, how) => {
  const name = Buffer.from('sluice-degraded');
  const value = Buffer.from(degradedText(how));
  return Buffer.concat([Buffer.from([varint1(name.length)]), name, Buffer.from([varint1(value.length)]), value]);
});

const MAX_DEGRADED_BYTES = Math.max(...DEGRADED_HEADERS.map(({ length }) => length));

/** A zigzag varint that fits one byte. */
function varint1(n: number): number {
  return n << 1;
}
