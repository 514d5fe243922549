import { type Block, type Index, indexSum } from '../emit.ts';
import { type NumericValue, read, scalar, union, vector } from '../value.ts';
import type { FunctionSpec } from './spec.ts';

export const VECTORS: readonly FunctionSpec[] = [
  {
    name: 'at',
    signature: 'at(v, index)',
    doc: 'Element of a vector, counted from 0; v[index] is the same.',
    formula: 'v[index]',
    missing: 'Missing where the index is missing, not whole or out of range.',
    example: { expression: 'at([10, 20, 30], 1)', gives: 20 },
    build: (call) => {
      call.arity(2);
      const v = call.vector(0);
      const index = call.number(1);
      if (index.constant !== undefined) return element(v, call.integer(1, 0, v.width - 1));
      const range = call.absence(`is missing where the index is none of 0 to ${v.width - 1}`);
      return scalar(union(v.missing, index.missing, [range]), (root) => {
        const whole = root.bind(`${read(index, root, 0)} | 0`);
        const inside = root.bind(`${whole} === ${read(index, root, 0)} && ${whole} >= 0 && ${whole} < ${v.width}`);
        const place = root.bind(`${inside} ? ${whole} : 0`);
        return `(${inside} ? ${v.code(root, place)} : NaN)`;
      });
    },
  },
  {
    name: 'window',
    signature: 'window(v, centre, from, to)',
    doc: 'Elements around a centre, bounds included; v is a circle, so the element after the last is the first. from and to are constants.',
    formula: 'v[(centre + k) mod width] for k = from … to',
    missing: 'A centre that is missing or not whole gives missing throughout.',
    example: { expression: 'window([1, 2, 3, 4], 0, -1, 1)', gives: [4, 1, 2] },
    build: (call) => {
      call.arity(4);
      const v = call.vector(0);
      const centre = call.number(1);
      const from = call.integer(2, -v.width, v.width);
      const to = call.integer(3, from, from + v.width - 1);
      const shift = ((from % v.width) + v.width) % v.width;
      return vector(to - from + 1, union(v.missing, centre.missing), (block, k) => {
        const { root } = block;
        const atom = read(centre, root, 0);
        const turned = `${atom} === Math.floor(${atom}) ? $mod(${atom}, ${v.width}) : NaN`;
        const rest = root.bind(`(${atom} >= 0 && ${atom} < ${v.width} ? ${atom} : ${turned})`);
        const whole = root.bind(`${rest} | 0`);
        const place = block.bind(`(${whole} + ${indexSum(shift, k)}) % ${v.width}`);
        return `(${whole} === ${rest} ? ${v.code(block, place)} : NaN)`;
      });
    },
  },
  {
    name: 'sum',
    signature: 'sum(v)',
    doc: 'All elements added up.',
    formula: 'Σ v[k]',
    missing: 'A missing element gives missing.',
    example: { expression: 'sum([1, 2, 3])', gives: 6 },
    build: (call) => {
      call.arity(1);
      const v = call.vector(0);
      return scalar(v.missing, (root) => fold(v, root, '0', (so, x) => `${so} + ${x}`));
    },
  },
  {
    name: 'mean',
    signature: 'mean(v)',
    doc: 'Average of all elements.',
    formula: 'Σ v[k] / width',
    missing: 'A missing element gives missing.',
    example: { expression: 'mean([1, 2, 6])', gives: 3 },
    build: (call) => {
      call.arity(1);
      const v = call.vector(0);
      return scalar(v.missing, (root) => `${fold(v, root, '0', (so, x) => `${so} + ${x}`)} / ${v.width}`);
    },
  },
];

/** One element at a known place. */
export function element(v: NumericValue, k: number): NumericValue {
  return scalar(v.missing, (root) => v.code(root, k));
}

/** `[x, y, z]`. */
export function vectorOf(values: readonly NumericValue[]): NumericValue {
  const missing = union(...values.map((value) => value.missing));
  const constants = values.map((value) => value.constant);
  let room: string | undefined;
  return vector(values.length, missing, ({ root }, k) => {
    if (typeof k === 'number') return read(values[k], root, 0);
    if (room === undefined) {
      if (constants.includes(undefined)) {
        const scratch = root.program.scratch(values.length);
        values.forEach((value, j) => {
          root.push(`${scratch}[${j}] = ${read(value, root, 0)};`);
        });
        room = scratch;
      } else {
        room = root.program.constant(Float64Array.from(constants as number[]));
      }
    }
    return `${room}[${k}]`;
  });
}

/** A variable that went through all elements. */
export function fold(
  v: NumericValue,
  root: Block,
  start: string,
  step: (so: string, x: string, k: Index) => string,
): string {
  const total = root.program.name('a');
  root.push(`let ${total} = ${start};`);
  root.each(v.width, (block, k) => block.push(`${total} = ${step(total, read(v, block, k), k)};`));
  return total;
}
