import { FINITE_CHECK_MODULE } from './finite-check-module.ts';

/**
 * Rows of float32 that can be checked natively for NaN and infinity: sixteen bytes per step, where a loop over a Float32Array does one
 * float per step: 0.08 µs for 784 floats, against 0.5.
 *
 * WebAssembly sees only its own memory, so the rows must be there from the start: for whoever writes, copies or scores them they are an
 * ordinary Float32Array. Each has a memory of its own that never grows, because growing detaches its views.
 * Limits: a memory reserves gigabytes of addresses (not pages), so small arrays are plain; the caller checks those in JavaScript.
 *
 * If addresses are limited (`ulimit -v`), V8 collects garbage repeatedly before it refuses (cause) → the event loop stands still for a
 * tenth of a second at each frame of a new size (effect) → after one refusal no more are requested, and all arrays are plain (guard).
 */
const LEAST_BYTES = 128 * 1024;
const PAGE_BYTES = 64 * 1024;
/** The code processes a row in vectors of sixteen bytes, the last of which ends with the row. */
const LEAST_WIDTH = 4;

/** `rows` rows of `rowBytes` from byte `at`; one flag per row goes to byte `into` and following. */
type FiniteCheck = (at: number, rowBytes: number, rows: number, into: number) => void;

interface Checked {
  readonly check: FiniteCheck;
  readonly flags: Uint8Array;
}

/** The part of it that is used here: Node's types do not declare it. */
declare const WebAssembly: {
  readonly Module: new (code: Uint8Array) => object;
  readonly Memory: new (pages: {
    readonly initial: number;
    readonly maximum: number;
  }) => { readonly buffer: ArrayBuffer };
  readonly Instance: new (module: object, imports: object) => { readonly exports: { readonly check: FiniteCheck } };
  readonly CompileError: new () => Error;
};

const checked = new WeakMap<ArrayBufferLike, Checked>();
let compiled: object | undefined;
let isRefused = false;

/** An array of `rows` rows of `width`, all zero. */
export function floatRows(rows: number, width: number): Float32Array {
  const bytes = 4 * rows * width;
  return (
    (bytes >= LEAST_BYTES && width >= LEAST_WIDTH ? nativeRows(rows, bytes) : undefined) ??
    new Float32Array(rows * width)
  );
}

/**
 * For each of the first `rows` rows, 1 if one of its values is not finite, else 0; undefined if the array was not made here. The array
 * must begin where its memory begins. Valid until the next call for the same memory.
 */
export function nonFiniteRows(
  { buffer, byteOffset }: Float32Array,
  width: number,
  rows: number,
): Uint8Array | undefined {
  const own = byteOffset === 0 ? checked.get(buffer) : undefined;
  if (own === undefined || rows > own.flags.length) return undefined;
  own.check(0, 4 * width, rows, own.flags.byteOffset);
  return own.flags;
}

function nativeRows(rows: number, bytes: number): Float32Array | undefined {
  // As with `node --jitless`.
  if (isRefused || typeof WebAssembly === 'undefined') return undefined;
  const pages = Math.ceil((bytes + rows) / PAGE_BYTES);
  try {
    compiled ??= new WebAssembly.Module(FINITE_CHECK_MODULE);
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
    const { check } = new WebAssembly.Instance(compiled, { of: { memory } }).exports;
    checked.set(memory.buffer, { check, flags: new Uint8Array(memory.buffer, bytes, rows) });
    return new Float32Array(memory.buffer, 0, bytes / 4);
  } catch (thrown) {
    if (!(thrown instanceof RangeError || thrown instanceof WebAssembly.CompileError)) throw thrown;
    isRefused = true;
    return undefined;
  }
}
