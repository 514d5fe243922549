/** One cell a column, in each encoding: part of the suite of feature stores. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NUMBER_ENCODINGS } from '../../src/kernel/cells/views.ts';
import { blank, CELL_VIEWS, type FeatureStoreWorld, sortedKeys, type Traits } from './feature-store-parts.ts';

export function cellTests(world: () => FeatureStoreWorld, traits: Traits): void {
  for (const numbers of NUMBER_ENCODINGS) {
    const views = CELL_VIEWS(numbers);
    const rowWidth = views.reduce(
      (sum, { columns }) => sum + columns.reduce((width, each) => width + each.width, 0),
      0,
    );
    test(`one cell a column, ${numbers}: what was written is read, what is not there is missing`, {
      skip: !traits.cells,
    }, async () => {
      const common = {
        table: 'cells',
        layout: 'cells',
        views,
        rowWidth,
        keys: sortedKeys(['k', 'none', 'part']),
      } as const;
      const values = new Float64Array(3 * rowWidth).fill(Number.NaN);
      for (let i = 0; i < rowWidth; i++) values[i] = i * 3 - 7;
      values[2 * rowWidth] = -1;
      await world().writer.ensureTable('cells', ['agg', 'slots']);
      await world().writer.write({ ...common, values, present: new Uint8Array(6).fill(1), timestampMs: 7_000 });
      await world().store.open(['cells']);
      const into = blank(3, rowWidth, views.length);
      await world().store.read({ ...common, into, timeoutMs: 20_000 });
      assert.deepEqual(into.values, values);
      const there = [...into.writtenAtMs].map((at) => !Number.isNaN(at));
      assert.deepEqual(there, views.length === 1 ? [true, false, true] : [true, true, false, false, true, false]);
    });
  }

  test('a cell in another encoding than declared is missing, never a wrong number', {
    skip: !traits.cells,
  }, async () => {
    const [as, is] = [CELL_VIEWS('text').slice(0, 1), CELL_VIEWS('int64-be').slice(0, 1)];
    const common = { table: 'cells', layout: 'cells', rowWidth: 2, keys: sortedKeys(['clash']) } as const;
    const values = Float64Array.of(42, 43);
    await world().writer.write({ ...common, views: is, values, present: Uint8Array.of(1), timestampMs: 7_000 });
    for (const views of [as, CELL_VIEWS('float-le').slice(0, 1), CELL_VIEWS('float-be').slice(0, 1)]) {
      const into = blank(1, 2, 1);
      await world().store.read({ ...common, views, into, timeoutMs: 20_000 });
      assert.deepEqual([...into.values, ...into.writtenAtMs], [Number.NaN, Number.NaN, Number.NaN], views[0].numbers);
    }
  });
}
