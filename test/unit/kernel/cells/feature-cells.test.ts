import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  encodeView,
  packedQualifier,
  parseQualifier,
  planFamilies,
} from '../../../../src/kernel/cells/feature-cells.ts';
import type { ViewSpec } from '../../../../src/kernel/cells/views.ts';

const VIEW: ViewSpec = {
  name: 'v',
  family: 'f',
  columns: [
    { name: 'a', kind: 'number', width: 1, offset: 0 },
    { name: 'n', kind: 'vector', width: 3, offset: 1 },
  ],
};

test('a qualifier names what a cell holds', () => {
  const ab = [
    { name: 'a', width: 1 },
    { name: 'b', width: 1 },
  ];
  assert.deepEqual(parseQualifier('f32:a,b'), { encoding: 'f32', columns: ab });
  assert.deepEqual(parseQualifier('f64:n[96]'), { encoding: 'f64', columns: [{ name: 'n', width: 96 }] });
  assert.equal(packedQualifier(VIEW.columns), 'f32:a,n[3]');
  for (const other of ['', 'a', 'f32:', 'f32:a,', 'f32:a[0]', 'f32:a[x]', 'f32:a]', 'f16:a', 'xf32:a']) {
    assert.equal(parseQualifier(other), undefined, other);
  }
});

test('a plan says where the columns that are asked for lie, and how long the cell must be', () => {
  const plan = planFamilies('packed', [VIEW], () => {})
    .get('f')!
    .cell(Buffer.from('f32:x[2],n[3],y,a'));
  assert.equal(plan?.maxBytes, 28);
  assert.equal(plan?.decode(Buffer.alloc(56)), null);
  assert.deepEqual(plan?.copies, [
    { view: 0, from: 2, to: 1, count: 3 },
    { view: 0, from: 6, to: 0, count: 1 },
  ]);
});

test('what cannot be read is said once a qualifier, what nobody asks for is not said', () => {
  const said: string[] = [];
  const family = planFamilies('packed', [VIEW], (_, qualifier, problem) => said.push(`${qualifier}: ${problem}`)).get(
    'f',
  )!;
  for (const qualifier of ['f32:n[4]', 'note', 'f32:z']) {
    for (let i = 0; i < 3; i++) assert.equal(family.cell(Buffer.from(qualifier)), null);
  }
  assert.deepEqual(said, ['f32:n[4]: n has 4 numbers, the topology says 3', 'note: not a packed cell, f32:… or f64:…']);
});

test('with a cell a column, either width is read, and a column without numbers is not written', () => {
  const plan = planFamilies('cells', [VIEW], () => {})
    .get('f')!
    .cell(Buffer.from('n'));
  assert.equal(plan?.maxBytes, 24);
  for (const numbers of [Float32Array.of(1, 2, 3), Float64Array.of(1, 2, 3)])
    assert.deepEqual([...Array.from(plan!.decode(Buffer.from(numbers.buffer))!).slice(0, 3)], [1, 2, 3]);
  const cells = encodeView('cells', VIEW, Float64Array.of(Number.NaN, 1, 2, 3), 0);
  assert.deepEqual(cells, [{ qualifier: 'n', value: Buffer.from(Float32Array.of(1, 2, 3).buffer) }]);
});
