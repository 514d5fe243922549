import { nonFiniteRows } from '../kernel/bytes/finite-rows.ts';
import { float32Bytes, type VectorColumn } from '../kernel/columns.ts';
import type { Tensor } from '../kernel/frame.ts';
import type { Block } from './emit.ts';
import type { NumericValue } from './value.ts';

/**
 * A vector of the event that goes into a float32 input as it is: copied natively and judged on its own, where its column
 * holds float32; and where it is all of the input's row, not copied at all: the column is the slab.
 *
 * Generated code asks the column of each frame (the reader's schema decides, not the expression), so every such line has both
 * ways in it.
 */

/** A line that has a way of its own: the slot of the event's column; undefined: it is computed. */
export function passedSlot(value: NumericValue, dtype: string): number | undefined {
  return dtype === 'float32' && value.width > MAX_ELEMENTWISE ? value.eventSlot?.() : undefined;
}

/** Below this a loop over elements is as quick. */
const MAX_ELEMENTWISE = 24;

/** Names that the code below calls. */
export const FLOAT32_RUNTIME = { float32Bytes, float32Values, slabBytes, verdictsOn, judge, slabOf };

/** Code for one line into the slab `s{k}`, from `place` on; `elementwise` emits the other way. */
export function emitPassed(body: Block, at: PassedLine, k: number, place: string, elementwise: () => void): void {
  const bytes = body.program.hoist(`float32Bytes(columns[${at.slot}])`);
  const first = firstOf(body, at);
  const copy = `${bytes}.copy(b${k}, 4 * (${place}), 4 * ${first}, 4 * (${first} + ${at.width}));`;
  emitEither(body, at, copy, elementwise);
}

/** Code for a line that is all of its input: judged where it lies. `s{k}` is made behind the records, by slabOf. */
export function emitWhole(body: Block, at: PassedLine, elementwise: () => void): void {
  emitEither(body, at, '', elementwise);
}

interface PassedLine {
  readonly slot: number;
  readonly width: number;
}

/** A name made within a branch is unknown behind it, so what elements are read by is bound in front of both. */
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

/** Of all rows, judged together where that is quicker: 1 where one is not finite; undefined where each is to be judged alone. */
function verdictsOn(column: VectorColumn, count: number): Uint8Array | undefined {
  const values = float32Values(column);
  return values === undefined ? undefined : nonFiniteRows(values, column.width, count);
}

function slabBytes({ buffer, byteOffset, byteLength }: Float32Array): Buffer {
  return Buffer.from(buffer as ArrayBuffer, byteOffset, byteLength);
}

/**
 * Negative where one of the values is not finite: then their sum is not, and no sum of finite float32 is beyond a float64.
 * Sixteen at a time, in two sums: one after the other each addition would wait for the one before it.
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

/** The rows of an input that is one vector: the column itself where every record has its row, else a copy without the gaps. */
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
