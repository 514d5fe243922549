import type { Frame } from '../kernel/frame.ts';
import { varintLength, writeVarint } from '../kernel/headers.ts';
import type { RecordSlab } from '../kernel/record-slab.ts';

const SOURCE_NAME = Buffer.from('sluice-source');
const MODEL_NAME = Buffer.from('sluice-model');
/** 2^53 has 16 digits. */
const MAX_DIGITS = 16;

/**
 * The headers of every output: `sluice-source: topic/partition/offset` and `sluice-model: NAME@VERSION#digest12`, in the
 * record-batch layout. What does not change is encoded once a frame; a record costs one copy and its offset's digits.
 */
export class OutputHeaders {
  private readonly sourcePrefix: Buffer;
  private readonly beforeSource: Buffer;
  private readonly modelHeader: Buffer;
  private readonly worstBytes: number;

  constructor(frame: Frame) {
    const { topic, partition } = frame.origin;
    this.sourcePrefix = Buffer.from(`${topic}/${partition}/`);
    this.beforeSource = Buffer.concat([Buffer.from([varint1(2), varint1(SOURCE_NAME.length)]), SOURCE_NAME]);
    const label = Buffer.from(frame.model);
    const modelHeader = Buffer.alloc(1 + MODEL_NAME.length + varintLength(label.length) + label.length);
    modelHeader[0] = varint1(MODEL_NAME.length);
    MODEL_NAME.copy(modelHeader, 1);
    label.copy(modelHeader, writeVarint(modelHeader, 1 + MODEL_NAME.length, label.length));
    this.modelHeader = modelHeader;
    this.worstBytes = this.beforeSource.length + 5 + this.sourcePrefix.length + MAX_DIGITS + modelHeader.length;
  }

  /** Appends the block for `offset` to row `row`, the last one of the slab. */
  appendTo(slab: RecordSlab, row: number, offset: number): void {
    const start = slab.reserve(this.worstBytes);
    const { arena } = slab;
    const digits = digitsOf(offset);
    let at = start + this.beforeSource.copy(arena, start);
    at = writeVarint(arena, at, this.sourcePrefix.length + digits);
    at += this.sourcePrefix.copy(arena, at);
    let rest = offset;
    for (let d = at + digits - 1; d >= at; d--) {
      const higher = Math.floor(rest / 10);
      arena[d] = 48 + (rest - higher * 10);
      rest = higher;
    }
    at += digits;
    at += this.modelHeader.copy(arena, at);
    slab.headersStart[row] = start;
    slab.headersEnd[row] = at;
    slab.used = at;
  }
}

function digitsOf(n: number): number {
  let digits = 1;
  for (let limit = 10; n >= limit; limit *= 10) digits++;
  return digits;
}

/** A zigzag varint that fits one byte. */
function varint1(n: number): number {
  return n << 1;
}
