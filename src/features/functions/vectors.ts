import { anyMissing, type Block, type Index, indexSum } from '../emit.ts';
import { type NumericValue, read, remembered, scalar, union, vector } from '../value.ts';
import type { Call, FunctionSpec } from './spec.ts';

export const VECTORS: readonly FunctionSpec[] = [
  {
    name: 'at',
    signature: 'at(v, index)',
    doc: 'Element of a vector, counted from 0; v[index] is the same.',
    formula: 'v[index]',
    missing: 'Missing if the index is missing, not whole or out of range.',
    example: { expression: 'at([10, 20, 30], 1)', gives: 20 },
    build: (call) => {
      call.arity(2);
      const v = call.vector(0);
      const index = call.number(1);
      if (index.constant !== undefined) return element(v, call.integer(1, 0, v.width - 1));
      const range = call.absence(`is missing if the index is not one of 0 to ${v.width - 1}`);
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
    doc: 'Elements around a centre, bounds included; v is circular, so the element after the last is the first. from and to are constants.',
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
  folded('sum', 'All elements added up.', 'Σ v[k]', ['sum([1, 2, 3])', 6], (v, root) =>
    fold(v, root, '0', (so, x) => `${so} + ${x}`),
  ),
  folded('mean', 'Average of all elements.', 'Σ v[k] / width', ['mean([1, 2, 6])', 3], (v, root) => {
    return `${fold(v, root, '0', (so, x) => `${so} + ${x}`)} / ${v.width}`;
  }),
  folded('least', 'The smallest element.', 'min v[k]', ['least([3, -1, 2])', -1], (v, root) =>
    fold(v, root, 'Infinity', (so, x) => `Math.min(${so}, ${x})`),
  ),
  folded('largest', 'The largest element.', 'max v[k]', ['largest([3, -1, 2])', 3], (v, root) =>
    fold(v, root, '-Infinity', (so, x) => `Math.max(${so}, ${x})`),
  ),
  folded(
    'deviation',
    'Population standard deviation of the elements: the divisor is their number.',
    '√(Σ (v[k] - mean)² / width)',
    ['deviation([2, 4, 4, 4, 5, 5, 7, 9])', 2],
    (given, root) => {
      const v = remembered(given);
      const mean = root.bind(`${fold(v, root, '0', (so, x) => `${so} + ${x}`)} / ${v.width}`);
      const squares = fold(v, root, '0', (so, x) => `${so} + (${x} - ${mean}) * (${x} - ${mean})`);
      return `Math.sqrt(${squares} / ${v.width})`;
    },
  ),
  folded('norm', 'Length of the vector.', '√Σ v[k]²', ['norm([3, 4])', 5], (v, root) => {
    return `Math.sqrt(${fold(v, root, '0', (so, x) => `${so} + ${x} * ${x}`)})`;
  }),
  {
    name: 'count',
    signature: 'count(v)',
    doc: 'Number of elements that are not missing.',
    formula: '#{k : v[k] is not missing}',
    missing: 'Never missing: a missing vector has 0.',
    example: { expression: 'count([1, 0 / 0, 3])', gives: 2 },
    build: (call) => {
      call.arity(1);
      const v = call.vector(0);
      return scalar([], (root) => fold(v, root, '0', (so, x) => `(${anyMissing(x)} ? ${so} : ${so} + 1)`));
    },
  },
  {
    name: 'dot',
    signature: 'dot(v, w)',
    doc: 'Dot product of two vectors, such as embeddings.',
    formula: 'Σ v[k] · w[k]',
    missing: 'A missing element gives missing.',
    example: { expression: 'dot([1, 2, 3], [4, 5, 6])', gives: 32 },
    build: (call) => {
      call.arity(2);
      call.vector(0);
      call.vector(1);
      const products = call.map(2, (x, y) => `${x} * ${y}`);
      return scalar(products.missing, (root) => fold(products, root, '0', (so, x) => `${so} + ${x}`));
    },
  },
];

/** A number computed from all elements of one vector. */
function folded(
  name: string,
  doc: string,
  formula: string,
  example: readonly [string, number],
  code: (v: NumericValue, root: Block) => string,
): FunctionSpec {
  const [expression, gives] = example;
  const missing = 'A missing element gives missing.';
  const build = (call: Call): NumericValue => {
    call.arity(1);
    const v = call.vector(0);
    return scalar(v.missing, (root) => code(v, root));
  };
  return { name, signature: `${name}(v)`, doc, formula, missing, example: { expression, gives }, build };
}

/** One element at a known position. */
export function element(v: NumericValue, k: number): NumericValue {
  return scalar(v.missing, (root) => v.code(root, k));
}

/** `[x, y, z]`. */
export function vectorOf(values: readonly NumericValue[]): NumericValue {
  const missing = union(...values.map((value) => value.missing));
  const constants = values.map((value) => value.constant);
  let room: string | undefined;
  const known = constants.includes(undefined) ? undefined : (constants as number[]);
  const value = vector(values.length, missing, ({ root }, k) => {
    if (typeof k === 'number') return read(values[k], root, 0);
    if (room === undefined) {
      if (known === undefined) {
        const scratch = root.program.scratch(values.length);
        values.forEach((value, j) => {
          root.push(`${scratch}[${j}] = ${read(value, root, 0)};`);
        });
        room = scratch;
      } else {
        room = root.program.constant(Float64Array.from(known));
      }
    }
    return `${room}[${k}]`;
  });
  return known === undefined ? value : { ...value, constants: known };
}

/** A variable that is updated with each element in turn. */
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
