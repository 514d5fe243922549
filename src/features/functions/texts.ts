import type { Block } from '../emit.ts';
import { describe, read, type StringValue, scalar, type TextPlace, union, type Value } from '../value.ts';
import type { Call, FunctionSpec } from './spec.ts';

/** Functions of text, which is compared, searched and cut in place: nothing here makes a string for a record. */
const STAYS = 'Missing text gives missing.';

/** Bytes of a constant as an atom, made once for a program. */
function constantBytes({ program }: Block, text: string): TextPlace {
  const bytes = Buffer.from(text, 'utf8');
  return { bytes: program.constant(bytes), start: '0', end: String(bytes.length) };
}

/** The argument as a text of the record. */
export function textArgument(call: Call, i: number): StringValue {
  const value: Value = call.args[i];
  if (value.kind === 'string') return value;
  if (value.kind === 'text') {
    let place: TextPlace | undefined;
    return {
      kind: 'string',
      missing: [],
      place: (root) => {
        place ??= constantBytes(root, value.text);
        return place;
      },
    };
  }
  return call.fail(`argument ${i + 1} is ${describe(value)}, not text`, i);
}

/** `x ?? "default"`: the bytes of the one that is not missing. */
export function replacedText(one: StringValue, other: StringValue): StringValue {
  return {
    kind: 'string',
    missing: other.missing,
    place: (root) => {
      const [a, b] = [one.place(root), other.place(root)];
      const pick = (of: keyof TextPlace): string => root.bind(`${a.start} < 0 ? ${b[of]} : ${a[of]}`);
      return { bytes: pick('bytes'), start: pick('start'), end: pick('end') };
    },
  };
}

const NO_NUMBER = 'is missing if the union holds no number';

function predicate(name: string, doc: string, gives: number, helper: string): FunctionSpec {
  const signature = `${name}(text, "part")`;
  const given = { carrier: 'DL-7' };
  return {
    name,
    signature,
    doc: `${doc}: 1 or 0, byte for byte.`,
    formula: '1 if it does, else 0',
    missing: STAYS,
    example: { expression: `${name}(event.carrier, "7")`, gives, given },
    more: [{ expression: `${name}(event.carrier, "7")`, gives: Number.NaN, given: { carrier: null } }],
    build: (call) => {
      call.arity(2);
      const text = textArgument(call, 0);
      const part = call.text(1);
      if (part === '') call.fail('the part is empty', 1);
      return scalar(text.missing, (root) => {
        const { bytes, start, end } = text.place(root);
        const wanted = root.program.constant(Buffer.from(part, 'utf8'));
        return `(${start} < 0 ? NaN : ${helper}(${bytes}, ${start}, ${end}, ${wanted}))`;
      });
    },
  };
}

export const TEXTS: readonly FunctionSpec[] = [
  predicate('startsWith', 'Whether a text begins with a part', 0, '$starts'),
  predicate('contains', 'Whether a text contains a part', 1, '$contains'),
  {
    name: 'length',
    signature: 'length(text)',
    doc: 'Number of characters (Unicode code points) of a text.',
    formula: 'number of code points',
    missing: STAYS,
    example: { expression: 'length(event.city)', gives: 6, given: { city: 'Zürich' } },
    build: (call) => {
      call.arity(1);
      const text = textArgument(call, 0);
      return scalar(text.missing, (root) => {
        const { bytes, start, end } = text.place(root);
        return `(${start} < 0 ? NaN : $length(${bytes}, ${start}, ${end}))`;
      });
    },
  },
  {
    name: 'trim',
    signature: 'trim(text)',
    doc: 'The text without spaces, tabs and line ends at both ends, as an argument for functions of text.',
    formula: 'text without U+0009 … U+000D and U+0020 at both ends',
    missing: 'Missing text stays missing.',
    example: { expression: 'ordinal(trim(event.carrier), ["AA", "DL"])', gives: 1, given: { carrier: ' DL\n' } },
    build: (call) => {
      call.arity(1);
      const text = textArgument(call, 0);
      return {
        kind: 'string',
        missing: text.missing,
        place: (root) => {
          const { bytes, start, end } = text.place(root);
          const from = root.bind(`${start} < 0 ? -1 : $trimStart(${bytes}, ${start}, ${end})`);
          return { bytes, start: from, end: root.bind(`${from} < 0 ? -1 : $trimEnd(${bytes}, ${from}, ${end})`) };
        },
      };
    },
  },
  {
    name: 'text',
    signature: 'text(union)',
    doc: 'The text in a union of text and other types, as an argument for functions of text; a text is unchanged.',
    formula: 'x if it is text',
    missing: 'Missing if the union holds something else.',
    example: { expression: 'length(text(event.city))', gives: 6, given: { city: 'Zürich' } },
    build: (call) => {
      call.arity(1);
      const [value] = call.args;
      if (value.kind !== 'mixed') return textArgument(call, 0);
      if (value.text === undefined) return call.fail(`argument 1 is ${describe(value)} without text`, 0);
      return { ...value.text, missing: [call.absence('is missing if the union holds no text')] };
    },
  },
  {
    name: 'number',
    signature: 'number(text)',
    doc: 'A text as a decimal number: sign, digits, point and exponent, nothing else. Read to 15 significant digits; further ones count as 0. For a union of numbers and other types, the number, or the number that its text spells.',
    formula: 'the number that the text spells',
    missing: `${STAYS} So does text that is not a number, and any other type in a union.`,
    example: { expression: 'number(event.price)', gives: -12.5, given: { price: '-12.5' } },
    more: [{ expression: 'number(event.price) ?? 0', gives: 0, given: { price: '12,5' } }],
    build: (call) => {
      call.arity(1);
      const [value] = call.args;
      const whole = value.kind === 'mixed' ? value.number : undefined;
      if (whole !== undefined && value.kind === 'mixed' && value.text === undefined)
        return { ...whole, missing: [call.absence(NO_NUMBER)] };
      const text = value.kind === 'mixed' ? (value.text as StringValue) : textArgument(call, 0);
      const wrong = call.absence(value.kind === 'mixed' ? NO_NUMBER : 'is missing if the text is not a number');
      return scalar(union(text.missing, [wrong]), (root) => {
        const { bytes, start, end } = text.place(root);
        const parts = root.program.scratch(2);
        // Digits and exponent are returned in a scratch vector, because a fraction returned by a function is an object.
        const state = root.bind(`${start} < 0 ? 0 : $decimal(${bytes}, ${start}, ${end}, ${parts})`);
        const [digits, power] = [root.bind(`${parts}[0]`), root.bind(`${parts}[1]`)];
        const spells = `${power} < -300 ? ${digits} / 1e300 / Math.pow(10, -300 - ${power}) : ${power} < 0 ? ${digits} / Math.pow(10, -${power}) : ${digits} * Math.pow(10, ${power})`;
        const spelt = `(${state} === 0 ? NaN : ${spells})`;
        if (whole === undefined) return spelt;
        const number = read(whole, root, 0);
        return `(${number} === ${number} ? ${number} : ${spelt})`;
      });
    },
  },
];

