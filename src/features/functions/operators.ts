import { anyMissing } from '../emit.ts';
import {
  describe,
  isNumeric,
  type LabelValue,
  type NumericValue,
  type StringValue,
  scalar,
  union,
  type Value,
} from '../value.ts';
import { type Call, elementwise, elementwiseSpec, type FunctionSpec } from './spec.ts';
import { replacedText, textArgument } from './texts.ts';

const STAYS = 'A missing side gives missing.';

function infix(op: string, doc: string, example: readonly [string, number], code: (x: string, y: string) => string) {
  const [expression, gives] = example;
  const signature = `x ${op} y`;
  return elementwiseSpec(
    { name: op, signature, doc, formula: signature, missing: STAYS, example: { expression, gives } },
    2,
    code,
  );
}

const compared = (op: string) => (x: string, y: string) => `(${anyMissing(x, y)} ? NaN : ${x} ${op} ${y} ? 1 : 0)`;

function equality(op: '==' | '!=', doc: string, example: readonly [string, number]): FunctionSpec {
  const [expression, gives] = example;
  const signature = `x ${op} y`;
  return {
    name: op,
    signature,
    doc: `${doc} Numbers, or text (byte for byte).`,
    formula: signature,
    missing: STAYS,
    example: { expression, gives },
    build: (call) => {
      call.arity(2);
      const equal = textEquality(call, call.args[0], call.args[1]);
      if (equal === undefined) return call.map(2, compared(op === '==' ? '===' : '!=='));
      if (op === '==') return equal;
      return elementwise(
        [equal],
        (x) => `1 - ${x}`,
        () => call.fail('cannot be compared'),
      );
    },
  };
}

/** Equality of two texts as a number; undefined if neither side is text. */
function textEquality(call: Call, left: Value, right: Value): NumericValue | undefined {
  if (isNumeric(left) && isNumeric(right)) return undefined;
  if (left.kind === 'text' && right.kind !== 'text') return textEquality(call, right, left);
  if (left.kind === 'string' && (right.kind === 'string' || right.kind === 'text'))
    return sameText(left, textArgument(call, call.args[0] === left ? 1 : 0));
  if (left.kind === 'label' && right.kind === 'text') return sameAsLabel(call, left, right.text);
  const [one, other] = call.args.map(describe);
  return call.fail(`compares numbers with numbers and text with text, not ${one} with ${other}`);
}

function sameText(one: StringValue, other: StringValue): NumericValue {
  return scalar(union(one.missing, other.missing), (root) => {
    const [a, b] = [one.place(root), other.place(root)];
    return `$same(${a.bytes}, ${a.start}, ${a.end}, ${b.bytes}, ${b.start}, ${b.end})`;
  });
}

function sameAsLabel(call: Call, value: LabelValue, text: string): NumericValue {
  const code = value.labels.indexOf(text);
  if (code < 0) call.fail(`is never true: the label is one of ${value.labels.join(', ')}`);
  return scalar(value.missing, (root) => {
    const label = root.bind(value.code(root));
    return `(${label} < 0 ? NaN : ${label} === ${code} ? 1 : 0)`;
  });
}

/** Set up for every program: whether two ranges of bytes are equal; NaN if one is missing. */
export const SAME_HELPER = [
  'const $same = (a, aStart, aEnd, b, bStart, bEnd) => {',
  '  if (aStart < 0 || bStart < 0) return NaN;',
  '  if (aEnd - aStart !== bEnd - bStart) return 0;',
  '  for (let p = aStart, q = bStart; p < aEnd; p++, q++) if (a[p] !== b[q]) return 0;',
  '  return 1;',
  '};',
].join('\n');

const isTrue = (x: string): string => `(${x} === ${x} && ${x} !== 0)`;

const LOGIC = 'Any number except 0 is true.';

