import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { classify, DISPOSITIONS, type ErrorCode, EXIT, exitCodeOf, SluiceError } from '../../../src/kernel/errors.ts';

test('every code has its disposition, and only a person’s mistakes exit as usage', () => {
  for (const code of Object.keys(DISPOSITIONS) as ErrorCode[]) {
    const error = new SluiceError(code, 'what happened');
    assert.ok(error instanceof Error);
    assert.deepEqual([error.name, error.code, error.message], ['SluiceError', code, 'what happened']);
    assert.ok(['retry', 'dead-letter', 'usage', 'fatal'].includes(error.disposition));
    assert.equal(exitCodeOf(error), error.disposition === 'usage' ? 2 : 1);
  }
  assert.deepEqual(EXIT, { done: 0, failed: 1, usage: 2, drainBudget: 3 });
});

test('whatever is thrown becomes an error with a disposition; what nobody translated is fatal and keeps its cause', () => {
  fc.assert(
    fc.property(fc.anything({ withNullPrototype: true, withSparseArray: true, withTypedArray: true }), (thrown) => {
      const error = classify(thrown);
      assert.deepEqual([error.code, error.disposition], ['unexpected', 'fatal']);
      if (thrown !== undefined) assert.equal(error.cause, thrown);
    }),
    { seed: 21, numRuns: 500 },
  );
  const known = new SluiceError('broker-unavailable', 'down', new Error('ECONNREFUSED'));
  assert.equal(classify(known), known);
  assert.match(classify(new TypeError('x is not a function')).message, /unexpected failure: x is not a function/);
  assert.equal('cause' in new SluiceError('unexpected', 'no cause'), false);
});

test('things that cannot even be turned into text are classified all the same', () => {
  const hostile = {
    toString() {
      throw new Error('no');
    },
  };
  for (const thrown of [Object.create(null), hostile, Symbol('s'), { toString: () => 1 as unknown as string }]) {
    assert.equal(classify(thrown).code, 'unexpected');
  }
});
