import assert from 'node:assert/strict';
import test from 'node:test';
import type { Case } from '../../../../src/cases/types.ts';
import { createCaseStore } from '../../../../src/commands/test/case-store.ts';
import type { Layout, ViewSpec } from '../../../../src/kernel/cells/views.ts';

const NOW_MS = 1_000_000;

async function read(
  one: Pick<Case, 'features'> & Partial<Pick<Case, 'ages'>>,
  views: readonly ViewSpec[],
  layout: Layout = 'packed',
  key = 'k',
) {
  const rowWidth = views.flatMap(({ columns }) => columns).reduce((sum, { width }) => sum + width, 0);
  const into = {
    values: new Float64Array(rowWidth).fill(Number.NaN),
    writtenAtMs: new Float64Array(views.length).fill(Number.NaN),
  };
  const store = createCaseStore(() => ({ one: { ages: {}, ...one } as Case, nowMs: NOW_MS }));
  await store.read({ table: 't', layout, keys: [Buffer.from(key)], views, rowWidth, into, timeoutMs: 1 });
  return { values: [...into.values], writtenAtMs: [...into.writtenAtMs] };
}

const number = (name: string, offset = 0) => ({ name, kind: 'number', width: 1, offset }) as const;
const view = (name: string, ...columns: ViewSpec['columns']): ViewSpec => ({ name, family: 'f', columns });
const rows = (columns: Record<string, number | readonly number[]>, key = 'k') => ({
  features: { t: { [key]: { f: columns } } },
});
const NONE = [Number.NaN];

test('floats are rounded to float32 as cells hold them, integers and text are not', async () => {
  const a = view('v', number('a'));
  assert.deepEqual((await read(rows({ a: 0.1 }), [a])).values, [Math.fround(0.1)]);
  for (const numbers of ['int64-be', 'text'] as const)
    assert.deepEqual((await read(rows({ a: 16_777_217 }), [{ ...a, numbers }], 'cells')).values, [16_777_217]);
});

test('lists go where their columns are', async () => {
  const list = { name: 'l', kind: 'vector', width: 2, offset: 1 } as const;
  const { values } = await read(rows({ a: 1, l: [2, 3] }), [view('v', number('a'), list)]);
  assert.deepEqual(values, [1, 2, 3]);
});

test('a packed view is there when any number of its family is, a cell a column when its own are', async () => {
  const views = [view('v', number('a')), view('w', number('b', 1))];
  assert.deepEqual((await read(rows({ a: 1 }), views)).writtenAtMs, [NOW_MS, NOW_MS]);
  assert.deepEqual((await read(rows({ a: 1 }), views, 'cells')).writtenAtMs, [NOW_MS, Number.NaN]);
  assert.deepEqual((await read(rows({ a: Number.NaN }), views)).writtenAtMs, [Number.NaN, Number.NaN]);
});

test('what is not named has no row, names of prototypes included', async () => {
  const a = [view('v', number('a'))];
  assert.deepEqual((await read(rows({ a: 1 }), a, 'packed', 'other')).values, NONE);
  assert.deepEqual((await read({ features: {} }, a, 'packed', 'constructor')).values, NONE);
  assert.deepEqual((await read({ features: { t: { k: null } } }, a)).writtenAtMs, NONE);
});

test('a family is as old as the case says, and never so old that the store would not say', async () => {
  const a = [view('v', number('a'))];
  assert.deepEqual((await read({ ...rows({ a: 1 }), ages: { t: { f: { agoMs: 400 } } } }, a)).writtenAtMs, [
    NOW_MS - 400,
  ]);
  assert.deepEqual((await read({ ...rows({ a: 1 }), ages: { t: { f: { atMs: 7 } } } }, a)).writtenAtMs, [7]);
  assert.deepEqual((await read({ ...rows({ a: 1 }), ages: { t: { f: { agoMs: 2 * NOW_MS } } } }, a)).writtenAtMs, [1]);
});
