import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compileInputs } from '../../../src/features/inputs.ts';
import type { InputProgram } from '../../../src/features/types.ts';
import { DEAD_LETTERED, DROPPED, OPEN, reasonCode } from '../../../src/kernel/fate.ts';
import { decide } from '../../../src/kernel/frame.ts';
import {
  emptyFrame,
  evaluate,
  eventColumns,
  featureRows,
  field,
  linesOf,
  scopeOf,
  valuesOf,
  viewOf,
} from '../../fixtures/expressions.ts';

const NOT_FINITE = reasonCode('feature-not-finite');

test('rows are those of open records, in order, without gaps', () => {
  const compiled = compileInputs({
    let: [],
    inputs: [{ name: 'x', dtype: 'float32', lines: linesOf({ a: 'event.a', b: '1 / event.a' }) }],
    scope: scopeOf({ a: field('number') }),
  });
  assert.ok(compiled.ok);
  const frame = emptyFrame(5);
  const events = [1, Number.NaN, 4, 0, 8].map((a) => ({ a }));
  frame.columns = eventColumns(compiled.program.wants, events);
  decide(frame, 2, DROPPED, reasonCode('tombstone'));
  compiled.program.fill(frame);
  assert.equal(frame.rows, 2);
  assert.deepEqual([...frame.recordOf.subarray(0, 2)], [0, 4]);
  assert.deepEqual([...frame.inputs[0].subarray(0, 4)], [1, 1, 8, 0.125]);
  assert.deepEqual([...frame.fate], [OPEN, DEAD_LETTERED, DROPPED, DEAD_LETTERED, OPEN]);
  assert.deepEqual([...frame.reason], [0, NOT_FINITE, reasonCode('tombstone'), NOT_FINITE, 0]);

  const before = frame.inputs[0];
  compiled.program.fill(frame);
  assert.notEqual(frame.inputs[0], before, 'a slab belongs to one frame');
});

test('an empty frame has no rows', () => {
  const { frame } = evaluate({ a: 'event.a' }, { scope: scopeOf({ a: field('number') }), events: [] });
  assert.equal(frame.rows, 0);
});

/** dtype, value, stored value; undefined: dead-letter. */
const CASTS: readonly (readonly [InputProgram['dtype'], number, number | bigint | undefined])[] = [
  ['float32', 0.1, Math.fround(0.1)],
  ['float32', 3.4e38, Math.fround(3.4e38)],
  ['float32', 3.5e38, undefined],
  ['float32', -3.5e38, undefined],
  ['float32', Number.NEGATIVE_INFINITY, undefined],
  ['float32', 1e-50, 0],
  ['float64', 1e308, 1e308],
  ['float64', -1.5, -1.5],
  ['float64', Number.POSITIVE_INFINITY, undefined],
  ['float64', Number.NaN, undefined],
  ['int32', -7.9, -7],
  ['int32', 2147483647.5, 2147483647],
  ['int32', 2147483648, undefined],
  ['int32', -2147483648, -2147483648],
  ['int32', -2147483649, undefined],
  ['int32', Number.NaN, undefined],
  ['uint8', 255.5, 255],
  ['uint8', 256, undefined],
  ['uint8', -0.5, 0],
  ['uint8', -1, undefined],
  ['bool', 0.5, 1],
  ['bool', -0, 0],
  ['bool', Number.NaN, undefined],
  ['bool', Number.POSITIVE_INFINITY, undefined],
  ['int64', -1, -1n],
  ['int64', -1.9, -1n],
  ['int64', 4294967296, 4294967296n],
  ['int64', -4294967297, -4294967297n],
  ['int64', 2 ** 53, 2n ** 53n],
  ['int64', -(2 ** 63), -(2n ** 63n)],
  ['int64', 2 ** 63, undefined],
  ['int64', Number.NaN, undefined],
];

test('values are cast once, at the end; those out of range are dead-lettered', () => {
  for (const [dtype, value, arrives] of CASTS) {
    const { frame } = evaluate(
      { a: 'event.a', one: '1' },
      { dtype, scope: scopeOf({ a: field('number') }), events: [{ a: value }, { a: 1 }] },
    );
    const what = `${value} as ${dtype}`;
    assert.equal(frame.fate[0], arrives === undefined ? DEAD_LETTERED : OPEN, what);
    assert.equal(frame.rows, arrives === undefined ? 1 : 2, what);
    assert.equal(Number(frame.inputs[0][arrives === undefined ? 0 : 2]), 1, what);
    if (arrives !== undefined) assert.equal(frame.inputs[0][0], arrives, what);
  }
});

