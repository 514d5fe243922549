import { FINITE_CHECK_MODULE } from './finite-check-module.ts';

/**
 * Rows of float32 that are checked natively for NaN and infinity: sixteen bytes per step, where a loop over a Float32Array takes a float per step, 0.5 µs
 * for 784 of them against 0.08.
 *
 * WebAssembly sees its own memory only, so the rows have to lie in it from the start: a Float32Array like any other to whoever
 * writes, copies or scores them. Each has a memory of its own that never grows, because what grows takes its views away.
 * Limits: a memory reserves addresses (not pages) by the gigabyte, so small ones are plain; they are checked by whoever asks, in
 * JavaScript.
 *
 * Where addresses are limited (`ulimit -v`) V8 collects garbage again and again before it refuses (cause) → the loop stands still
 * for a tenth of a second at each frame of another size (effect) → who was refused once does not ask again, and all are plain
 * (guard).
 */
const LEAST_BYTES = 128 * 1024;
const PAGE_BYTES = 64 * 1024;
/** The code takes a row by vectors of sixteen bytes, the last of them up to its end. */
const LEAST_WIDTH = 4;

/** Byte `at` on: `rows` of `rowBytes`; a flag each goes to byte `into` on. */
type FiniteCheck = (at: number, rowBytes: number, rows: number, into: number) => void;

interface Checked {
  readonly check: FiniteCheck;
  readonly flags: Uint8Array;
}

/** As much of it as is used here: the types of Node leave it to those of browsers. */
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

/** Room for `rows` rows of `width`, all zero. */
export function floatRows(rows: number, width: number): Float32Array {
  const bytes = 4 * rows * width;
  return (
    (bytes >= LEAST_BYTES && width >= LEAST_WIDTH ? nativeRows(rows, bytes) : undefined) ??
    new Float32Array(rows * width)
  );
}

/**
 * For each of the first `rows` rows 1 where one of its values is not finite, else 0; undefined where the memory is not of here.
 * `values` begins where that memory begins. Good until the next call for the same memory.
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