const blank = (c: string): string => `(${c} === 32 || (${c} >= 9 && ${c} <= 13))`;

/** Set up only for programs that use them. */
export const TEXT_HELPERS: readonly string[] = [
  [
    'const $starts = (bytes, start, end, part) => {',
    '  if (end - start < part.length) return 0;',
    '  for (let p = 0; p < part.length; p++) if (bytes[start + p] !== part[p]) return 0;',
    '  return 1;',
    '};',
  ].join('\n'),
  [
    'const $contains = (bytes, start, end, part) => {',
    '  for (let from = start; from <= end - part.length; from++) {',
    '    let p = 0;',
    '    while (p < part.length && bytes[from + p] === part[p]) p++;',
    '    if (p === part.length) return 1;',
    '  }',
    '  return 0;',
    '};',
  ].join('\n'),
  [
    'const $length = (bytes, start, end) => {',
    '  let count = 0;',
    '  for (let p = start; p < end; p++) if ((bytes[p] & 0xc0) !== 0x80) count++;',
    '  return count;',
    '};',
  ].join('\n'),
  [
    'const $trimStart = (bytes, start, end) => {',
    '  let p = start;',
    `  while (p < end && ${blank('bytes[p]')}) p++;`,
    '  return p;',
    '};',
  ].join('\n'),
  [
    'const $trimEnd = (bytes, start, end) => {',
    '  let p = end;',
    `  while (p > start && ${blank('bytes[p - 1]')}) p--;`,
    '  return p;',
    '};',
  ].join('\n'),
  [
    'const $decimal = (bytes, start, end, parts) => {',
    '  let p = start;',
    '  const sign = bytes[p] === 45 && p < end ? -1 : 1;',
    '  if (p < end && (bytes[p] === 45 || bytes[p] === 43)) p++;',
    '  let digits = 0, kept = 0, power = 0, seen = 0, point = 0;',
    '  for (; p < end; p++) {',
    '    const c = bytes[p];',
    '    if (c === 46 && point === 0) { point = 1; continue; }',
    '    if (c < 48 || c > 57) break;',
    '    seen = 1;',
    '    if (kept < 15) {',
    '      digits = digits * 10 + (c - 48);',
    '      if (digits > 0) kept++;',
    '      power -= point;',
    '    } else power += 1 - point;',
    '  }',
    '  if (seen === 0) return 0;',
    '  if (p < end && (bytes[p] | 32) === 101) {',
    '    p++;',
    '    const down = p < end && bytes[p] === 45;',
    '    if (p < end && (bytes[p] === 45 || bytes[p] === 43)) p++;',
    '    let exponent = 0, any = 0;',
    '    for (; p < end && bytes[p] >= 48 && bytes[p] <= 57; p++) {',
    '      any = 1;',
    '      if (exponent < 10000) exponent = exponent * 10 + (bytes[p] - 48);',
    '    }',
    '    if (any === 0) return 0;',
    '    power += down ? -exponent : exponent;',
    '  }',
    '  if (p < end) return 0;',
    '  parts[0] = sign * digits;',
    '  parts[1] = digits === 0 ? 0 : power;',
    '  return 1;',
    '};',
  ].join('\n'),
];
