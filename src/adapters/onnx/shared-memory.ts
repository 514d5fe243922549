import { SluiceError } from '../../kernel/errors.ts';
import type { Tensor } from '../../kernel/frame.ts';
import type { ModelOutput } from '../../ports/model.ts';
import { bytesOf, padded } from './wire.ts';

/**
 * The memory that the pipeline's thread and a model's thread share: a few words, and room for what is small.
 *
 * One question at a time. The asking thread writes the tensors, then the words, then raises `ASKED` and wakes the other; the answer
 * comes the same way with `ANSWERED`. ONNX Runtime refuses shared memory (cause) → a run on it fails (effect) → the model's
 * thread copies the tensors into its own memory (guard). What does not fit is transferred as an ArrayBuffer through a message
 * port: copying megabytes twice costs more than a message.
 */
export const SHARED_BYTES = 1024 * 1024;
const WORDS = 16;
const WORDS_BYTES = 4 * WORDS;

/** Numbers of questions and answers so far; what is waited on. */
export const ASKED = 0;
export const ANSWERED = 1;
/** Of the question: what is wanted. */
export const WANTED = 2;
export const ROWS = 3;
/** Of question or answer: where it is. */
export const CARRIER = 4;
/** Of the answer: how many outputs, then three words each: type, width, bytes. */
export const OUTPUTS = 5;
const FIRST_OUTPUT = 6;
const OUTPUT_WORDS = 3;
/** More outputs than the words can name go through the port. */
const MAX_OUTPUTS = Math.floor((WORDS - FIRST_OUTPUT) / OUTPUT_WORDS);

export const WANT = { run: 1, end: 2 } as const;
export const CARRIED = { shared: 0, port: 1 } as const;

const TYPES = [Float32Array, Float64Array, Int32Array, BigInt64Array, Uint8Array] as const;

export interface Shared {
  readonly buffer: SharedArrayBuffer;
  readonly words: Int32Array;
  readonly bytes: Uint8Array;
}

export function shareMemory(): Shared {
  return openShared(new SharedArrayBuffer(WORDS_BYTES + SHARED_BYTES));
}

export function openShared(buffer: SharedArrayBuffer): Shared {
  return { buffer, words: new Int32Array(buffer, 0, WORDS), bytes: new Uint8Array(buffer, WORDS_BYTES) };
}

/** Bytes that the first `rows` rows of the slabs take, each begun at a multiple of 8. */
export function questionBytes(slabs: readonly Tensor[], rows: number, widths: readonly number[]): number {
  let bytes = 0;
  for (let k = 0; k < slabs.length; k++) bytes += padded(rows * widths[k] * slabs[k].BYTES_PER_ELEMENT);
  return bytes;
}

export function writeQuestion(
  into: Uint8Array,
  slabs: readonly Tensor[],
  rows: number,
  widths: readonly number[],
): void {
  let at = 0;
  for (let k = 0; k < slabs.length; k++) {
    const bytes = bytesOf(slabs[k], rows * widths[k]);
    into.set(bytes, at);
    at += padded(bytes.byteLength);
  }
}

/** Writes the outputs and says so in the words; false where there is no room. */
export function writeAnswer({ words, bytes }: Shared, outputs: readonly ModelOutput[]): boolean {
  const size = outputs.reduce((sum, { values }) => sum + padded(values.byteLength), 0);
  if (size > bytes.length || outputs.length > MAX_OUTPUTS) return false;
  let at = 0;
  outputs.forEach(({ values, width }, k) => {
    bytes.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), at);
    at += padded(values.byteLength);
    const word = FIRST_OUTPUT + OUTPUT_WORDS * k;
    words[word] = TYPES.findIndex((Type) => values instanceof Type);
    words[word + 1] = width;
    words[word + 2] = values.byteLength;
  });
  words[OUTPUTS] = outputs.length;
  return true;
}

/** The outputs in memory of their own: the next run writes over the shared one. */
export function readAnswer({ words, bytes }: Shared): ModelOutput[] {
  const outputs: ModelOutput[] = [];
  let at = 0;
  for (let k = 0; k < words[OUTPUTS]; k++) {
    const word = FIRST_OUTPUT + OUTPUT_WORDS * k;
    const Type = TYPES[words[word]];
    if (Type === undefined) throw new SluiceError('invariant-broken', `an output of no known type: ${words[word]}`);
    const own = new Uint8Array(words[word + 2]);
    own.set(bytes.subarray(at, at + own.length));
    outputs.push({ values: new Type(own.buffer), width: words[word + 1] });
    at += padded(own.length);
  }
  return outputs;
}
