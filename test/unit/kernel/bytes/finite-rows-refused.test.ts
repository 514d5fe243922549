import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { floatRows, nonFiniteRows } from '../../../../src/kernel/bytes/finite-rows.ts';

const { WebAssembly } = globalThis as unknown as { WebAssembly: { Memory: new (pages: object) => object } };
const { Memory } = WebAssembly;

after(() => {
  WebAssembly.Memory = Memory;
});

test('where there are no addresses to give, rows are plain, and nobody asks again: each refusal takes V8 a tenth of a second', () => {
  let asked = 0;
  WebAssembly.Memory = class {
    constructor() {
      asked++;
      throw new RangeError('WebAssembly.Memory(): could not allocate memory');
    }
  };
  for (let n = 0; n < 3; n++) {
    const values = floatRows(165, 784);
    assert.equal(values.length, 165 * 784);
    assert.equal(nonFiniteRows(values, 784, 165), undefined);
  }
  assert.equal(asked, 1);
});
