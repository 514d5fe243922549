import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { compileInputs } from '../../src/features/inputs.ts';
import { DEAD_LETTERED, OPEN, reasonCode } from '../../src/kernel/fate.ts';
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

/** Compiled code and the plain interpreter agree on every expression and record, missing values and dead letters included. */
const NARROW = 5;
const WIDE = 100;
const EVENT_VECTOR = 3;
const RUNS = 300;
const RECORDS = 6;

const number = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(0, 1, -1, 2, 3, 4, 5, -3, 0.5, 96, 99, 100, -1440, 60000) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(Number.NaN, -0, 1e300, 2 ** 53, -(2 ** 53) - 2, -1e-20, 1e16, 1439.9999999999998),
  },
  { weight: 1, arbitrary: fc.integer({ min: -(2 ** 43), max: 2 ** 43 }) },
  { weight: 1, arbitrary: fc.double({ min: -1e4, max: 1e4, noNaN: true }) },
);
const constant = fc
  .oneof(fc.integer({ min: -200, max: 200 }), fc.constantFrom(0.5, 1.25, 1e-7, 1440, 86400000))
  .map(String);

const { scalar, narrow, wide } = fc.letrec<{ scalar: string; narrow: string; wide: string }>((tie) => {
  const elementwise = (tied: fc.Arbitrary<string>) => {
    const mixed = fc.oneof(tied, tie('scalar'), constant);
    const infix = fc.constantFrom('+', '-', '*', '/', '%', '<', '<=', '>', '>=', '==', '!=', '&&', '||', '??');
    const one = ['abs', 'floor', 'ceil', 'round', 'sqrt', 'exp', 'log', 'log1p', 'sign', 'sigmoid', 'missing'];
    const two = ['pow', 'min', 'max', 'mod', 'floorDiv', 'atLeast', 'atMost', 'impute', 'threshold'];
    return [
      fc.tuple(tied, infix, mixed).map(([x, op, y]) => `(${x} ${op} ${y})`),
      fc.tuple(mixed, infix, tied).map(([x, op, y]) => `(${x} ${op} ${y})`),
      fc.tuple(fc.constantFrom('-', '!', '+'), tied).map(([op, x]) => `(${op}(${x}))`),
      fc.tuple(fc.constantFrom(...one), tied).map(([name, x]) => `${name}(${x})`),
      fc.tuple(fc.constantFrom(...two), tied, mixed).map(([name, x, y]) => `${name}(${x}, ${y})`),
      fc
        .tuple(fc.constantFrom('clip', 'between'), tied, mixed, mixed)
        .map(([name, x, y, z]) => `${name}(${x}, ${y}, ${z})`),
      fc.tuple(mixed, tied, tied).map(([c, x, y]) => `(${c} ? ${x} : ${y})`),
      tied.map((x) => `standardize(${x}, 3, 2)`),
      tied.map((x) => `minMax(${x}, -1, 7)`),
    ];
  };
  const anyVector = fc.oneof(tie('narrow'), tie('wide'), fc.constant('event.e[3]'));
  const date = fc.constantFrom('dayOfWeek', 'hour', 'minuteOfDay', 'dayOfMonth', 'month', 'year');
  return {
    scalar: fc.oneof(
      { maxDepth: 4, withCrossShrink: true },
      fc.constantFrom('event.a', 'event.b', 'view.x', 'view.y'),
      constant,
      fc.constantFrom(
        'missing(event.s)',
        '(event.s == "AB")',
        '(event.s != "Ü")',
        '(event.s == event.t)',
        'missing(view)',
      ),
      date.map((name) => `${name}(floor(clip(event.a, -4e12, 4e12)))`),
      fc.tuple(anyVector, tie('scalar')).map(([v, i]) => `at(${v}, ${i} + 0)`),
      fc.tuple(fc.constantFrom('sum', 'mean', 'argMax'), anyVector).map(([name, v]) => `${name}(${v})`),
      ...elementwise(tie('scalar')),
    ),
    narrow: fc.oneof(
      { maxDepth: 3, withCrossShrink: true },
      fc.constantFrom('view.v', '[1, -2, 0.5, 4, 8]'),
      fc
        .tuple(tie('wide'), tie('scalar'), fc.integer({ min: -WIDE, max: WIDE }))
        .map(([v, c, from]) => `window(${v}, ${c}, ${from}, ${from + NARROW - 1})`),
      fc.tuple(tie('scalar'), tie('scalar')).map(([x, y]) => `[${x}, 1, ${y}, 2, ${x}]`),
      tie('scalar').map((x) => `oneHot(${x}, ${NARROW})`),
      tie('narrow').map((v) => `softmax(${v})`),
      ...elementwise(tie('narrow')),
    ),
    wide: fc.oneof(
      { maxDepth: 2, withCrossShrink: true },
      fc.constant('view.w'),
      fc.constant('view.w'),
      tie('scalar').map((x) => `oneHot(${x}, ${WIDE})`),
      tie('scalar').map((x) => `cyclic(${x}, 24, ${WIDE / 2})`),
      tie('wide').map((v) => `softmax(${v})`),
      ...elementwise(tie('wide')),
    ),
  };
});

const text = fc.constantFrom('AB', 'Ü', '', 'A', null);
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

test('compiled expressions give what the interpreter gives', () => {
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
      });
      assert.ok(compiled.ok, JSON.stringify(compiled.findings));
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
      assert.deepEqual([...frame.rowOf.subarray(0, frame.rows)], kept);
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
});

test('whatever the text, compiling ends in a program or in findings', () => {
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
