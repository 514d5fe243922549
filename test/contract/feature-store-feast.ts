/** Feast's online store as a layout: part of the suite of feature stores. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FeastEntity, ViewSpec } from '../../src/kernel/cells/views.ts';
import {
  BOTH,
  BOTH_WIDTH,
  blank,
  type FeatureStoreWorld,
  isSluice,
  pattern,
  sortedKeys,
} from './feature-store-parts.ts';

const ROUTE: FeastEntity = {
  joinKeys: [
    { name: 'origin', type: 'string' },
    { name: 'number', type: 'int64' },
  ],
  separator: '#',
  keyVersion: 3,
};

export function feastTests(world: () => FeatureStoreWorld): void {
  const common = { table: 'project.number-origin', layout: 'feast', views: BOTH, rowWidth: BOTH_WIDTH } as const;

  test('Feast: rows of several feature views come together, dated by their event_ts', async () => {
    const { store, writer } = world();
    const keys = sortedKeys(['ATL#1', 'JFK#-20', 'ORD#3', 'ZRH#4']);
    const values = new Float64Array(4 * BOTH_WIDTH).fill(Number.NaN);
    for (const row of [0, 1, 3]) values.set(pattern(row, BOTH_WIDTH), row * BOTH_WIDTH);
    await writer.ensureTable(common.table, ['features']);
    const present = Uint8Array.of(1, 1, 1, 0, 0, 0, 0, 1);
    await writer.write({ ...common, feast: ROUTE, keys, values, present, timestampMs: 1_700_000_000_123 });
    await store.open([common.table]);
    const into = blank(4, BOTH_WIDTH, 2);
    await store.read({ ...common, feast: ROUTE, keys, into, timeoutMs: 20_000 });
    values.fill(Number.NaN, BOTH_WIDTH + 2, 3 * BOTH_WIDTH);
    values.fill(Number.NaN, 3 * BOTH_WIDTH, 3 * BOTH_WIDTH + 2);
    assert.deepEqual(into.values, values);
    const at = 1_700_000_000_123;
    assert.deepEqual([...into.writtenAtMs], [at, at, at, NaN, NaN, NaN, NaN, at]);
  });

  test('Feast: a key that belongs to no entity has no row, and cannot be written', async () => {
    const keys = sortedKeys(['ATL#1#2', 'ATL', 'ATL#x', 'ATL#01', 'ATL#99999999999999999999']);
    const into = blank(5, BOTH_WIDTH, 2);
    await world().store.read({ ...common, feast: ROUTE, keys, into, timeoutMs: 20_000 });
    assert.ok(into.values.every(Number.isNaN));
    const write = { ...common, feast: ROUTE, keys, values: into.values, present: new Uint8Array(10).fill(1) };
    await assert.rejects(world().writer.write({ ...write, timestampMs: 1 }), isSluice('file-invalid'));
  });

  test('Feast: of thousands of entities every third exists, and another key version is another row', async () => {
    const one: FeastEntity = { joinKeys: [{ name: 'id', type: 'int32' }], separator: '', keyVersion: 2 };
    const views: ViewSpec[] = [BOTH[0]];
    const [table, rowWidth] = ['project.id', 2];
    const all = sortedKeys(Array.from({ length: 3_000 }, (_, i) => String(i)));
    const there = all.filter((key) => Number(key) % 3 === 0);
    const values = Float64Array.from(there.flatMap((key) => [Number(key), -1]));
    const { store, writer } = world();
    const shape = { table, layout: 'feast', views, rowWidth, feast: one } as const;
    await writer.ensureTable(table, ['features']);
    const present = new Uint8Array(there.length).fill(1);
    await writer.write({ ...shape, keys: there, values, present, timestampMs: 5 });
    await store.open([table]);
    const into = blank(all.length, rowWidth, 1);
    await store.read({ ...shape, keys: all, into, timeoutMs: 20_000 });
    const expected = all.flatMap((key) => (Number(key) % 3 === 0 ? [Number(key), -1] : [Number.NaN, Number.NaN]));
    assert.deepEqual(into.values, Float64Array.from(expected));
    const other = blank(all.length, rowWidth, 1);
    await store.read({
      ...shape,
      views: [...views],
      feast: { ...one, keyVersion: 3 },
      keys: all,
      into: other,
      timeoutMs: 20_000,
    });
    assert.ok(other.values.every(Number.isNaN));
  });
}
