import { anyMissing } from '../emit.ts';
import { type NumericValue, read, union, vector } from '../value.ts';
import type { Call, FunctionSpec } from './spec.ts';

/** Choosing among values, and among the elements of one vector. */
export const SELECTION: readonly FunctionSpec[] = [
  {
    name: 'select',
    signature: 'select(test, x, test, y, …, otherwise)',
    doc: 'The value after the first test that is true, or the last value if none is: a chain of `test ? x : y`.',
    formula: 'x[k] for the least k with test[k] ≠ 0, else otherwise',
    missing: 'A missing test that is reached gives missing; otherwise only the chosen value counts.',
    example: { expression: 'select(7 < 5, 1, 7 < 10, 2, 3)', gives: 2 },
    build: (call) => {
      call.arity(3, Number.POSITIVE_INFINITY);
      if (call.args.length % 2 === 0) call.fail('needs a last value, for when no test is true');
      return call.map(call.args.length, (...atoms) => {
        let code = atoms[atoms.length - 1];
        for (let k = atoms.length - 3; k >= 0; k -= 2) {
          code = `(${anyMissing(atoms[k])} ? NaN : ${atoms[k]} !== 0 ? ${atoms[k + 1]} : ${code})`;
        }
        return code;
      });
    },
  },
  {
    name: 'choose',
    signature: 'choose(index, x, y, …)',
    doc: 'The value at an index, counted from 0: x for 0, y for 1, and so on.',
    formula: 'x[index]',
    missing: 'Missing if the index is missing, not whole or out of range; otherwise only the chosen value counts.',
    example: { expression: 'choose(1, 10, 20, 30)', gives: 20 },
    more: [{ expression: 'choose(3, 10, 20, 30) ?? 0', gives: 0 }],
    build: (call) => {
      call.arity(2, Number.POSITIVE_INFINITY);
      const range = call.absence(`is missing if the index is not one of 0 to ${call.args.length - 2}`);
      const pick = (index: string, ...values: string[]): string =>
        `(${values.map((value, k) => `${index} === ${k} ? ${value} : `).join('')}NaN)`;
      return call.map(call.args.length, pick, [range]);
    },
  },
  {
    name: 'take',
    signature: 'take(v, [2, 0, …])',
    doc: 'Elements at the given indexes, in that order. The indexes are constants.',
    formula: 'v[place[k]]',
    missing: 'A missing element is missing at its place.',
    example: { expression: 'take([10, 20, 30], [2, 0])', gives: [30, 10] },
    build: (call) => {
      call.arity(2);
      const v = call.vector(0);
      const places = call.constants(1);
      const wrong = places.find((place) => !Number.isInteger(place) || place < 0 || place >= v.width);
      if (wrong !== undefined) call.fail(`${wrong} is not an index of a vector of ${v.width}`, 1);
      let table: string | undefined;
      return vector(places.length, v.missing, (block, k) => {
        if (typeof k === 'number') return v.code(block, places[k]);
        table ??= block.program.constant(Int32Array.from(places));
        return v.code(block, block.bind(`${table}[${k}]`));
      });
    },
  },
  {
    name: 'concat',
    signature: 'concat(v, w, …)',
    doc: 'All elements, one after the other; a number counts as one element.',
    formula: 'v[0], v[1], …, w[0], w[1], …',
    missing: 'A missing element is missing at its place.',
    example: { expression: 'concat([1, 2], 3, [4])', gives: [1, 2, 3, 4] },
    build: (call) => {
      call.arity(1, Number.POSITIVE_INFINITY);
      const values = call.args.map((_, i) => call.numeric(i));
      const places = values.flatMap((value) => Array.from({ length: value.width }, (_, k) => ({ value, k })));
      let room: string | undefined;
      return vector(places.length, union(...values.map(({ missing }) => missing)), (block, k) => {
        if (typeof k === 'number') return read(places[k].value, block, places[k].k);
        const { root } = block;
        if (room === undefined) {
          const scratch = root.program.scratch(places.length);
          let first = 0;
          for (const value of values) {
            const offset = first;
            root.each(value.width, (inner, j) =>
              inner.push(`${scratch}[${offset} + ${j}] = ${read(value, inner, j)};`),
            );
            first += value.width;
          }
          room = scratch;
        }
        return `${room}[${k}]`;
      });
    },
  },
  {
    name: 'topK',
    signature: 'topK(v, k)',
    doc: 'Indexes of the k largest elements, counted from 0, the largest first; if several are equal, the first. k is a constant.',
    formula: 'the first k of the indexes sorted by v, descending',
    missing: 'A missing element gives missing throughout.',
    example: { expression: 'topK([3, 9, 5, 9], 3)', gives: [1, 3, 2] },
    build: (call) => top(call, (place) => place),
  },
  {
    name: 'topValues',
    signature: 'topValues(v, k)',
    doc: 'The k largest elements, the largest first: the scores that belong to topK. k is a constant.',
    formula: 'v[topK[j]]',
    missing: 'A missing element gives missing throughout.',
    example: { expression: 'topValues([3, 9, 5, 9], 3)', gives: [9, 9, 5] },
    build: (call) => top(call, (place, values) => `${values}[${place}]`),
  },
];

function top(call: Call, code: (place: string, values: string) => string): NumericValue {
  call.arity(2);
  const v = call.vector(0);
  const count = call.integer(1, 1, Math.min(v.width, 1024));
  let rooms: readonly [string, string] | undefined;
  return vector(count, v.missing, ({ root }, k) => {
    if (rooms === undefined) {
      const [values, places] = [root.program.scratch(v.width), root.program.scratch(count)];
      root.each(v.width, (block, j) => block.push(`${values}[${j}] = ${v.code(block, j)};`));
      root.push(`$top(${values}, ${places});`);
      rooms = [values, places];
    }
    const [values, places] = rooms;
    return `(${places}[0] < 0 ? NaN : ${code(`${places}[${k}]`, values)})`;
  });
}

/** Set up only for programs that use it. Keeps the best so far sorted, so it is for few of many. `places[0]` is -1 if a value is missing. */
export const TOP_HELPER = [
  'const $top = (values, places) => {',
  '  let kept = 0;',
  '  for (let j = 0; j < values.length; j++) {',
  '    const x = values[j];',
  '    if (x !== x) {',
  '      places[0] = -1;',
  '      return;',
  '    }',
  '    if (kept === places.length && !(x > values[places[kept - 1]])) continue;',
  '    let at = kept < places.length ? kept++ : kept - 1;',
  '    for (; at > 0 && x > values[places[at - 1]]; at--) places[at] = places[at - 1];',
  '    places[at] = j;',
  '  }',
  '};',
].join('\n');
