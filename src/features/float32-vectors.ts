import { nonFiniteRows } from '../kernel/bytes/finite-rows.ts';
import { float32Bytes, type VectorColumn } from '../kernel/columns.ts';
import type { Tensor } from '../kernel/frame.ts';
import type { Block } from './emit.ts';
import type { NumericValue } from './value.ts';

/**
 * Copies a vector of the event unchanged into a float32 input, and checks it separately, if its column holds float32; if it is
 * the input's whole row, nothing is copied: the column is the slab.
 *
 * The kind of column depends on the reader's schema, not on the expression, so generated code asks the column of each frame and
 * contains both ways for every such line.
 */

/** The slot of the event's column if the line can be copied; undefined: it is computed. */
export function passedSlot(value: NumericValue, dtype: string): number | undefined {
  return dtype === 'float32' && value.width > MAX_ELEMENTWISE ? value.eventSlot?.() : undefined;
}

/** Below this width a loop over elements is as fast. */
const MAX_ELEMENTWISE = 24;

/** Names that the code below calls. */
export const FLOAT32_RUNTIME = { float32Bytes, float32Values, slabBytes, verdictsOn, judge, slabOf };

/** Code for one line into the slab `s{k}`, from `place` on; `elementwise` emits the computed way. */
export function emitPassed(body: Block, at: PassedLine, k: number, place: string, elementwise: () => void): void {
  const bytes = body.program.hoist(`float32Bytes(columns[${at.slot}])`);
  const first = firstOf(body, at);
  const copy = `${bytes}.copy(b${k}, 4 * (${place}), 4 * ${first}, 4 * (${first} + ${at.width}));`;
  emitEither(body, at, copy, elementwise);
}

/** Code for a line that is its whole input: checked in place. slabOf makes the slab after all records. */
export function emitWhole(body: Block, at: PassedLine, elementwise: () => void): void {
  emitEither(body, at, '', elementwise);
}

interface PassedLine {
  readonly slot: number;
  readonly width: number;
}

/** A name bound inside a branch is unknown after it, so the offset of the elements is bound before both branches. */
function firstOf(body: Block, { width }: PassedLine): string {
  return body.bind(`i * ${width}`);
}

function emitEither(body: Block, at: PassedLine, copy: string, elementwise: () => void): void {
  const values = body.program.hoist(`float32Values(columns[${at.slot}])`);
  const first = firstOf(body, at);
  body.push(`if (${values} !== undefined) {`);
  if (copy !== '') body.push(`  ${copy}`);
  const verdicts = body.program.hoist(`verdictsOn(columns[${at.slot}], count)`);
  body.push(
    `  bad |= ${verdicts} === undefined ? judge(${values}, ${first}, ${first} + ${at.width}) : -${verdicts}[i];`,
  );
  body.push('} else {');
  elementwise();
  body.push('}');
}

function float32Values(column: VectorColumn): Float32Array | undefined {
  return float32Bytes(column) === undefined ? undefined : (column.values as Float32Array);
}

/** Checks all rows together if that is faster: 1 for a row that is not finite; undefined if each row must be checked alone. */
function verdictsOn(column: VectorColumn, count: number): Uint8Array | undefined {
  const values = float32Values(column);
  return values === undefined ? undefined : nonFiniteRows(values, column.width, count);
}

function slabBytes({ buffer, byteOffset, byteLength }: Float32Array): Buffer {
  return Buffer.from(buffer as ArrayBuffer, byteOffset, byteLength);
}

/**
 * Negative if one of the values is not finite: then neither is their sum, and no sum of finite float32 overflows a float64.
 * Sixteen at a time, in two sums, because in a single sum each addition would wait for the previous one.
 */
export function judge(values: Float32Array, from: number, to: number): number {
  let sum = 0;
  let other = 0;
  let k = from;
  for (const last = to - 15; k < last; k += 16) {
    const a = values[k] + values[k + 1] + (values[k + 2] + values[k + 3]);
    const b = values[k + 4] + values[k + 5] + (values[k + 6] + values[k + 7]);
    const c = values[k + 8] + values[k + 9] + (values[k + 10] + values[k + 11]);
    const d = values[k + 12] + values[k + 13] + (values[k + 14] + values[k + 15]);
    sum += a + b;
    other += c + d;
  }
  for (; k < to; k++) sum += values[k];
  sum += other;
  return sum - sum === 0 ? 0 : -1;
}

/** The rows of an input that is one vector: the column itself if every record has a row, otherwise a copy without gaps. */
function slabOf(column: VectorColumn, count: number, recordOf: Int32Array, rows: number, slab: () => Tensor): Tensor {
  const { values, width } = column;
  if (rows === count) return values;
  const into = slab() as Float32Array;
  const to = slabBytes(into);
  const from = slabBytes(values as Float32Array);
  for (let row = 0, end = 0; row < rows; row = end) {
    const first = recordOf[row];
    for (end = row + 1; end < rows && recordOf[end] === first + end - row; ) end++;
    from.copy(to, 4 * width * row, 4 * width * first, 4 * width * (first + end - row));
  }
  return into;
}
