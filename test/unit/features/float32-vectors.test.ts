import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compileInputs } from '../../../src/features/inputs.ts';
import type { CompiledInputs, RowMemory } from '../../../src/features/types.ts';
import { type Column, float32Column } from '../../../src/kernel/columns.ts';
import { DEAD_LETTERED, DROPPED, reasonCode } from '../../../src/kernel/fate.ts';
import { decide, type Frame } from '../../../src/kernel/frame.ts';
import { type EventValues, emptyFrame, eventColumns, field, linesOf, scopeOf } from '../../fixtures/expressions.ts';

const WIDTH = 70;
const EVENTS = Array.from({ length: 6 }, (_, i) => ({
  v: Array.from({ length: WIDTH }, (_, k) => Math.fround(i + k / 7)),
  a: i,
}));

function compile(lines: Readonly<Record<string, string>>, dtype: 'float32' | 'float64' = 'float32'): CompiledInputs {
  const scope = scopeOf({ v: field('vector'), a: field('number') });
  const compiled = compileInputs({ let: [], inputs: [{ name: 'x', dtype, lines: linesOf(lines) }], scope });
  assert.ok(compiled.ok, JSON.stringify(compiled.findings));
  return compiled.program;
}

function toFloat32(column: Column): Column {
  if (column.kind !== 'vector') return column;
  const narrow = float32Column(column.present.length, column.width);
  narrow.values.set(column.values);
  narrow.present.set(column.present);
  return narrow;
}

function filled(program: CompiledInputs, events: readonly EventValues[], float32: boolean, lent?: RowMemory): Frame {
  const frame = emptyFrame(events.length);
  const columns = eventColumns(program.wants, events);
  frame.columns = float32 ? columns.map(toFloat32) : columns;
  decide(frame, 0, DROPPED, reasonCode('tombstone'));
  program.fill(frame, lent);
  return frame;
}

function rowsOf(frame: Frame, width: number): unknown {
  return {
    rows: [...frame.inputs[0].subarray(0, frame.rows * width)],
    recordOf: [...frame.recordOf.subarray(0, frame.rows)],
    fate: [...frame.fate],
    reason: [...frame.reason],
  };
}

const spoilt = (i: number, value: number): EventValues[] =>
  EVENTS.map((event, k) => (k === i ? { ...event, v: event.v.map((x, at) => (at === WIDTH - 1 ? value : x)) } : event));

const PROGRAMS: readonly Readonly<Record<string, string>>[] = [
  { v: `event.v[${WIDTH}]` },
  { a: 'event.a', v: `event.v[${WIDTH}]`, b: `event.v[${WIDTH}][3] + event.a` },
  { v: `event.v[${WIDTH}]`, w: `event.v[${WIDTH}]` },
  { v: `event.v[${WIDTH}]`, s: `sum(event.v[${WIDTH}])` },
  { v: `event.v[${WIDTH}] * 2` },
];

test('rows from a float32 column equal those from a float64 one', () => {
  for (const lines of PROGRAMS) {
    for (const dtype of ['float32', 'float64'] as const) {
      const program = compile(lines, dtype);
      for (const events of [
        EVENTS,
        [],
        spoilt(2, Number.NaN),
        spoilt(5, Number.POSITIVE_INFINITY),
        [EVENTS[0], { a: 1 }],
      ]) {
        const [wide, narrow] = [false, true].map((float32) =>
          rowsOf(filled(program, events, float32), program.widths[0]),
        );
        assert.deepEqual(narrow, wide, `${JSON.stringify(lines)} as ${dtype}`);
      }
    }
  }
});

test('records with values that are not finite are dead-lettered and have no row', () => {
  const program = compile(PROGRAMS[0]);
  for (const value of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
    const frame = filled(program, spoilt(3, value), true);
    assert.equal(frame.fate[3], DEAD_LETTERED);
    assert.equal(frame.reason[3], reasonCode('feature-not-finite'));
    assert.deepEqual([...frame.recordOf.subarray(0, frame.rows)], [1, 2, 4, 5]);
    assert.deepEqual(
      [...frame.inputs[0].subarray(0, frame.rows * WIDTH)],
      [1, 2, 4, 5].flatMap((i) => EVENTS[i].v),
    );
  }
});

test('the same holds for so many rows that they are checked together', () => {
  const many: EventValues[] = Array.from({ length: 600 }, (_, i) => EVENTS[i % EVENTS.length]);
  many[1] = { a: 1, v: EVENTS[1].v.map((x, k) => (k === 0 ? Number.NaN : x)) };
  many[598] = { a: 1, v: EVENTS[1].v.map((x, k) => (k === WIDTH - 1 ? Number.NEGATIVE_INFINITY : x)) };
  many[300] = { a: 1 };
  for (const lines of PROGRAMS) {
    const program = compile(lines);
    const [wide, narrow] = [false, true].map((float32) => rowsOf(filled(program, many, float32), program.widths[0]));
    assert.deepEqual(narrow, wide, JSON.stringify(lines));
    assert.equal((narrow as { recordOf: number[] }).recordOf.length, 596);
  }
});

test('a vector that is a whole row is not copied, unless there are gaps; the column is unchanged', () => {
  const program = compile(PROGRAMS[0]);
  const asked: number[] = [];
  const lent: RowMemory = {
    slab(k) {
      asked.push(k);
      return new Float32Array(EVENTS.length * WIDTH);
    },
    recordOf: new Int32Array(EVENTS.length),
  };
  const frame = emptyFrame(EVENTS.length);
  frame.columns = eventColumns(program.wants, EVENTS).map(toFloat32);
  const [column] = frame.columns;
  assert.ok(column.kind === 'vector');
  const before = column.values.slice();
  program.fill(frame, lent);
  assert.equal(frame.inputs[0], column.values);
  assert.deepEqual(asked, []);
  decide(frame, 1, DROPPED, reasonCode('tombstone'));
  program.fill(frame, lent);
  assert.notEqual(frame.inputs[0], column.values);
  assert.deepEqual(asked, [0]);
  assert.deepEqual(column.values, before);
});
