import { anyMissing, numberCode } from '../emit.ts';
import { type LabelValue, read, remembered, scalar, vector } from '../value.ts';
import { type Call, elementwiseSpec, type FunctionSpec } from './spec.ts';
import { fold } from './vectors.ts';

/** Functions for a model's outputs; all except labels work on inputs too. */
export const OUTPUTS: readonly FunctionSpec[] = [
  elementwiseSpec(
    {
      name: 'sigmoid',
      signature: 'sigmoid(x)',
      doc: 'Log-odds to probability.',
      formula: '1 / (1 + e^-x)',
      missing: 'Missing stays missing.',
      example: { expression: 'sigmoid(0)', gives: 0.5 },
    },
    1,
    (x) => `1 / (1 + Math.exp(-${x}))`,
  ),
  elementwiseSpec(
    {
      name: 'logit',
      signature: 'logit(p)',
      doc: 'Probability to log-odds; the inverse of sigmoid.',
      formula: 'ln(p / (1 - p))',
      missing: 'Missing stays missing. Outside 0 … 1 gives missing, 0 and 1 give minus and plus infinity.',
      example: { expression: 'logit(0.5)', gives: 0 },
    },
    1,
    (p) => `Math.log(${p} / (1 - ${p}))`,
  ),
  {
    name: 'softmax',
    signature: 'softmax(v)',
    doc: 'Scores to probabilities that add up to 1; the largest score is subtracted first, so nothing overflows.',
    formula: 'e^(v[k] - max v) / Σ e^(v[j] - max v)',
    missing: 'A missing element gives missing throughout.',
    example: { expression: 'softmax([1, 1])', gives: [0.5, 0.5] },
    build: (call) => {
      call.arity(1);
      const v = remembered(call.vector(0));
      const largest = remembered(
        scalar(v.missing, (root) => fold(v, root, '-Infinity', (so, x) => `Math.max(${so}, ${x})`)),
      );
      const powers = remembered(
        vector(v.width, v.missing, (block, k) => `Math.exp(${read(v, block, k)} - ${read(largest, block, k)})`),
      );
      const total = remembered(scalar(v.missing, (root) => fold(powers, root, '0', (so, x) => `${so} + ${x}`)));
      return vector(v.width, v.missing, (block, k) => `${read(powers, block, k)} / ${read(total, block, k)}`);
    },
  },
  {
    name: 'argMax',
    signature: 'argMax(v)',
    doc: 'Index of the largest element, counted from 0; if several are equal, the first.',
    formula: 'arg max v[k]',
    missing: 'A missing element gives missing.',
    example: { expression: 'argMax([3, 9, 9])', gives: 1 },
    build: (call) => {
      call.arity(1);
      const v = remembered(call.vector(0));
      return scalar(v.missing, (root) => {
        const best = root.program.name('a');
        root.push(`let ${best} = 0;`);
        const largest = fold(
          v,
          root,
          '-Infinity',
          (so, x, k) => `(${x} > ${so} && (${best} = ${k}), Math.max(${so}, ${x}))`,
        );
        return `(${anyMissing(largest)} ? NaN : ${best})`;
      });
    },
  },
  elementwiseSpec(
    {
      name: 'threshold',
      signature: 'threshold(x, bound)',
      doc: 'Whether x reaches the bound: 1 or 0.',
      formula: '1 if x ≥ bound, else 0',
      missing: 'A missing argument gives missing.',
      example: { expression: 'threshold(0.7, 0.5)', gives: 1 },
    },
    2,
    (x, bound) => `(${anyMissing(x, bound)} ? NaN : ${x} >= ${bound} ? 1 : 0)`,
  ),
  {
    name: 'band',
    signature: 'band(x, "low", 0.2, "medium", 0.5, "high")',
    doc: 'A name for the range that contains x: each name is for values below the bound after it, the last for all others. Bounds are rising constants.',
    formula: 'name[k] for the least k with x < bound[k]',
    missing: 'A missing x gives a missing label.',
    example: { expression: 'band(0.2, "low", 0.2, "medium", 0.5, "high")', gives: 'medium' },
    build: (call) => {
      call.arity(2, Number.POSITIVE_INFINITY);
      if (call.args.length % 2 !== 0) call.fail('takes x, then names with a bound between every two');
      const x = call.number(0);
      const labels: string[] = [];
      const bounds: number[] = [];
      for (let i = 1; i < call.args.length; i += 2) labels.push(call.text(i));
      for (let i = 2; i < call.args.length; i += 2) {
        const bound = call.constant(i);
        if (bounds.length > 0 && bound <= bounds[bounds.length - 1]) call.fail('bounds must rise', i);
        bounds.push(bound);
      }
      distinct(call, labels);
      return {
        kind: 'label',
        labels,
        missing: x.missing,
        code: (root) => {
          const atom = read(x, root, 0);
          const steps = bounds.map((bound, k) => `${atom} < ${numberCode(bound)} ? ${k} : `).join('');
          return `(${anyMissing(atom)} ? -1 : ${steps}${bounds.length})`;
        },
      } satisfies LabelValue;
    },
  },
  {
    name: 'label',
    signature: 'label(index, "first", "second", …)',
    doc: 'A name for an index, such as that of argMax: the first for 0, the second for 1, and so on. Names are arguments or a list: label(index, ["first", "second"]).',
    formula: 'name[index]',
    missing: 'An index that is missing, not whole or out of range gives a missing label.',
    example: { expression: 'label(argMax([1, 5, 2]), "cat", "dog", "bird")', gives: 'dog' },
    build: (call) => {
      call.arity(2, Number.POSITIVE_INFINITY);
      const index = call.number(0);
      const list = call.args[1];
      if (list.kind === 'texts') call.arity(2);
      const labels = list.kind === 'texts' ? list.texts : call.args.slice(1).map((_, i) => call.text(i + 1));
      distinct(call, labels);
      return {
        kind: 'label',
        labels,
        missing: index.missing,
        code: (root) => {
          const atom = read(index, root, 0);
          const whole = root.bind(`${atom} | 0`);
          return `(${whole} === ${atom} && ${whole} >= 0 && ${whole} < ${labels.length} ? ${whole} : -1)`;
        },
      } satisfies LabelValue;
    },
  },
];

function distinct(call: Call, labels: readonly string[]): void {
  if (new Set(labels).size !== labels.length) call.fail('a name occurs twice');
}
