import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { parse } from 'yaml';
import { compileInputs } from '../../../src/features/inputs.ts';
import type { ViewRef } from '../../../src/features/types.ts';
import {
  type EventValues,
  emptyFrame,
  eventColumns,
  featureRows,
  field,
  linesOf,
  scopeOf,
  viewOf,
} from '../../fixtures/expressions.ts';

/** The real bundle over the real feature rows gives the model inputs that the Python pipeline computed. */
const EXAMPLE = new URL('../../../examples/flight-delay/', import.meta.url);
const BUNDLE = new URL('../../../models/flight-delay/1/bundle.yaml', import.meta.url);
const RELATIVE = 1e-6;
/** The expected values are written with seven decimals. */
const ABSOLUTE = 1e-7;

type FeatureRow = Readonly<Record<string, Readonly<Record<string, number | readonly number[]>>>>;
interface Expected {
  readonly id?: number;
  readonly why?: string;
  readonly event?: EventValues;
  readonly features: readonly number[];
}

const text = (name: string): string => {
  const bytes = readFileSync(new URL(name, EXAMPLE));
  return (name.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8');
};
const rowsOf = <T>(name: string): T[] =>
  text(name)
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as T);

function featureTable(name: string): ReadonlyMap<string, FeatureRow> {
  return new Map(rowsOf<FeatureRow & { key: string }>(name).map((row) => [row.key, row]));
}

const airports = featureTable('features/airport.jsonl.gz');
const routes = featureTable('features/route.jsonl.gz');

const origin = viewOf('origin', 0, ['late_share']);
const dest = viewOf('dest', 1, ['late_share']);
const route = viewOf('route', 2, ['late_share', 'mean_delay', 'per_day']);
const slots = viewOf('slots', 3, ['n[96]', 'l[96]']);
const FAMILY: Readonly<Record<string, string>> = { origin: 'dep', dest: 'arr', route: 'agg', slots: 'slots' };

/** The view's columns of a stored row; undefined if the row or family is absent. */
function gather(view: ViewRef, row: FeatureRow | undefined): Float64Array | undefined {
  const cells = row?.[FAMILY[view.spec.name]];
  if (cells === undefined) return undefined;
  const values = new Float64Array(view.rowWidth);
  for (const { name, offset, width } of view.spec.columns) {
    const cell = cells[name];
    values.set(width === 1 ? [cell as number] : (cell as number[]), offset);
  }
  return values;
}

const bundle = parse(readFileSync(BUNDLE, 'utf8')) as {
  readonly let: Record<string, string>;
  readonly inputs: { readonly features: Record<string, string> };
};
const compiled = compileInputs({
  let: linesOf(bundle.let),
  inputs: [{ name: 'features', dtype: 'float32', lines: linesOf(bundle.inputs.features) }],
  scope: scopeOf(
    {
      id: field('number'),
      departed_at: field('number'),
      origin: field('string', true),
      destination: field('string', true),
      distance: field('number', true),
    },
    [origin, dest, route, slots],
  ),
});
assert.ok(compiled.ok, JSON.stringify(compiled.findings));
const { program } = compiled;

function inputsFor(events: readonly EventValues[]): { readonly rows: number; readonly values: Float32Array } {
  const keyed = events.map(({ origin: from, destination: to }) => ({
    from: from === null ? undefined : airports.get(String(from)),
    to: to === null ? undefined : airports.get(String(to)),
    both: from === null || to === null ? undefined : routes.get(`${from}#${to}`),
  }));
  const frame = emptyFrame(events.length);
  frame.columns = eventColumns(program.wants, events);
  const read = (view: ViewRef, rows: readonly (FeatureRow | undefined)[]) =>
    featureRows(
      view.rowWidth,
      1,
      rows.map((row) => gather(view, row)),
    );
  frame.reads = [
    read(
      origin,
      keyed.map(({ from }) => from),
    ),
    read(
      dest,
      keyed.map(({ to }) => to),
    ),
    read(
      route,
      keyed.map(({ both }) => both),
    ),
    read(
      slots,
      keyed.map(({ both }) => both),
    ),
  ];
  program.fill(frame);
  return { rows: frame.rows, values: frame.inputs[0] as Float32Array };
}

function compare(events: readonly EventValues[], expected: readonly Expected[]): void {
  assert.ok(expected.length >= 30);
  const { rows, values } = inputsFor(events);
  assert.equal(rows, expected.length);
  for (const [r, { why, id, features }] of expected.entries()) {
    assert.equal(features.length, program.widths[0]);
    for (const [k, wanted] of features.entries()) {
      const got = values[r * features.length + k];
      const allowed = ABSOLUTE + RELATIVE * Math.abs(wanted);
      assert.ok(Math.abs(got - wanted) <= allowed, `${why ?? id}: ${program.columnNames[0][k]} ${got}, not ${wanted}`);
    }
  }
}

test('the real bundle compiles without a warning and makes 27 columns', () => {
  assert.deepEqual(compiled.findings, []);
  assert.deepEqual(program.widths, [27]);
  assert.equal(program.columnNames[0][0], 'tod[0]');
  assert.equal(program.columnNames[0][11], 'log_distance');
  assert.deepEqual(
    program.wants.map(({ field: name, kind }) => `${name}:${kind}`),
    ['departed_at:number', 'distance:number'],
  );
});

test('30 invented events at the edges get the inputs of the Python pipeline', () => {
  const edge = rowsOf<Expected>('edge-30.jsonl');
  compare(
    edge.map(({ event }) => event as EventValues),
    edge,
  );
});

test('500 real events get the inputs of the Python pipeline', () => {
  const expected = rowsOf<Expected>('expected-500.jsonl');
  const events = rowsOf<EventValues>('events-500.jsonl');
  assert.deepEqual(
    events.map(({ id }) => id),
    expected.map(({ id }) => id),
  );
  compare(events, expected);
});
