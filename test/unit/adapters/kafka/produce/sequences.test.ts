import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Sequences } from '../../../../../src/adapters/kafka/produce/sequences.ts';

test('each partition counts its records from 0, and begins again behind the last int32', () => {
  const sequences = new Sequences();
  assert.equal(sequences.next(3), 0);
  sequences.passed(3, 0, 2 ** 31 - 2);
  assert.deepEqual([sequences.next(3), sequences.next(4)], [2 ** 31 - 2, 0]);
  sequences.passed(3, 2 ** 31 - 2, 5);
  assert.equal(sequences.next(3), 3);
  assert.throws(() => sequences.passed(3, 2, 1), /not at sequence 2/);
});