test('several inputs share their values and fail together', () => {
  const compiled = compileInputs({
    let: linesOf({ half: 'event.a / 2' }),
    inputs: [
      { name: 'wide', dtype: 'float32', lines: linesOf({ both: '[half, -half]', a: 'event.a' }) },
      { name: 'id', dtype: 'int64', lines: linesOf({ id: 'event.id' }) },
    ],
    scope: scopeOf({ id: field('number'), a: field('number') }),
  });
  assert.ok(compiled.ok);
  const { program } = compiled;
  assert.deepEqual(program.widths, [3, 1]);
  assert.deepEqual(program.columnNames, [['both[0]', 'both[1]', 'a'], ['id']]);
  assert.deepEqual(program.wants, [
    { field: 'a', kind: 'number', width: 1 },
    { field: 'id', kind: 'number', width: 1 },
  ]);
  const frame = emptyFrame(3);
  frame.columns = eventColumns(program.wants, [
    { a: 2, id: 7 },
    { a: 4, id: null },
    { a: 6, id: 9 },
  ]);
  program.fill(frame);
  assert.deepEqual([...frame.recordOf.subarray(0, frame.rows)], [0, 2]);
  assert.deepEqual([...frame.inputs[0].subarray(0, 6)], [1, -1, 2, 3, -3, 6]);
  assert.deepEqual([...frame.inputs[1].subarray(0, 2)], [7n, 9n]);
});

