import { DEGRADED, degradedText } from '../kernel/degraded.ts';
import type { Frame } from '../kernel/frame.ts';
import { varintLength, writeVarint } from '../kernel/headers.ts';
import type { RecordSlab } from '../kernel/record-slab.ts';

const SOURCE_NAME = Buffer.from('sluice-source');
const MODEL_NAME = Buffer.from('sluice-model');
const INPUTS_NAME = Buffer.from('sluice-inputs');
const SCHEMA = Buffer.from('schema=');
const FEATURES = Buffer.from('features=');
/** 2^53 has 16 digits. */
const MAX_DIGITS = 16;
const INPUTS_BYTES = 2 + INPUTS_NAME.length + SCHEMA.length + 1 + FEATURES.length + 2 * MAX_DIGITS;

/**
 * The headers of every output, in the record-batch layout: what it was made of.
 *
 * `sluice-source: topic/partition/offset`, `sluice-model: NAME@VERSION#digest12`, and where there is something to say
 * `sluice-inputs: schema=ID features=SECONDS`: the writer's schema id, and when the oldest feature used was written, in
 * seconds since 1970. A record whose answer is less than asked for has `sluice-degraded: HOW,HOW` too, no other one. What does not change is encoded once a frame; a record costs two copies and its digits.
 */
export class OutputHeaders {
  private readonly frame: Frame;
  private readonly sourcePrefix: Buffer;
  private readonly beforeSource: Buffer;
  private readonly modelHeader: Buffer;
  private readonly worstBytes: number;

  constructor(frame: Frame) {
    const { topic, partition } = frame.origin;
    this.frame = frame;
    this.sourcePrefix = Buffer.from(`${topic}/${partition}/`);
    this.beforeSource = Buffer.concat([Buffer.from([varint1(2), varint1(SOURCE_NAME.length)]), SOURCE_NAME]);
    const label = Buffer.from(frame.model);
    const modelHeader = Buffer.alloc(1 + MODEL_NAME.length + varintLength(label.length) + label.length);
    modelHeader[0] = varint1(MODEL_NAME.length);
    MODEL_NAME.copy(modelHeader, 1);
    label.copy(modelHeader, writeVarint(modelHeader, 1 + MODEL_NAME.length, label.length));
    this.modelHeader = modelHeader;
    this.worstBytes =
      this.beforeSource.length + 5 + this.sourcePrefix.length + MAX_DIGITS + modelHeader.length + INPUTS_BYTES;
  }

  /** Appends the block of record `i` to row `row`, the last one of the slab. */
  appendTo(slab: RecordSlab, row: number, i: number): void {
    const start = slab.reserve(this.worstBytes);
    const { arena } = slab;
    const offset = this.frame.offsets[i];
    const digits = digitsOf(offset);
    let at = start + this.beforeSource.copy(arena, start);
    at = writeVarint(arena, at, this.sourcePrefix.length + digits);
    at += this.sourcePrefix.copy(arena, at);
    at = writeDigits(arena, at, offset, digits);
    at += this.modelHeader.copy(arena, at);
    const end = this.appendInputs(arena, at, i);
    if (end > at) arena[start] = varint1(3);
    slab.headersStart[row] = start;
    slab.headersEnd[row] = end;
    slab.used = end;
    const { degraded } = this.frame;
    if (degraded !== undefined && degraded[i] !== 0) this.appendDegraded(slab, row, degraded[i]);
  }

  /** Rare: behind the others, with room of its own. */
  private appendDegraded(slab: RecordSlab, row: number, how: number): void {
    const header = DEGRADED_HEADERS[how];
    const at = slab.reserve(header.length);
    header.copy(slab.arena, at);
    // One header more: the count is one byte, a zigzag varint.
    slab.arena[slab.headersStart[row]] += 2;
    slab.headersEnd[row] = at + header.length;
    slab.used = at + header.length;
  }

  private appendInputs(arena: Buffer, start: number, i: number): number {
    const { schemaId, featuresAtMs } = this.frame;
    const schema = schemaId[i];
    const seconds = i < featuresAtMs.length && featuresAtMs[i] > 0 ? Math.floor(featuresAtMs[i] / 1_000) : -1;
    if (schema < 0 && seconds < 0) return start;
    arena[start] = varint1(INPUTS_NAME.length);
    // A value of at most 49 bytes: its length is one byte.
    const lengthAt = start + 1 + INPUTS_NAME.copy(arena, start + 1);
    let at = lengthAt + 1;
    if (schema >= 0) {
      at += SCHEMA.copy(arena, at);
      at = writeDigits(arena, at, schema, digitsOf(schema));
    }
    if (schema >= 0 && seconds >= 0) arena[at++] = 0x20;
    if (seconds >= 0) {
      at += FEATURES.copy(arena, at);
      at = writeDigits(arena, at, seconds, digitsOf(seconds));
    }
    arena[lengthAt] = varint1(at - lengthAt - 1);
    return at;
  }
}

function digitsOf(n: number): number {
  let digits = 1;
  for (let limit = 10; n >= limit; limit *= 10) digits++;
  return digits;
}

function writeDigits(arena: Buffer, at: number, n: number, digits: number): number {
  let rest = n;
  for (let d = at + digits - 1; d >= at; d--) {
    const higher = Math.floor(rest / 10);
    arena[d] = 48 + (rest - higher * 10);
    rest = higher;
  }
  return at + digits;
}

/** The header by the set of bits that it says. */
const DEGRADED_HEADERS: readonly Buffer[] = Array.from({ length: 1 << DEGRADED.length }, (_, how) => {
  const name = Buffer.from('sluice-degraded');
  const value = Buffer.from(degradedText(how));
  return Buffer.concat([Buffer.from([varint1(name.length)]), name, Buffer.from([varint1(value.length)]), value]);
});

/** A zigzag varint that fits one byte. */
function varint1(n: number): number {
  return n << 1;
}
