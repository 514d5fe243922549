import { anyMissing, numberCode } from '../emit.ts';
import { describe, isNumeric, type NumericValue, read, remembered, vector } from '../value.ts';
import { find, MAX_WIDTH, refuseTwice, textTable } from './lookup.ts';
import { polynomial } from './polynomial.ts';
import type { Call, FunctionSpec } from './spec.ts';
import { textArgument } from './texts.ts';

const MAX_HARMONICS = 64;
const THROUGHOUT = 'A missing x gives missing throughout.';

export const ENCODING: readonly FunctionSpec[] = [
  {
    name: 'cyclic',
    signature: 'cyclic(x, period, harmonics)',
    doc: 'Sine and cosine of x on a circle, so that the end of a day lies beside its beginning: sin1, cos1, sin2, cos2, … Period and harmonics are constants; harmonics is 1 by default.',
    formula: 'sin(2πh·x / period), cos(2πh·x / period) for h = 1 … harmonics',
    missing: THROUGHOUT,
    example: { expression: 'cyclic(0, 1440, 2)', gives: [0, 1, 0, 1] },
    build: (call) => {
      call.arity(2, 3);
      const x = call.number(0);
      const period = call.constant(1);
      if (period <= 0) call.fail('the period must be above 0', 1);
      const harmonics = call.args.length === 3 ? call.integer(2, 1, MAX_HARMONICS) : 1;
      return vector(2 * harmonics, x.missing, (block, k) => {
        const angle = block.root.bind(`${numberCode(2 * Math.PI)} * ${read(x, block, 0)} / ${numberCode(period)}`);
        if (typeof k === 'number') return `Math.${k % 2 === 0 ? 'sin' : 'cos'}(${(k >> 1) + 1} * ${angle})`;
        const turned = block.bind(`((${k} >> 1) + 1) * ${angle}`);
        return `(${k} % 2 === 0 ? Math.sin(${turned}) : Math.cos(${turned}))`;
      });
    },
  },
  {
    name: 'oneHot',
    signature: 'oneHot(x, n or [a, b, …])',
    doc: 'n columns: 1 in column x, 0 elsewhere. With a list of texts or numbers in place of n: 1 in the column of the element equal to x. An x that is not one of 0 … n-1, or not in the list, gives zeros. n is a constant.',
    formula: '1 if x = k, else 0, for k = 0 … n-1; or 1 if x = list[k]',
    missing: `${THROUGHOUT} To get zeros, write oneHot(x, n) ?? 0; to give missing its own column, oneHot(ordinal(x, [a, b], -1) ?? 2, 3).`,
    example: { expression: 'oneHot(2, 4)', gives: [0, 0, 1, 0] },
    more: [
      { expression: 'oneHot(event.carrier, ["AA", "DL", "UA"])', gives: [0, 1, 0], given: { carrier: 'DL' } },
      { expression: 'oneHot(event.carrier, ["AA", "DL", "UA"])', gives: [0, 0, 0], given: { carrier: 'XX' } },
      { expression: 'oneHot(event.carrier, ["AA", "DL"]) ?? 0', gives: [0, 0], given: { carrier: null } },
      {
        expression: 'oneHot(ordinal(event.carrier, ["AA", "DL"], -1) ?? 2, 3)',
        gives: [0, 0, 1],
        given: { carrier: null },
      },
    ],
    build: (call) => {
      call.arity(2);
      if (call.args[1].kind !== 'number') return oneHotOf(call);
      const x = call.number(0);
      const width = call.integer(1, 1, MAX_WIDTH);
      return vector(width, x.missing, (block, k) => {
        const atom = read(x, block, 0);
        return `(${anyMissing(atom)} ? NaN : ${atom} === ${k} ? 1 : 0)`;
      });
    },
  },
  {
    name: 'multiHot',
    signature: 'multiHot(v, n)',
    doc: 'n columns: 1 in each column that an element of v names, 0 elsewhere. Or multiHot(text, [a, b, …], ","): 1 for each text of the list that occurs between separators. Elements out of range or not in the list set nothing.',
    formula: '1 if k is among v, else 0; or 1 if list[k] is among the parts of the text',
    missing: 'A missing element sets nothing. A missing text gives missing throughout.',
    example: { expression: 'multiHot([3, 0, 0 / 0], 4)', gives: [1, 0, 0, 1] },
    more: [
      { expression: 'multiHot(event.tags, ["new", "sale"], ",")', gives: [0, 1], given: { tags: 'red,sale' } },
      { expression: 'multiHot(event.tags, ["new", "sale"], ",") ?? 0', gives: [0, 0], given: { tags: null } },
    ],
    build: (call) => {
      call.arity(2, 3);
      return isNumeric(call.args[0]) ? multiHotOf(call) : tagsOf(call);
    },
  },
  {
    name: 'cross',
    signature: 'cross(v, w)',
    doc: 'Every element of v times every element of w, beginning with the first of v times all of w. For two one-hot vectors, this is the one-hot vector of the pair.',
    formula: 'v[i] · w[j] in column i · width(w) + j',
    missing: 'A missing element gives missing in its products.',
    example: { expression: 'cross(oneHot(1, 2), [5, 6, 7])', gives: [0, 0, 0, 5, 6, 7] },
    build: (call) => {
      call.arity(2);
      const [v, w] = [remembered(call.numeric(0)), remembered(call.numeric(1))];
      const width = v.width * w.width;
      if (width > MAX_WIDTH) call.fail(`${v.width} × ${w.width} columns are more than ${MAX_WIDTH}`);
      const wide = w.width;
      return vector(width, [...v.missing, ...w.missing], (block, k) => {
        const i = typeof k === 'number' ? Math.floor(k / wide) : block.bind(`(${k} / ${wide}) | 0`);
        const j = typeof k === 'number' ? k % wide : block.bind(`${k} - ${i} * ${wide}`);
        return `${read(v, block, i)} * ${read(w, block, j)}`;
      });
    },
  },
  {
    name: 'polynomial',
    signature: 'polynomial(v, degree, interactions)',
    doc: 'All products of up to `degree` elements of v: first the elements themselves, then pairs, and so on, each group in the order of its factors. With interactions = 1, only products of different elements. The constant 1 is not included. degree and interactions are constants.',
    formula: 'v[i], v[i]·v[j] for i ≤ j, v[i]·v[j]·v[k] for i ≤ j ≤ k, …',
    missing: 'A missing element gives missing in its products.',
    example: { expression: 'polynomial([2, 3], 2)', gives: [2, 3, 4, 6, 9] },
    more: [{ expression: 'polynomial([2, 3, 5], 2, 1)', gives: [2, 3, 5, 6, 10, 15] }],
    build: (call) => {
      call.arity(2, 3);
      const v = remembered(call.vector(0));
      const degree = call.integer(1, 1, 16);
      const different = call.args.length === 3 && call.integer(2, 0, 1) === 1;
      return polynomial(v, degree, different, MAX_WIDTH, (message) => call.fail(message));
    },
  },
];

