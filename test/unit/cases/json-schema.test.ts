import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { Ajv } from 'ajv';
import { parse } from 'yaml';
import { casesJsonSchema } from '../../../src/cases/json-schema.ts';

const folder = new URL('../../../topologies/', import.meta.url);
const validate = new Ajv({ allowUnionTypes: true }).compile(JSON.parse(casesJsonSchema()));

test('the committed JSON Schema is up to date (npm run schema)', () => {
  assert.equal(readFileSync(new URL('cases.schema.json', folder), 'utf8'), casesJsonSchema());
});

for (const name of ['hello', 'flight-delay']) {
  test(`the cases of ${name} fit the JSON Schema`, () => {
    // NaN is a number for an editor, but not for this validator.
    const text = readFileSync(new URL(`${name}.cases.yaml`, folder), 'utf8').replaceAll(/\.(nan|inf)\b/g, '1');
    const cases = parse(text);
    assert.ok(validate(cases), JSON.stringify(validate.errors));
  });
}

test('it refuses what the command refuses', () => {
  for (const one of [
    {},
    { name: 'a', expects: {} },
    { name: 'a', expect: { deadLetter: 'x' } },
    { name: 'a', tolerance: -1 },
  ])
    assert.equal(validate({ cases: [one] }), false, JSON.stringify(one));
});
