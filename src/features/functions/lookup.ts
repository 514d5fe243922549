import { anyMissing, type Block, type Index, numberCode, type Program } from '../emit.ts';
import { type Absence, describe, type NumericValue, read, scalar, union, vector } from '../value.ts';
import type { Call, FunctionSpec } from './spec.ts';
import { textArgument } from './texts.ts';

/** Widest vector that an encoding may make, and longest list that a value may be looked up in. */
export const MAX_WIDTH = 65_536;

/** Where a value is in a list: `place` is an atom, 0 or above; -1 if the list does not contain it, -2 if it is missing. */
export interface Found {
  readonly count: number;
  readonly of: NumericValue | 'text';
  readonly missing: readonly Absence[];
  place(block: Block, k: Index): string;
}

/** Looks argument `i` up in argument `keys`, a list of texts or of numbers. */
export function find(call: Call, i: number, keys: number): Found {
  const list = call.args[keys];
  const values: readonly (string | number)[] = list.kind === 'texts' ? list.texts : call.constants(keys);
  if (values.length > MAX_WIDTH) call.fail(`the list is longer than ${MAX_WIDTH}`, keys);
  refuseTwice(call, values, keys);
  return list.kind === 'texts' ? findText(call, i, list.texts) : findNumber(call, i, values as readonly number[]);
}

export function refuseTwice(call: Call, values: readonly (string | number)[], argument: number): void {
  const seen = new Set<string | number>();
  for (const value of values) {
    if (seen.has(value)) call.fail(`${JSON.stringify(value)} is in the list twice`, argument);
    seen.add(value);
  }
}

function findText(call: Call, i: number, texts: readonly string[]): Found {
  const text = call.args[i];
  if (text.kind !== 'string' && text.kind !== 'text') {
    call.fail(`argument ${i + 1} is ${describe(text)}, and the list holds texts`, i);
  }
  const value = textArgument(call, i);
  let table: string | undefined;
  return {
    count: texts.length,
    of: 'text',
    missing: value.missing,
    place: ({ root }) => {
      const { bytes, start, end } = value.place(root);
      table ??= textTable(texts, root.program);
      return root.bind(`${start} < 0 ? -2 : $find(${bytes}, ${start}, ${end}, ${table})`);
    },
  };
}

function findNumber(call: Call, i: number, keys: readonly number[]): Found {
  const value = call.numeric(i);
  const order = keys.map((_, k) => k).sort((a, b) => keys[a] - keys[b]);
  let table: [string, string] | undefined;
  return {
    count: keys.length,
    of: value,
    missing: value.missing,
    place: (block, k) => {
      const { program } = block;
      table ??= [
        program.constant(Float64Array.from(order, (at) => keys[at])),
        program.constant(Int32Array.from(order)),
      ];
      const atom = read(value, block, k);
      const rank = block.bind(`$bins(${atom}, ${table[0]}) - 1`);
      const known = `${rank} >= 0 && ${table[0]}[${rank}] === ${atom}`;
      return block.bind(`${anyMissing(atom)} ? -2 : ${known} ? ${table[1]}[${rank}] : -1`);
    },
  };
}

/** Code for a place: `code` maps one in the list to a value; any other gives `unknown`, a literal. */
function mapFound(
  found: Found,
  unknown: string,
  absences: readonly Absence[],
  code: (place: string, program: Program) => string,
): NumericValue {
  const of = (place: string, { program }: Block): string =>
    `(${place} >= 0 ? ${code(place, program)} : ${place} === -1 ? ${unknown} : NaN)`;
  const missing = union(found.missing, absences);
  if (found.of === 'text' || found.of.kind === 'number')
    return scalar(missing, (root) => of(found.place(root, 0), root));
  return vector(found.of.width, missing, (block, k) => of(found.place(block, k), block));
}

/** The constant for values that are not in the list; missing if the argument is omitted. */
function unknownOf(call: Call, i: number): { code: string; absences: readonly Absence[] } {
  if (call.args.length > i) return { code: numberCode(call.constant(i)), absences: [] };
  return { code: 'NaN', absences: [call.absence('is missing if the value is not in the list')] };
}

const MISSING =
  'A missing x gives missing. An x that is not in the list gives `unknown`, a constant, or missing if that is omitted.';