function oneHotOf(call: Call): NumericValue {
  const found = find(call, 0, 1);
  if (found.of !== 'text' && found.of.kind !== 'number') call.fail('takes one value, not a vector: see multiHot', 0);
  return vector(found.count, found.missing, (block, k) => {
    const place = found.place(block.root, 0);
    return `(${place} === -2 ? NaN : ${place} === ${k} ? 1 : 0)`;
  });
}

/** A vector of zeros, with 1 in each column that an element names. */
function multiHotOf(call: Call): NumericValue {
  call.arity(2);
  const v = call.vector(0);
  const width = call.integer(1, 1, MAX_WIDTH);
  let room: string | undefined;
  return vector(width, [], ({ root }, k) => {
    if (room === undefined) {
      const columns = root.program.scratch(width);
      root.push(`${columns}.fill(0);`);
      root.each(v.width, (block, j) => {
        const atom = read(v, block, j);
        block.push(`if (${atom} >= 0 && ${atom} < ${width} && (${atom} | 0) === ${atom}) ${columns}[${atom}] = 1;`);
      });
      room = columns;
    }
    return `${room}[${k}]`;
  });
}

function tagsOf(call: Call): NumericValue {
  call.arity(3);
  const text = textArgument(call, 0);
  const list = call.args[1];
  if (list.kind !== 'texts') call.fail(`argument 2 is ${describe(list)}, not a list of texts`, 1);
  const separator = Buffer.from(call.text(2), 'utf8');
  if (separator.length !== 1) call.fail('the separator is one ASCII character', 2);
  refuseTwice(call, list.texts, 1);
  let room: string | undefined;
  return vector(list.texts.length, text.missing, ({ root }, k) => {
    if (room === undefined) {
      room = root.program.scratch(list.texts.length);
      const { bytes, start, end } = text.place(root);
      const table = textTable(list.texts, root.program);
      root.push(`${room}.fill(${start} < 0 ? NaN : 0);`);
      root.push(`if (${start} >= 0) $tags(${bytes}, ${start}, ${end}, ${separator[0]}, ${room}, ${table});`);
    }
    return `${room}[${k}]`;
  });
}

/** Set up only for programs that use it. */
export const TAGS_HELPER = [
  'const $tags = (bytes, start, end, separator, room, slots, offsets, keys) => {',
  '  for (let from = start; from <= end; ) {',
  '    let to = from;',
  '    while (to < end && bytes[to] !== separator) to++;',
  '    const k = $find(bytes, from, to, slots, offsets, keys);',
  '    if (k >= 0) room[k] = 1;',
  '    from = to + 1;',
  '  }',
  '};',
].join('\n');
