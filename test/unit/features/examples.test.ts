import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Example } from '../../../src/features/functions/spec.ts';
import { FAMILIES } from '../../../src/features/functions/table.ts';
import { compilePredictions } from '../../../src/features/predictions.ts';
import { interpret, type Plain } from '../../fixtures/expression-interpreter.ts';
import { emptyFrame, field, type Given, linesOf, scopeOf, valuesOf } from '../../fixtures/expressions.ts';
import * as own from '../../fixtures/transforms.ts';

for (const [family, specs] of Object.entries(FAMILIES)) {
  for (const { name, example, more = [], signature, doc, formula, missing } of specs) {
    test(`${family}: the examples of ${name} give what they say`, () => {
      for (const text of [signature, doc, formula, missing]) assert.notEqual(text, '');
      for (const one of [example, ...more]) {
        const { expression, gives } = one;
        if (typeof gives === 'string') {
          assert.equal(labelOf(expression), gives, expression);
          continue;
        }
        const expected = typeof gives === 'number' ? [gives] : [...gives];
        const values = valuesOf(expression, givenOf(one)).map((value) => value + 0);
        assert.deepEqual(values, expected, expression);
        assert.deepEqual(plainly(one), expected, `${expression}, as the interpreter has it`);
      }
    });
  }
}

test('a name stands for one function', () => {
  const names = Object.values(FAMILIES).flatMap((specs) => specs.map(({ name }) => name));
  assert.equal(new Set(names).size, names.length);
});

/** The fields of the example as an event. */
function givenOf({ given = {} }: Example): Given {
  const kindOf = (value: Plain) => (typeof value === 'number' ? 'number' : Array.isArray(value) ? 'vector' : 'string');
  const fields = Object.entries(given).map(([name, value]) => [name, field(kindOf(value), true)] as const);
  const transforms = new Map([['./transforms.ts', new Map(Object.entries(own))]]);
  return { scope: scopeOf(Object.fromEntries(fields)), events: [given], transforms };
}

function plainly({ expression, given = {} }: Example): number[] {
  const environment = new Map(Object.entries(given).map(([name, value]) => [`event.${name}`, value as Plain]));
  const value = interpret(expression, environment);
  return (Array.isArray(value) ? [...value] : [value as number]).map((one) => one + 0);
}

function labelOf(expression: string): string | undefined {
  const compiled = compilePredictions({ prediction: linesOf({ it: expression }), outputs: [] });
  assert.ok(compiled.ok);
  const frame = emptyFrame(1);
  frame.rows = 1;
  frame.recordOf = new Int32Array(1);
  compiled.program.predict(frame);
  const [column] = frame.predictions;
  return column.kind === 'label' ? column.labels[column.codes[0]]?.toString() : undefined;
}
