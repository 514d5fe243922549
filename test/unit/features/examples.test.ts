import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FAMILIES } from '../../../src/features/functions/table.ts';
import { compilePredictions } from '../../../src/features/predictions.ts';
import { emptyFrame, linesOf, valuesOf } from '../../fixtures/expressions.ts';

for (const [family, specs] of Object.entries(FAMILIES)) {
  for (const { name, example, signature, doc, formula, missing } of specs) {
    test(`${family}: the example of ${name} gives what it says`, () => {
      for (const text of [signature, doc, formula, missing]) assert.notEqual(text, '');
      if (typeof example.gives === 'string') {
        assert.equal(labelOf(example.expression), example.gives);
        return;
      }
      const expected = typeof example.gives === 'number' ? [example.gives] : [...example.gives];
      assert.deepEqual(
        valuesOf(example.expression).map((value) => value + 0),
        expected,
      );
    });
  }
}

test('a name stands for one function', () => {
  const names = Object.values(FAMILIES).flatMap((specs) => specs.map(({ name }) => name));
  assert.equal(new Set(names).size, names.length);
});

function labelOf(expression: string): string | undefined {
  const compiled = compilePredictions({ prediction: linesOf({ it: expression }), outputs: [] });
  assert.ok(compiled.ok);
  const frame = emptyFrame(1);
  frame.rows = 1;
  frame.rowOf = new Int32Array(1);
  compiled.program.predict(frame);
  const [column] = frame.predictions;
  return column.kind === 'label' ? column.labels[column.codes[0]]?.toString() : undefined;
}
