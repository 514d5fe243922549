import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FAMILIES } from '../../../src/features/functions/table.ts';
import { interprets } from '../../fixtures/expression-interpreter.ts';

test('the interpreter has every function and operator', () => {
  const names = Object.values(FAMILIES).flatMap((specs) => specs.map(({ name }) => name));
  assert.deepEqual(
    names.filter((name) => !interprets(name)),
    [],
  );
});