/** Operators, by their names in the syntax tree; `u-` is the sign before a number. */
export const OPERATORS: readonly FunctionSpec[] = [
  infix('+', 'Sum.', ['1 + 2 * 3', 7], (x, y) => `${x} + ${y}`),
  infix('-', 'Difference.', ['3 - 5', -2], (x, y) => `${x} - ${y}`),
  infix('*', 'Product.', ['2 * 3', 6], (x, y) => `${x} * ${y}`),
  infix('/', 'Quotient. Division by 0 gives infinity, 0 / 0 missing.', ['1 / 4', 0.25], (x, y) => `${x} / ${y}`),
  infix('%', 'Remainder with the sign of x; see mod.', ['-7 % 4', -3], (x, y) => `${x} % ${y}`),
  infix('<', 'Less than: 1 or 0.', ['1 < 2', 1], compared('<')),
  infix('<=', 'Less than or equal: 1 or 0.', ['2 <= 2', 1], compared('<=')),
  infix('>', 'Greater than: 1 or 0.', ['1 > 2', 0], compared('>')),
  infix('>=', 'Greater than or equal: 1 or 0.', ['1 >= 2', 0], compared('>=')),
  equality('==', 'Equal: 1 or 0.', ['2 == 2', 1]),
  equality('!=', 'Not equal: 1 or 0.', ['2 != 2', 0]),
  elementwiseSpec(
    {
      name: '&&',
      signature: 'x && y',
      doc: `Whether both sides are true: 1 or 0. ${LOGIC}`,
      formula: 'x ∧ y',
      missing: '0 if one side is 0; otherwise a missing side gives missing.',
      example: { expression: '0 && 0 / 0', gives: 0 },
    },
    2,
    (x, y) => `(${x} === 0 || ${y} === 0 ? 0 : ${anyMissing(x, y)} ? NaN : 1)`,
  ),
  elementwiseSpec(
    {
      name: '||',
      signature: 'x || y',
      doc: `Whether at least one side is true: 1 or 0. ${LOGIC}`,
      formula: 'x ∨ y',
      missing: '1 if one side is true; otherwise a missing side gives missing.',
      example: { expression: '0 / 0 || 1', gives: 1 },
    },
    2,
    (x, y) => `(${isTrue(x)} || ${isTrue(y)} ? 1 : ${anyMissing(x, y)} ? NaN : 0)`,
  ),
  elementwiseSpec(
    {
      name: 'u!',
      signature: '!x',
      doc: `Not: 1 if x is 0, else 0. ${LOGIC}`,
      formula: '¬x',
      missing: 'Missing stays missing.',
      example: { expression: '!0', gives: 1 },
    },
    1,
    (x) => `(${anyMissing(x)} ? NaN : ${x} === 0 ? 1 : 0)`,
  ),
  elementwiseSpec(
    {
      name: 'u-',
      signature: '-x',
      doc: 'x with the opposite sign.',
      formula: '-x',
      missing: 'Missing stays missing.',
      example: { expression: '-(2 + 3)', gives: -5 },
    },
    1,
    (x) => `-${x}`,
  ),
  elementwiseSpec(
    {
      name: 'u+',
      signature: '+x',
      doc: 'x itself.',
      formula: 'x',
      missing: 'Missing stays missing.',
      example: { expression: '+4', gives: 4 },
    },
    1,
    (x) => x,
  ),
  {
    name: '??',
    signature: 'x ?? y',
    doc: 'x, or y if x is missing; numbers or text. Binds weaker than arithmetic: `x ?? 1 + 2` is `x ?? 3`.',
    formula: 'x, else y',
    missing: 'Missing only if both are.',
    example: { expression: '(0 / 0) ?? 569', gives: 569 },
    build: (call) => {
      call.arity(2);
      return replaced(call);
    },
  },
  {
    name: '?:',
    signature: 'test ? x : y',
    doc: `x if the test is true, else y. ${LOGIC}`,
    formula: 'x if test, else y',
    missing: 'A missing test gives missing; otherwise only the chosen side counts.',
    example: { expression: '2 > 1 ? 10 : 20', gives: 10 },
    build: (call) => {
      call.arity(3);
      return call.map(3, (test, x, y) => `(${anyMissing(test)} ? NaN : ${test} !== 0 ? ${x} : ${y})`);
    },
  },
];

/** `x ?? y`: the place where missing values are replaced. */
export function replaced(call: Call): NumericValue | StringValue {
  const [first] = call.args;
  if (first.kind === 'string') return replacedText(first, textArgument(call, 1));
  const kept = call.map(2, (x, y) => `(${anyMissing(x)} ? ${y} : ${x})`);
  return { ...kept, missing: call.numeric(1).missing };
}