export const LOOKUP: readonly FunctionSpec[] = [
  {
    name: 'ordinal',
    signature: 'ordinal(x, [a, b, …], unknown)',
    doc: 'Index of x in a list of texts or numbers (a vocabulary), counted from 0. Text is compared byte for byte.',
    formula: 'k where x = list[k]',
    missing: MISSING,
    example: { expression: 'ordinal(event.carrier, ["AA", "DL"], -1)', gives: 1, given: { carrier: 'DL' } },
    more: [
      { expression: 'ordinal(event.carrier, ["AA", "DL"], -1)', gives: -1, given: { carrier: 'XX' } },
      { expression: 'ordinal(event.carrier, ["AA", "DL"], -1) ?? 7', gives: 7, given: { carrier: null } },
      { expression: 'ordinal(20, [10, 20, 30])', gives: 1 },
    ],
    build: (call) => {
      call.arity(2, 3);
      const found = find(call, 0, 1);
      const { code, absences } = unknownOf(call, 2);
      return mapFound(found, code, absences, (place) => place);
    },
  },
  {
    name: 'table',
    signature: 'table(x, [a, b, …], [1.5, 2.5, …], unknown)',
    doc: 'The number that a table gives for x: target means, frequencies, any list of pairs. The first list holds texts or numbers, the second a number for each.',
    formula: 'value[k] where x = list[k]',
    missing: MISSING,
    example: {
      expression: 'table(event.carrier, ["AA", "DL"], [0.21, 0.18], 0.2)',
      gives: 0.18,
      given: { carrier: 'DL' },
    },
    more: [
      { expression: 'table(event.carrier, ["AA", "DL"], [0.21, 0.18], 0.2)', gives: 0.2, given: { carrier: 'XX' } },
      { expression: 'table(3, [1, 3], [10, 30])', gives: 30 },
    ],
    build: (call) => {
      call.arity(3, 4);
      const found = find(call, 0, 1);
      const values = call.constants(2);
      if (values.length !== found.count)
        call.fail(`${values.length} values for ${found.count} keys: both lists must be equally long`, 2);
      const { code, absences } = unknownOf(call, 3);
      let column: string | undefined;
      return mapFound(found, code, absences, (place, program) => {
        column ??= program.constant(Float64Array.from(values));
        return `${column}[${place}]`;
      });
    },
  },
];

/** The arguments of `$find` after a text. Open addressing: `slots` holds places (-1: free), its size is a power of two. */
export function textTable(texts: readonly string[], program: Program): string {
  const keys = texts.map((text) => Buffer.from(text, 'utf8'));
  let size = 4;
  while (size < 2 * keys.length) size *= 2;
  const slots = new Int32Array(size).fill(-1);
  const offsets = new Int32Array(keys.length + 1);
  for (const [k, key] of keys.entries()) {
    offsets[k + 1] = offsets[k] + key.length;
    let at = hashOf(key) & (size - 1);
    while (slots[at] >= 0) at = (at + 1) & (size - 1);
    slots[at] = k;
  }
  return [slots, offsets, Buffer.concat(keys)].map((part) => program.constant(part)).join(', ');
}

/** The hash of `$find`. It need not withstand attacks: whoever chooses the keys also chooses the bundle. */
function hashOf(key: Buffer): number {
  let hash = 0;
  for (const byte of key) hash = (Math.imul(hash, 31) + byte) | 0;
  return hash ^ (hash >>> 15);
}

/** Set up only for programs that use them. */
export const LOOKUP_HELPERS: readonly string[] = [
  [
    'const $find = (bytes, start, end, slots, offsets, keys) => {',
    '  let hash = 0;',
    '  for (let p = start; p < end; p++) hash = (Math.imul(hash, 31) + bytes[p]) | 0;',
    '  let at = (hash ^ (hash >>> 15)) & (slots.length - 1);',
    '  for (;;) {',
    '    const k = slots[at];',
    '    if (k < 0) return -1;',
    '    const from = offsets[k];',
    '    if (offsets[k + 1] - from === end - start) {',
    '      let p = start;',
    '      while (p < end && bytes[p] === keys[from + p - start]) p++;',
    '      if (p === end) return k;',
    '    }',
    '    at = (at + 1) & (slots.length - 1);',
    '  }',
    '};',
  ].join('\n'),
];
