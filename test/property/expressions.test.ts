import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { FUNCTIONS } from '../../src/features/functions/table.ts';
import { compileInputs } from '../../src/features/inputs.ts';
import { DEAD_LETTERED, OPEN, reasonCode } from '../../src/kernel/fate.ts';
import { NARROW, narrow, number, scalar, WIDE, wide } from '../fixtures/expression-arbitraries.ts';
import { type Environment, interpret, type Plain } from '../fixtures/expression-interpreter.ts';
import {
  type EventValues,
  emptyFrame,
  eventColumns,
  featureRows,
  field,
  linesOf,
  scopeOf,
  viewOf,
} from '../fixtures/expressions.ts';
import * as own from '../fixtures/transforms.ts';

/** Compiled code and the plain interpreter agree on every expression and record, missing values and dead letters included. */
const EVENT_VECTOR = 3;
const RUNS = 300;
const RECORDS = 6;

const text = fc.constantFrom('AB', 'Ü', '', 'A', 'A,B,AB', ' AB\t', '12', '-3.5e2', '1e', 'Ü,12', null);
const record = fc.record({
  event: fc.record({ a: number, b: number, s: text, t: text, e: vectorOf(EVENT_VECTOR) }),
  row: fc.option(fc.record({ x: number, y: number, v: vectorOf(NARROW), w: vectorOf(WIDE) }), { nil: undefined }),
});

function vectorOf(width: number): fc.Arbitrary<number[]> {
  return fc.array(number, { minLength: width, maxLength: width });
}

const view = viewOf('view', 0, ['x', 'y', `v[${NARROW}]`, `w[${WIDE}]`], 'dead-letter');
const scope = scopeOf(
  { a: field('number', true), b: field('number'), s: field('string', true), t: field('string'), e: field('vector') },
  [view],
);

interface Sample {
  readonly event: EventValues & { readonly e: readonly number[] };
  readonly row: { readonly x: number; readonly y: number; readonly v: number[]; readonly w: number[] } | undefined;
}

function environmentOf({ event, row }: Sample, lets: Readonly<Record<string, string>>): Environment {
  const absent = (width: number): number[] => new Array<number>(width).fill(Number.NaN);
  const environment = new Map<string, Plain>();
  for (const [name, value] of Object.entries(event)) environment.set(`event.${name}`, value as Plain);
  const there = row ?? { x: Number.NaN, y: Number.NaN, v: absent(NARROW), w: absent(WIDE) };
  for (const [name, value] of Object.entries(there)) environment.set(`view.${name}`, value);
  environment.set('view', row === undefined ? Number.NaN : 1);
  for (const [name, expression] of Object.entries(lets)) environment.set(name, interpret(expression, environment));
  return environment;
}

const program = fc.record({
  lets: fc.record({ p: scalar, q: narrow, z: wide }),
  used: fc.constantFrom(
    'p',
    'p + p',
    'sum(q)',
    'q',
    'q * p',
    'q[2]',
    'at(q, p + 0)',
    'z[7]',
    'sum(z) + z[99]',
    'argMax(z)',
  ),
  direct: fc.oneof(scalar, narrow, wide),
  records: fc.array(record, { minLength: RECORDS, maxLength: RECORDS }),
});

const transforms = new Map([['./transforms.ts', new Map(Object.entries(own))]]);

/** Made by labels, which are no inputs: test/unit/features/predictions.test.ts has them. */
const LABELS = ['band', 'label'];

test('compiled expressions give the same results as the interpreter', () => {
  const called = new Set<string>();
  fc.assert(
    fc.property(program, ({ lets, used, direct, records }) => {
      const lines = {
        direct: `${direct} ?? 0`,
        directMissing: `missing(${direct})`,
        used: `(${used}) ?? 0`,
        usedMissing: `missing(${used})`,
      };
      const compiled = compileInputs({
        let: linesOf(lets),
        inputs: [{ name: 'x', dtype: 'float64', lines: linesOf(lines) }],
        scope,
        transforms,
      });
      assert.ok(compiled.ok, JSON.stringify(compiled.findings));
      for (const [, name] of JSON.stringify([lets, lines]).matchAll(/(\w+)\(/g)) called.add(name);
      const frame = emptyFrame(records.length);
      frame.columns = eventColumns(
        compiled.program.wants,
        records.map(({ event }) => event),
      );
      frame.reads = [
        featureRows(
          view.rowWidth,
          1,
          records.map(({ row }) => row && Float64Array.from([row.x, row.y, ...row.v, ...row.w])),
        ),
      ];
      compiled.program.fill(frame);

      const expected = records.map((one) => {
        const environment = environmentOf(one, lets);
        return Object.values(lines).flatMap((line) => interpret(line, environment) as number | number[]);
      });
      const finite = expected.map((row) => row.every(Number.isFinite));
      const kept = [...finite.keys()].filter((i) => finite[i]);
      assert.deepEqual([...frame.recordOf.subarray(0, frame.rows)], kept);
      assert.deepEqual(
        [...frame.fate],
        finite.map((is) => (is ? OPEN : DEAD_LETTERED)),
      );
      assert.ok([...frame.reason].every((reason, i) => reason === (finite[i] ? 0 : reasonCode('feature-not-finite'))));
      const [width] = compiled.program.widths;
      for (const [r, i] of kept.entries()) {
        assert.equal(expected[i].length, width);
        for (const [k, wanted] of expected[i].entries()) {
          const got = Number(frame.inputs[0][r * width + k]);
          const close = Math.abs(got - wanted) <= 1e-12 * Math.abs(wanted);
          assert.ok(got === wanted || close, `${compiled.program.columnNames[0][k]}: ${got}, not ${wanted}`);
        }
      }
    }),
    { numRuns: RUNS, seed: 20010601 },
  );
  const never = [...FUNCTIONS.keys()].filter((name) => !called.has(name) && !LABELS.includes(name));
  assert.deepEqual(never, [], 'functions that no random expression calls: add them to expression-arbitraries.ts');
});

test('compiling any text ends in a program or in findings', () => {
  const pieces = fc.constantFrom(
    'event',
    '.',
    'a',
    '(',
    ')',
    '[',
    ']',
    ',',
    '??',
    '?',
    ':',
    '"',
    "'",
    '`',
    '\\',
    '-',
    '!',
    '1',
    '1e',
    'at',
    'this',
    '=',
    ';',
    '\u2028',
    '\n',
    ' ',
    '*/',
    '//',
    '${',
    '}',
    '=>',
    '\u0000',
  );
  const anything = fc.oneof(
    fc.string(),
    fc.array(pieces, { maxLength: 30 }).map((list) => list.join('')),
    scalar,
  );
  fc.assert(
    fc.property(anything, anything, (one, two) => {
      const compiled = compileInputs({
        let: linesOf({ p: one }),
        inputs: [{ name: 'x', dtype: 'float32', lines: linesOf({ two, [one]: 'p' }) }],
        scope,
      });
      assert.equal(compiled.ok, !compiled.findings.some(({ severity }) => severity === 'error'));
    }),
    { numRuns: RUNS, seed: 7 },
  );
});
