/** A store that hangs, goes away and comes back: part of the suite of feature stores. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SluiceError } from '../../src/kernel/errors.ts';
import { BOTH, BOTH_WIDTH, blank, type FeatureStoreWorld, sortedKeys } from './feature-store-parts.ts';

export function outageTests(start: () => Promise<FeatureStoreWorld>): void {
  test('a read that is not answered in time is rejected as retryable, and leaves nothing behind', async (t) => {
    const { store, stall, stop } = await start();
    t.after(stop);
    if (stall === undefined) return t.skip('reads of this store cannot be held up');
    await store.open(['many']);
    stall();
    const into = blank(1_000, BOTH_WIDTH, 2);
    const keys = sortedKeys(Array.from({ length: 1_000 }, (_, i) => `key${10_000 + i}`));
    const common = { table: 'many', layout: 'packed', views: BOTH, rowWidth: BOTH_WIDTH, into, keys } as const;
    await assert.rejects(
      store.read({ ...common, timeoutMs: 60 }),
      (error: SluiceError) => error.disposition === 'retry',
    );
    assert.ok(into.values.every(Number.isNaN) && into.writtenAtMs.every(Number.isNaN));
  });

  test('a store that is gone is an outage, and answers again when it is back', async (t) => {
    const { store, crash, restart, stop } = await start();
    t.after(stop);
    if (crash === undefined || restart === undefined) return t.skip('this store cannot be ended');
    await store.open(['many']);
    const common = {
      table: 'many',
      layout: 'packed',
      views: BOTH,
      rowWidth: BOTH_WIDTH,
      keys: sortedKeys(['a', 'b']),
    } as const;
    const attempt = () => store.read({ ...common, into: blank(2, BOTH_WIDTH, 2), timeoutMs: 2_000 });
    await attempt();
    await crash();
    for (let i = 0; i < 3; i++) await assert.rejects(attempt(), (error: SluiceError) => error.disposition === 'retry');
    await restart();
    // As a pipeline would: until it answers.
    for (let i = 0; ; i++) {
      try {
        await attempt();
        break;
      } catch (error) {
        if (i === 50) throw error;
      }
    }
  });
}
