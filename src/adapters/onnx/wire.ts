import type { Tensor } from '../../kernel/frame.ts';
import type { ModelLoad, ModelOutput } from '../../ports/model.ts';

/**
 * The protocol between the pipeline and the process of an isolated model, over one socket pair, one question at a time.
 *
 * A message is a header of 16 bytes (kind, count, bytes of the body: uint32 LE; four unused) and a body. Texts are JSON;
 * tensors are raw, each aligned to 8 bytes so that it can be used in place. Both ends are of the same build on the same machine, so
 * byte order is the machine's, and there is no version.
 */
export const HEADER_BYTES = 16;

/** Questions, then answers. */
export const KIND = { load: 1, run: 2, loaded: 3, outputs: 4, failed: 5 } as const;

/** The numbers of the file descriptors that the pipeline opens for its child: for messages; closed when it is gone. */
export const TALK_FD = 3;
export const LIFE_FD = 4;
/** What the child says on the life line before it ends for want of memory. */
export const OUT_OF_MEMORY = 'm';

/** What the pipeline sends first. */
export interface LoadQuestion {
  readonly load: ModelLoad;
  /** Resident memory at which the process ends itself; 0: no limit. */
  readonly maxBytes: number;
}

export type Kind = (typeof KIND)[keyof typeof KIND];

export interface Header {
  readonly kind: number;
  /** Rows of a run, outputs of its answer. */
  readonly count: number;
  readonly bodyBytes: number;
}

const ALIGN_BYTES = 8;
const PADDING = new Uint8Array(ALIGN_BYTES);
/** Of an output in an answer: its type, its width, its bytes. */
const OUTPUT_HEADER_BYTES = 16;

const TYPES = [Float32Array, Float64Array, Int32Array, BigInt64Array, Uint8Array] as const;

export function readHeader(bytes: DataView): Header {
  return { kind: bytes.getUint32(0, true), count: bytes.getUint32(4, true), bodyBytes: bytes.getUint32(8, true) };
}

/** Header and body as the pieces to write, in order; `parts` are written as they are and padded. */
export function message(kind: Kind, count: number, parts: readonly Uint8Array[]): Uint8Array[] {
  const header = new DataView(new ArrayBuffer(HEADER_BYTES));
  header.setUint32(0, kind, true);
  header.setUint32(4, count, true);
  header.setUint32(8, bodyBytesOf(parts), true);
  const pieces: Uint8Array[] = [new Uint8Array(header.buffer)];
  for (const part of parts) {
    pieces.push(part);
    const short = padded(part.byteLength) - part.byteLength;
    if (short > 0) pieces.push(PADDING.subarray(0, short));
  }
  return pieces;
}

export function textMessage(kind: Kind, content: unknown): Uint8Array[] {
  return message(kind, 0, [new TextEncoder().encode(JSON.stringify(content))]);
}

/** Padding is zero bytes, which JSON does not know. */
export function textOf(body: Uint8Array): unknown {
  const end = body.indexOf(0);
  return JSON.parse(new TextDecoder().decode(end < 0 ? body : body.subarray(0, end)));
}

export function padded(bytes: number): number {
  return Math.ceil(bytes / ALIGN_BYTES) * ALIGN_BYTES;
}

/** The bytes of the first `length` elements of a slab, in place. */
export function bytesOf(slab: Tensor, length: number): Uint8Array {
  return new Uint8Array(slab.buffer, slab.byteOffset, length * slab.BYTES_PER_ELEMENT);
}

export function outputParts(outputs: readonly ModelOutput[]): Uint8Array[] {
  return outputs.flatMap(({ values, width }) => {
    const header = new DataView(new ArrayBuffer(OUTPUT_HEADER_BYTES));
    header.setUint32(
      0,
      TYPES.findIndex((Type) => values instanceof Type),
      true,
    );
    header.setUint32(4, width, true);
    header.setUint32(8, values.byteLength, true);
    return [new Uint8Array(header.buffer), new Uint8Array(values.buffer, values.byteOffset, values.byteLength)];
  });
}

/** The outputs of an answer, in place: `body` is theirs from here on and begins at a multiple of 8 of its memory. */
export function outputsOf(body: Uint8Array, count: number): ModelOutput[] {
  const outputs: ModelOutput[] = [];
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  let at = 0;
  for (let k = 0; k < count; k++) {
    const Type = TYPES[view.getUint32(at, true)];
    const width = view.getUint32(at + 4, true);
    const bytes = view.getUint32(at + 8, true);
    at += OUTPUT_HEADER_BYTES;
    const values = new Type(body.buffer as ArrayBuffer, body.byteOffset + at, bytes / Type.BYTES_PER_ELEMENT);
    outputs.push({ values, width });
    at += padded(bytes);
  }
  return outputs;
}

function bodyBytesOf(parts: readonly Uint8Array[]): number {
  return parts.reduce((sum, part) => sum + padded(part.byteLength), 0);
}
