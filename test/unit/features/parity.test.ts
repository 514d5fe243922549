import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { field, scopeOf, valuesOf } from '../../fixtures/expressions.ts';

/** Results of scikit-learn, pandas, numpy and scipy, recorded by test/fixtures/parity/make.py. */
interface Case {
  readonly counterpart: string;
  readonly expression: string;
  readonly events: Readonly<Record<string, readonly (number | string | null)[]>>;
  /** One row per record; null is missing. */
  readonly gives: readonly (readonly (number | null)[])[];
  /** Relative; absolute below 1. */
  readonly tolerance: number;
}

const file = new URL('../../fixtures/parity/reference.jsonl', import.meta.url);
const [, ...cases] = readFileSync(file, 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as Case);

for (const { counterpart, expression, events, gives, tolerance } of cases) {
  test(`as ${counterpart}: ${expression.slice(0, 60)}`, () => {
    const fields = Object.entries(events);
    const isText = (values: readonly unknown[]): boolean => values.some((value) => typeof value === 'string');
    const kinds = fields.map(([name, values]) => [name, field(isText(values) ? 'string' : 'number', true)]);
    const scope = scopeOf(Object.fromEntries(kinds));
    for (const [i, wanted] of gives.entries()) {
      const event = Object.fromEntries(fields.map(([name, values]) => [name, values[i]]));
      const given = valuesOf(expression, { scope, events: [event] });
      assert.equal(given.length, wanted.length);
      for (const [k, value] of wanted.entries()) {
        const told = `${JSON.stringify(event)} gives ${given[k]}, not ${value}`;
        if (value === null) assert.ok(Number.isNaN(given[k]), told);
        else assert.ok(Math.abs(given[k] - value) <= tolerance * Math.max(1, Math.abs(value)), told);
      }
    }
  });
}

test('there are counterparts of every library', () => {
  const libraries = new Set(cases.map(({ counterpart }) => counterpart.split(' ')[0]));
  assert.deepEqual([...libraries].sort(), ['numpy', 'pandas', 'scipy', 'sklearn']);
  assert.ok(cases.length > 90);
});
