import { anyMissing, numberCode } from '../emit.ts';
import { isNumeric, type NumericValue, type StringValue, scalar, type ViewValue } from '../value.ts';
import { replaced } from './operators.ts';
import { elementwiseSpec, type FunctionSpec } from './spec.ts';

export const CLEANSING: readonly FunctionSpec[] = [
  {
    name: 'atLeast',
    signature: 'atLeast(x, low)',
    doc: 'x, but missing where it lies below low: for values that cannot be.',
    formula: 'x if x ≥ low, else missing',
    missing: 'Missing stays missing.',
    example: { expression: 'atLeast(-3, 0) ?? 569', gives: 569 },
    build: (call) => {
      call.arity(2);
      const absence = call.absence('is missing where the value lies below the bound');
      return call.map(2, (x, low) => `(${x} >= ${low} ? ${x} : NaN)`, [absence]);
    },
  },
  {
    name: 'atMost',
    signature: 'atMost(x, high)',
    doc: 'x, but missing where it lies above high.',
    formula: 'x if x ≤ high, else missing',
    missing: 'Missing stays missing.',
    example: { expression: 'atMost(12, 10) ?? 5', gives: 5 },
    build: (call) => {
      call.arity(2);
      const absence = call.absence('is missing where the value lies above the bound');
      return call.map(2, (x, high) => `(${x} <= ${high} ? ${x} : NaN)`, [absence]);
    },
  },
  elementwiseSpec(
    {
      name: 'clip',
      signature: 'clip(x, low, high)',
      doc: 'x, moved to the nearer bound where it lies outside.',
      formula: 'min(max(x, low), high)',
      missing: 'A missing argument gives missing.',
      example: { expression: 'clip(12, 0, 10)', gives: 10 },
    },
    3,
    (x, low, high) => `Math.min(Math.max(${x}, ${low}), ${high})`,
  ),
  {
    name: 'impute',
    signature: 'impute(x, default)',
    doc: 'x, or where it is missing the default; the same as x ?? default.',
    formula: 'x, else default',
    missing: 'Missing only where both are.',
    example: { expression: 'impute(0 / 0, 7)', gives: 7 },
    build: (call) => {
      call.arity(2);
      return replaced(call);
    },
  },
  {
    name: 'missing',
    signature: 'missing(x)',
    doc: 'Whether x is missing: 1 or 0. x is a view (no row, or no such view in it), text, a number, or each element of a vector.',
    formula: '1 if x is missing, else 0',
    missing: 'Never missing.',
    example: { expression: 'missing(0 / 0)', gives: 1 },
    build: (call) => {
      call.arity(1);
      const [value] = call.args;
      if (isNumeric(value)) return { ...call.map(1, (x) => `(${anyMissing(x)} ? 1 : 0)`), missing: [] };
      if (value.kind === 'view') return missingView(value);
      if (value.kind === 'string') return missingString(value);
      return call.fail('takes a view, a column or a value', 0);
    },
  },
  {
    name: 'standardize',
    signature: 'standardize(x, mean, deviation)',
    doc: 'x in standard deviations from the mean. Both are constants.',
    formula: '(x - mean) / deviation',
    missing: 'Missing stays missing.',
    example: { expression: 'standardize(14, 10, 2)', gives: 2 },
    build: (call) => {
      call.arity(3);
      const mean = numberCode(call.constant(1));
      const deviation = call.constant(2);
      if (deviation <= 0) call.fail('the deviation must be above 0', 2);
      return call.map(1, (x) => `(${x} - ${mean}) / ${numberCode(deviation)}`);
    },
  },
  {
    name: 'minMax',
    signature: 'minMax(x, low, high)',
    doc: 'x on a scale where low is 0 and high is 1; beyond them it goes on, see clip. Both are constants.',
    formula: '(x - low) / (high - low)',
    missing: 'Missing stays missing.',
    example: { expression: 'minMax(15, 10, 20)', gives: 0.5 },
    build: (call) => {
      call.arity(3);
      const low = call.constant(1);
      const high = call.constant(2);
      if (high <= low) call.fail('high must lie above low', 2);
      return call.map(1, (x) => `(${x} - ${numberCode(low)}) / ${numberCode(high - low)}`);
    },
  },
];

function missingView({ ref }: ViewValue): NumericValue {
  return scalar([], (root) => {
    const row = root.bind(`${root.program.hoist(`reads[${ref.read}].index`)}[i]`);
    const written = root.bind(
      `${root.program.hoist(`reads[${ref.read}].writtenAtMs`)}[${row} * ${ref.viewsInRead} + ${ref.view}]`,
    );
    return `(${anyMissing(written)} ? 1 : 0)`;
  });
}

function missingString(value: StringValue): NumericValue {
  return scalar([], (root) => `(${root.program.hoist(`columns[${value.slot()}].start`)}[i] < 0 ? 1 : 0)`);
}
