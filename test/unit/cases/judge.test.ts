import assert from 'node:assert/strict';
import test from 'node:test';
import { differences } from '../../../src/cases/judge.ts';
import type { Plain } from '../../../src/cases/schema.ts';
import type { Outcome } from '../../../src/cases/types.ts';

const off = (value: Plain, got: unknown, tolerance = 0) =>
  differences(
    { fate: 'published', fields: [{ name: 'p', value, tolerance }] },
    { fate: 'published', fields: { p: got } },
  );

test('a number is right within its tolerance, bounds included; otherwise the difference is reported', () => {
  assert.deepEqual(off(0.5, 0.75, 0.25), []);
  assert.deepEqual(off(0.5, 0.75, 0.125), [{ field: 'p', expected: '0.5 ± 0.125', got: '0.75', off: 0.25 }]);
  assert.deepEqual(off(Number.NaN, Number.NaN), []);
  assert.equal(off(0.5, Number.NaN, 10)[0].got, 'NaN');
  assert.equal(off(Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY).length, 0);
});

test('a list is right if every entry is; the largest difference is reported', () => {
  assert.deepEqual(off([1, 2], [1, 2.25], 0.25), []);
  assert.equal(off([1, 2, 3], [1.5, 2, 1], 0.25)[0].off, 2);
  assert.equal(off([1, 2], [1], 10)[0].off, undefined);
});

test('texts, nulls and kinds must be equal', () => {
  assert.deepEqual(off('low', 'low'), []);
  assert.deepEqual(off('low', 'high'), [{ field: 'p', expected: '"low"', got: '"high"', off: undefined }]);
  assert.deepEqual(off(null, null), []);
  assert.equal(off('1', 1, 5).length, 1);
  assert.equal(off(1, undefined)[0].got, 'nothing');
});

test('another fate or reason is a single difference, whatever the fields', () => {
  const dead: Outcome = { fate: 'dead-lettered', reason: 'decode-failed', stage: 'decode' };
  assert.deepEqual(differences({ fate: 'dead-lettered', reason: 'decode-failed' }, dead), []);
  assert.deepEqual(differences({ fate: 'dead-lettered', reason: 'model-failed' }, dead), [
    { field: '', expected: 'dead letter model-failed', got: 'dead letter decode-failed (in decode)', off: undefined },
  ]);
  assert.equal(differences({ fate: 'published', fields: [] }, dead).length, 1);
  assert.equal(differences({ fate: 'dropped' }, { fate: 'dropped', reason: 'tombstone' }).length, 0);
  assert.equal(differences(undefined, dead).length, 1);
});
