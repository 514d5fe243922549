import { anyMissing, numberCode } from '../emit.ts';
import { isNumeric, type NumericValue, type StringValue, scalar, type ViewValue } from '../value.ts';
import { replaced } from './operators.ts';
import { elementwiseSpec, type FunctionSpec } from './spec.ts';

export const CLEANSING: readonly FunctionSpec[] = [
  {
    name: 'atLeast',
    signature: 'atLeast(x, low)',
    doc: 'x, or missing if x is below low: for impossible values.',
    formula: 'x if x ≥ low, else missing',
    missing: 'Missing stays missing.',
    example: { expression: 'atLeast(-3, 0) ?? 569', gives: 569 },
    build: (call) => {
      call.arity(2);
      const absence = call.absence('is missing if the value is below the bound');
      return call.map(2, (x, low) => `(${x} >= ${low} ? ${x} : NaN)`, [absence]);
    },
  },
  {
    name: 'atMost',
    signature: 'atMost(x, high)',
    doc: 'x, or missing if x is above high.',
    formula: 'x if x ≤ high, else missing',
    missing: 'Missing stays missing.',
    example: { expression: 'atMost(12, 10) ?? 5', gives: 5 },
    build: (call) => {
      call.arity(2);
      const absence = call.absence('is missing if the value is above the bound');
      return call.map(2, (x, high) => `(${x} <= ${high} ? ${x} : NaN)`, [absence]);
    },
  },
  elementwiseSpec(
    {
      name: 'clip',
      signature: 'clip(x, low, high)',
      doc: 'x, or the nearer bound if x is outside the bounds.',
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
    doc: 'x, or the default if x is missing; numbers or text. Same as x ?? default.',
    formula: 'x, else default',
    missing: 'Missing only if both are.',
    example: { expression: 'impute(0 / 0, 7)', gives: 7 },
    more: [
      { expression: 'ordinal(impute(event.carrier, "none"), ["AA", "none"])', gives: 1, given: { carrier: null } },
    ],
    build: (call) => {
      call.arity(2);
      return replaced(call);
    },
  },
  {
    name: 'missing',
    signature: 'missing(x)',
    doc: 'Whether x is missing: 1 or 0. x is a view (no row, or a row without that view), text, a number, or each element of a vector.',
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
    name: 'within',
    signature: 'within(x, low, high)',
    doc: 'x, or missing if x is outside the bounds: atLeast and atMost in one.',
    formula: 'x if low ≤ x ≤ high, else missing',
    missing: 'Missing stays missing.',
    example: { expression: 'within(451, -90, 60) ?? 15', gives: 15 },
    build: (call) => {
      call.arity(3);
      const absence = call.absence('is missing if the value is outside the bounds');
      return call.map(3, (x, low, high) => `(${x} >= ${low} && ${x} <= ${high} ? ${x} : NaN)`, [absence]);
    },
  },
  {
    name: 'missingIf',
    signature: 'missingIf(x, value, …)',
    doc: 'x, or missing if x is one of the values that stand for "not known", such as -999.',
    formula: 'x if x ≠ value, else missing',
    missing: 'Missing stays missing.',
    example: { expression: 'missingIf(-999, -1, -999) ?? 20', gives: 20 },
    build: (call) => {
      call.arity(2, Number.POSITIVE_INFINITY);
      const marks = call.args.slice(1).map((_, k) => numberCode(call.constant(k + 1)));
      const absence = call.absence('is missing if the value stands for "not known"');
      return call.map(1, (x) => `(${marks.map((mark) => `${x} === ${mark}`).join(' || ')} ? NaN : ${x})`, [absence]);
    },
  },
  {
    name: 'finite',
    signature: 'finite(x)',
    doc: 'x, or missing if x is infinite, as after a division by 0.',
    formula: 'x if |x| < ∞, else missing',
    missing: 'Missing stays missing.',
    example: { expression: 'finite(1 / 0) ?? 0', gives: 0 },
    build: (call) => {
      call.arity(1);
      return call.map(1, (x) => `(${x} - ${x} === 0 ? ${x} : NaN)`, [call.absence('is missing if it is infinite')]);
    },
  },
  {
    name: 'cast',
    signature: 'cast(x, "int32")',
    doc: 'x as a type holds it: int8, int16, int32, int64, uint8, uint16, uint32 cut off the fraction, float32 rounds to the nearest, bool is 1 for any number but 0. The values of an input are cast to its type anyway.',
    formula: 'trunc x, or the float32 nearest to x, or x ≠ 0',
    missing: 'Missing stays missing. An integer type gives missing if x is out of its range, never another number.',
    example: { expression: 'cast(-2.9, "int32")', gives: -2 },
    more: [
      { expression: 'cast(300, "uint8") ?? 255', gives: 255 },
      { expression: 'cast(0.1, "float32")', gives: Math.fround(0.1) },
    ],
    build: (call) => {
      call.arity(2);
      const type = call.text(1);
      if (type === 'float32') return call.map(1, (x) => `Math.fround(${x})`);
      if (type === 'bool') return call.map(1, (x) => `(${anyMissing(x)} ? NaN : ${x} !== 0 ? 1 : 0)`);
      const [, unsigned, bits] = /^(u?)int(8|16|32|64)$/.exec(type) ?? [];
      if (bits === undefined || (unsigned === 'u' && bits === '64')) {
        const known = 'int8, int16, int32, int64, uint8, uint16, uint32, float32, bool';
        call.fail(`${JSON.stringify(type)} is not a type: write ${known}`, 1);
      }
      const low = unsigned === 'u' ? 0 : -(2 ** (Number(bits) - 1));
      const beyond = unsigned === 'u' ? 2 ** Number(bits) : -low;
      // Values between low - 1 and low are truncated to low; for 64 bits, low - 1 equals low in float64.
      const above = low - 1 === low ? `>= ${numberCode(low)}` : `> ${numberCode(low - 1)}`;
      return call.map(1, (x) => `(${x} ${above} && ${x} < ${beyond} ? Math.trunc(${x}) : NaN)`, [
        call.absence(`is missing if the value is out of the range of ${type}`),
      ]);
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
  return scalar([], (root) => `(${value.place(root).start} < 0 ? 1 : 0)`);
}