test('a field is wanted once, and only if a column needs it', () => {
  const { frame, source } = evaluate(
    { a: 'event.a + event.a' },
    { let: { unused: 'event.b' }, scope: scopeOf({ a: field('number'), b: field('number') }), events: [{ a: 1 }] },
  );
  assert.equal(frame.columns.length, 1);
  assert.equal(source.match(/columns\[/g)?.length, 1);
});

test('text is compared byte by byte', () => {
  const scope = scopeOf({ s: field('string', true), t: field('string') });
  const given = (s: string | null, t: string) => ({ scope, events: [{ s, t }] });
  assert.deepEqual(valuesOf('event.s == "ATL"', given('ATL', '')), [1]);
  assert.deepEqual(valuesOf('"ATL" == event.s', given('ATL ', '')), [0]);
  assert.deepEqual(valuesOf('event.s == "ATL"', given('AT', 'L')), [0]);
  assert.deepEqual(valuesOf('event.s != "Zürich"', given('Zürich', '')), [0]);
  assert.deepEqual(valuesOf('event.s == ""', given('', 'x')), [1]);
  assert.deepEqual(valuesOf('event.s == ""', given(null, 'x')), [Number.NaN]);
  assert.deepEqual(valuesOf('event.s != "x"', given(null, 'x')), [Number.NaN]);
  assert.deepEqual(valuesOf('missing(event.s)', given(null, 'x')), [1]);
  assert.deepEqual(valuesOf('missing(event.s)', given('', 'x')), [0]);
  assert.deepEqual(valuesOf('event.s == event.t', given('DEN', 'DEN')), [1]);
  assert.deepEqual(valuesOf('event.s == event.t', given('DEN', 'DEL')), [0]);
});

test('vectors of the event have the stated width', () => {
  const scope = scopeOf({ image: field('vector', true), pair: field('vector', false, 2) });
  const image = Array.from({ length: 784 }, (_, k) => k / 4);
  const { frame } = evaluate(
    { image: 'event.image[784] * 2', last: 'event.image[784][783]', pair: 'event.pair', first: 'event.pair[0]' },
    {
      scope,
      dtype: 'float32',
      events: [
        { image, pair: [1, 2] },
        { image: null, pair: [1, 2] },
      ],
    },
  );
  assert.equal(frame.rows, 1, 'a vector that is missing is missing throughout');
  assert.deepEqual([...frame.inputs[0].subarray(0, 788)], [...image.map((x) => x * 2), 783 / 4, 1, 2, 1]);
});

test('an absent view is row 0, and missing', () => {
  const view = viewOf('view', 0, ['x', 'v[3]']);
  const reads = [featureRows(view.rowWidth, 1, [undefined, Float64Array.of(5, 1, Number.NaN, 3)])];
  const { rows } = evaluate(
    { x: 'view.x ?? -1', gone: 'missing(view)', v: 'view.v ?? 9', gap: 'missing(view.v)' },
    { scope: scopeOf({}, [view]), events: [{}, {}], reads },
  );
  assert.deepEqual(rows, [
    [-1, 1, 9, 9, 9, 1, 1, 1],
    [5, 0, 1, 9, 3, 0, 1, 0],
  ]);
});

test('views that share a read lie side by side in its rows', () => {
  const one = { ...viewOf('one', 0, ['x']), viewsInRead: 2, rowWidth: 3 };
  const other = viewOf('other', 0, ['y', 'z']);
  const columns = other.spec.columns.map((column) => ({ ...column, offset: column.offset + 1 }));
  const second = { ...other, view: 1, viewsInRead: 2, rowWidth: 3, spec: { ...other.spec, columns } };
  const read = featureRows(3, 2, [Float64Array.of(1, 2, 3), Float64Array.of(4, Number.NaN, Number.NaN)]);
  read.writtenAtMs[2 * 2 + 1] = Number.NaN;
  const { rows } = evaluate(
    { x: 'one.x ?? 0', y: 'other.y ?? 0', z: 'other.z ?? 0', one: 'missing(one)', other: 'missing(other)' },
    { scope: scopeOf({}, [one, second]), events: [{}, {}], reads: [read] },
  );
  assert.deepEqual(rows, [
    [1, 2, 3, 0, 0],
    [4, 0, 0, 0, 1],
  ]);
});

test('time before 1970 rounds down', () => {
  const scope = scopeOf({ ms: field('number') });
  const at = (iso: string) => ({ scope, events: [{ ms: Date.parse(iso) }] });
  assert.deepEqual(valuesOf('[dayOfWeek(event.ms), hour(event.ms)]', at('1969-12-31T23:59:59.999Z')), [2, 23]);
  assert.deepEqual(valuesOf('mod(floorDiv(event.ms, 60000), 1440)', at('1969-12-31T23:59:59.999Z')), [1439]);
  for (const iso of ['1600-02-29', '1900-03-01', '1970-01-01', '2000-02-29', '2100-12-31', '0001-01-01']) {
    const [year, month, day] = iso.split('-').map(Number);
    assert.deepEqual(valuesOf('[year(event.ms), month(event.ms), dayOfMonth(event.ms)]', at(iso)), [year, month, day]);
  }
});

test('no user text becomes code', () => {
  const breakout = '"; globalThis.broken = 1; //\\u2028 globalThis.broken = 2; `$1`';
  const { rows, source } = evaluate(
    { 'x\u2028globalThis.broken = 3; /*': `(event.s == '${breakout}\u2029') ?? 0` },
    { scope: scopeOf({ s: field('string', true) }), events: [{ s: 'x' }] },
  );
  assert.deepEqual(rows, [[0]]);
  assert.equal((globalThis as { broken?: number }).broken, undefined);
  for (const line of source.split(/[\n\u2028\u2029]/)) {
    if (line.includes('globalThis')) assert.match(line, /^\s*\/\//);
  }
});

test('code grows with the text, not with its expansion', () => {
  const lets: Record<string, string> = { l0: 'event.a' };
  for (let k = 1; k <= 60; k++) lets[`l${k}`] = `l${k - 1} + l${k - 1}`;
  const doubled = evaluate({ x: 'l60' }, { let: lets, scope: scopeOf({ a: field('number') }), events: [{ a: 1 }] });
  assert.deepEqual(doubled.rows, [[2 ** 60]]);

  let nested = 'event.a';
  for (let k = 0; k < 20; k++) nested = `sum(oneHot(${nested}, 64))`;
  const summed = evaluate({ x: nested }, { scope: scopeOf({ a: field('number') }), events: [{ a: 1 }] });
  assert.deepEqual(summed.rows, [[1]]);
  assert.ok(summed.source.length < 1e5);
});
