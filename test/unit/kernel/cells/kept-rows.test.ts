import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  askedAtOf,
  decodeKept,
  encodeChanged,
  encodeKept,
  type KeptShape,
  keptPrefix,
  kindOfKept,
} from '../../../../src/kernel/cells/kept-rows.ts';
import { AGG, BOTH, BOTH_WIDTH } from '../../../contract/feature-store-parts.ts';

const numbers = fc.oneof(fc.double(), fc.float(), fc.constant(Number.NaN), fc.constant(-0), fc.maxSafeInteger());

test('what was kept comes back to the bit, with its ages', () => {
  const row = fc.record({
    values: fc.array(numbers, { minLength: 3, maxLength: 3 }),
    writtenAtMs: fc.array(fc.oneof(fc.constant(Number.NaN), fc.double({ noNaN: true, min: 0 })), {
      minLength: 2,
      maxLength: 2,
    }),
    askedAtMs: fc.integer({ min: 0, max: 2 ** 45 }),
  });
  fc.assert(
    fc.property(row, ({ values, writtenAtMs, askedAtMs }) => {
      const absent = writtenAtMs.every(Number.isNaN);
      const rows = { values: Float64Array.of(9, 9, 9, ...values), writtenAtMs: Float64Array.of(8, 8, ...writtenAtMs) };
      const bytes = encodeKept(askedAtMs, rows, 1, 3, 2);
      assert.equal(askedAtOf(bytes), askedAtMs);
      assert.equal(kindOfKept(bytes, 3, 2), absent ? 'absent' : 'row');
      if (absent) return;
      const into = { values: new Float64Array(9), writtenAtMs: new Float64Array(6) };
      decodeKept(bytes, into, 2, 3, 2);
      assert.deepEqual([...into.values], [0, 0, 0, 0, 0, 0, ...values]);
      assert.deepEqual([...into.writtenAtMs], [0, 0, 0, 0, ...writtenAtMs]);
    }),
  );
});

test('a row of floats takes 4 bytes a number', () => {
  const rows = { values: Float64Array.of(Math.fround(0.1), Number.NaN), writtenAtMs: Float64Array.of(1) };
  assert.equal(encodeKept(1, rows, 0, 2, 1).length, 9 + 8 + 8);
  rows.values[1] = 0.1;
  assert.equal(encodeKept(1, rows, 0, 2, 1).length, 9 + 8 + 16);
});

test('what is no row of this shape is told from one', () => {
  const rows = { values: new Float64Array(3), writtenAtMs: new Float64Array(2) };
  const whole = encodeKept(5, rows, 0, 3, 2);
  for (let length = 0; length < whole.length; length++) {
    assert.equal(kindOfKept(whole.subarray(0, length), 3, 2), 'unreadable', `${length} bytes of it`);
  }
  assert.equal(kindOfKept(Buffer.concat([whole, Buffer.of(0)]), 3, 2), 'unreadable');
  assert.equal(kindOfKept(whole, 4, 2), 'unreadable', 'a wider row');
  assert.equal(kindOfKept(Buffer.from('hello world, this is no row'), 3, 2), 'unreadable');
  const odd = Buffer.from(whole);
  odd.writeDoubleLE(Number.NaN, 1);
  assert.equal(kindOfKept(odd, 3, 2), 'unreadable', 'asked for at no time');
  assert.equal(kindOfKept(encodeChanged(5), 3, 2), 'changed');
});

test('keys differ with all that a row depends on, and not with what it does not', () => {
  const shape: KeptShape = { table: 't', layout: 'packed', views: BOTH, rowWidth: BOTH_WIDTH };
  const [agg, slots] = BOTH;
  const others: [string, KeptShape][] = [
    ['s2', shape],
    ['s', { ...shape, table: 'u' }],
    ['s', { ...shape, layout: 'cells' }],
    ['s', { ...shape, rowWidth: BOTH_WIDTH + 1 }],
    ['s', { ...shape, views: [slots, agg] }],
    ['s', { ...shape, views: [AGG] }],
    ['s', { ...shape, views: [{ ...agg, numbers: 'float-be' }, slots] }],
    ['s', { ...shape, views: [{ ...agg, family: 'other' }, slots] }],
    ['s', { ...shape, views: [{ ...agg, columns: [agg.columns[1], agg.columns[0]] }, slots] }],
    ['s', { ...shape, feast: { joinKeys: [{ name: 'a', type: 'int64' }], separator: '', keyVersion: 3 } }],
    ['s', { ...shape, feast: { joinKeys: [{ name: 'a', type: 'int64' }], separator: '', keyVersion: 2 } }],
  ];
  const prefixes = others.map(([store, of]) => keptPrefix(store, of).toString());
  const own = keptPrefix('s', shape).toString();
  assert.equal(new Set([own, ...prefixes]).size, others.length + 1);
  const renamed = { ...shape, views: [{ ...agg, name: 'as expressions say it', maxAgeMs: 5 }, slots] };
  assert.equal(keptPrefix('s', renamed).toString(), own);
  assert.match(own, /^sluice:kept:[0-9a-f]{16}:t:$/);
});
