/** What every feature store must do, whatever it is made of. Run it on the embedded one, on files, on Redis, and on the real service. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { ViewSpec } from '../../src/kernel/cells/views.ts';
import { cellTests } from './feature-store-cells.ts';
import { feastTests } from './feature-store-feast.ts';
import { outageTests } from './feature-store-outages.ts';
import {
  AGG,
  BOTH,
  BOTH_WIDTH,
  blank,
  type FeatureStoreWorld,
  isSluice,
  NO_TABLES,
  pattern,
  sortedKeys,
  type Traits,
  WIDE,
} from './feature-store-parts.ts';

export function featureStoreConformance(
  name: string,
  start: () => Promise<FeatureStoreWorld>,
  traits: Traits = { cells: true, tables: true, feast: true },
): void {
  describe(`${name} is a feature store`, () => {
    let world: FeatureStoreWorld;
    before(async () => {
      world = await start();
    });
    after(() => world.stop());

    async function write(
      table: string,
      views: readonly ViewSpec[],
      rowWidth: number,
      rows: readonly (readonly [key: string | Buffer, values: readonly number[]])[],
      timestampMs = 1_000_000,
    ): Promise<void> {
      const keys = rows.map(([key]) => Buffer.from(key as string));
      const values = Float64Array.from(rows.flatMap(([, row]) => row));
      const present = new Uint8Array(rows.length * views.length).fill(1);
      await world.writer.ensureTable(
        table,
        views.map(({ family }) => family),
      );
      await world.writer.write({ table, layout: 'packed', views, rowWidth, keys, values, present, timestampMs });
    }

    async function read(table: string, keys: readonly Buffer[], views: readonly ViewSpec[], rowWidth: number) {
      const into = blank(keys.length, rowWidth, views.length);
      await world.store.read({ table, layout: 'packed', keys, views, rowWidth, into, timeoutMs: 20_000 });
      return into;
    }

    test('existing rows come back with their numbers, as float32; others are missing', async () => {
      const none = new Array<number>(97).fill(Number.NaN);
      await write('rows', BOTH, BOTH_WIDTH, [
        ['b', [0.1, -2.5, ...pattern(1, 97)]],
        ['d', [3, Number.NaN, ...none]],
        ['f', [Number.NaN, Number.NaN, ...pattern(2, 97)]],
      ]);
      await world.store.open(['rows']);
      const keys = sortedKeys(['a', 'b', 'c', 'd', 'e', 'f', 'g']);
      const { values, writtenAtMs } = await read('rows', keys, BOTH, BOTH_WIDTH);
      const row = (k: number): number[] => [...values.subarray(k * BOTH_WIDTH, (k + 1) * BOTH_WIDTH)];
      const missing = new Array<number>(BOTH_WIDTH).fill(Number.NaN);
      for (const absent of [0, 2, 4, 6]) assert.deepEqual(row(absent), missing);
      assert.deepEqual(row(1), [Math.fround(0.1), -2.5, ...pattern(1, 97)]);
      assert.deepEqual(row(3), [3, Number.NaN, ...none]);
      assert.deepEqual(row(5), [Number.NaN, Number.NaN, ...pattern(2, 97)]);
      const there = [...writtenAtMs].map((at) => !Number.isNaN(at));
      const expected = [false, false, true, true, false, false, true, false, false, false, false, true, false, false];
      assert.deepEqual(there, expected, 'a view that is absent has no time');
      if (traits.cells) assert.ok([...writtenAtMs].every((at) => Number.isNaN(at) || at === 1_000_000));
    });

    test('a read may ask for some of the columns, at other positions and in several views of one family', async () => {
      const views: ViewSpec[] = [
        { name: 'x', family: 'slots', columns: [{ name: 'one', kind: 'vector', width: 1, offset: 1 }] },
        { name: 'y', family: 'agg', columns: [{ name: 'mean_delay', kind: 'number', width: 1, offset: 2 }] },
        { name: 'z', family: 'agg', columns: [{ name: 'late_share', kind: 'number', width: 1, offset: 0 }] },
      ];
      const { values } = await read('rows', sortedKeys(['b']), views, 3);
      assert.deepEqual([...values], [Math.fround(0.1), pattern(1, 97)[96], -2.5]);
    });

    test('wide vectors arrive whole, over many messages', async () => {
      const rows = Array.from({ length: 40 }, (_, i) => [`k${100 + i}`, pattern(i, 4_096)] as const);
      await write('wide', [WIDE], 4_096, rows);
      await world.store.open(['wide']);
      const { values } = await read('wide', sortedKeys(rows.map(([key]) => key)), [WIDE], 4_096);
      assert.deepEqual(values, Float64Array.from(rows.flatMap(([, row]) => row)));
    });

    test('keys are bytes: non-ASCII keys, long keys and prefixes of each other work', async () => {
      const names: (string | Buffer)[] = ['Zürich#東京', '🛫', 'a', 'aa', 'a a', 'a\nb', '"', 'x'.repeat(4_000)];
      if (traits.cells) names.push(Buffer.of(0), Buffer.of(0, 0), Buffer.of(0xff, 0xfe), Buffer.of(0xc3, 0x28));
      const keys = sortedKeys(names);
      await write(
        'keys',
        BOTH,
        BOTH_WIDTH,
        keys.map((key, i) => [key, pattern(i, BOTH_WIDTH)]),
      );
      await world.store.open(['keys']);
      const { values } = await read('keys', keys, BOTH, BOTH_WIDTH);
      assert.deepEqual(values, Float64Array.from(keys.flatMap((_, i) => pattern(i, BOTH_WIDTH))));
    });

    test('reads of one key, of none, and of a thousand keys of which every third exists', async () => {
      const all = Array.from({ length: 1_000 }, (_, i) => `key${10_000 + i}`);
      const there = all.filter((_, i) => i % 3 === 0);
      await write(
        'many',
        BOTH,
        BOTH_WIDTH,
        there.map((key, i) => [key, pattern(i, BOTH_WIDTH)]),
      );
      await world.store.open(['many']);
      const { values } = await read('many', sortedKeys(all), BOTH, BOTH_WIDTH);
      for (let i = 0; i < all.length; i++) {
        const row = [...values.subarray(i * BOTH_WIDTH, (i + 1) * BOTH_WIDTH)];
        if (i % 3 === 0) assert.deepEqual(row, pattern(i / 3, BOTH_WIDTH));
        else assert.ok(row.every(Number.isNaN));
      }
      const one = await read('many', sortedKeys([all[3]]), BOTH, BOTH_WIDTH);
      assert.deepEqual([...one.values], pattern(1, BOTH_WIDTH));
      await read('many', [], BOTH, BOTH_WIDTH);
    });

    test('the last write counts', async () => {
      await write('again', [AGG], 2, [['k', [1, 2]]], 1_000);
      await write(
        'again',
        [AGG],
        2,
        [
          ['k', [3, 4]],
          ['k', [5, 6]],
        ],
        3_000,
      );
      if (traits.cells && traits.tables) await write('again', [AGG], 2, [['k', [7, 8]]], 2_000);
      await world.store.open(['again']);
      const { values, writtenAtMs } = await read('again', sortedKeys(['k']), [AGG], 2);
      assert.deepEqual([...values], [5, 6]);
      if (traits.cells) assert.deepEqual([...writtenAtMs], [3_000]);
    });

    test('a column in several cells comes from the newest cell that has it', {
      skip: !traits.cells,
    }, async () => {
      const part = [{ ...AGG, columns: [AGG.columns[0]] }];
      for (const [key, partMs] of [
        ['newer', 2_000],
        ['older', 500],
      ] as const) {
        await write('again', [AGG], 2, [[key, [1, 2]]], 1_000);
        await write('again', part, 1, [[key, [9]]], partMs);
      }
      const { values, writtenAtMs } = await read('again', sortedKeys(['newer', 'older']), [AGG], 2);
      assert.deepEqual([...values], [9, 2, 1, 2]);
      assert.deepEqual([...writtenAtMs], [2_000, 1_000]);
    });

    cellTests(() => world, traits);
    if (traits.feast) feastTests(() => world);

    test('a missing table is refused when the store is opened', {
      skip: !traits.tables && NO_TABLES,
    }, async () => {
      await assert.rejects(world.store.open(['no-such-table']), isSluice('table-missing', 'file-missing'));
    });

    test('a family that the table lacks is refused, not missing', {
      skip: !traits.tables ? NO_TABLES : !traits.cells,
    }, async () => {
      const views = [{ ...AGG, family: 'nope' }];
      await assert.rejects(read('again', sortedKeys(['k']), views, 2), isSluice('store-refused'));
    });

    outageTests(start);

    test('ten thousand keys, of which some exist, arrive whole', async () => {
      const all = Array.from({ length: 10_000 }, (_, i) => `key${100_000 + i}`);
      const there = all.filter((_, i) => i % 5 === 0);
      for (let at = 0; at < there.length; at += 500) {
        const rows = there.slice(at, at + 500).map((key, i) => [key, [at + i, -1]] as const);
        await write('numerous', [AGG], 2, rows);
      }
      await world.store.open(['numerous']);
      const { values } = await read('numerous', sortedKeys(all), [AGG], 2);
      assert.deepEqual(
        values,
        Float64Array.from(all.flatMap((_, i) => (i % 5 === 0 ? [i / 5, -1] : [Number.NaN, Number.NaN]))),
      );
    });

    test('many reads at once do not mix', async () => {
      const keys = (n: number): Buffer[] =>
        sortedKeys(Array.from({ length: 300 }, (_, i) => `key${100_000 + i * 5 + n}`));
      const reads = await Promise.all(Array.from({ length: 20 }, (_, n) => read('numerous', keys(n % 5), [AGG], 2)));
      reads.forEach(({ values }, n) => {
        for (let i = 0; i < 300; i++) assert.equal(values[i * 2], n % 5 === 0 ? i : Number.NaN);
      });
    });

    test('a closed store refuses at once', async () => {
      await write('closing', [AGG], 2, [['k', [1, 2]]]);
      await world.store.open(['closing']);
      await world.store.close();
      await assert.rejects(read('closing', sortedKeys(['k']), [AGG], 2), isSluice('invariant-broken'));
      await world.store.close();
    });
  });
}
