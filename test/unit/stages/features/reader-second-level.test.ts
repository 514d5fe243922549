import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CacheSettings } from '../../../../src/plan/topology.ts';
import { createEnrich } from '../../../../src/stages/enrich.ts';
import { FeatureReader } from '../../../../src/stages/features/reader.ts';
import { createSecondLevel } from '../../../../src/stages/features/second-level.ts';
import type { FakeClock } from '../../../fixtures/clock.ts';
import { FakeSharedCache } from '../../../fixtures/fake-shared-cache.ts';
import { FakeStore } from '../../../fixtures/fakes.ts';
import { emptyRecords, textColumn } from '../../../fixtures/frames.ts';
import { testPlan } from '../../../fixtures/plan.ts';
import { ORIGIN, stageDeps } from '../../../fixtures/stage-deps.ts';

const TTL_MS = 60_000;
const SECOND = { ttlMs: 600_000, negativeTtlMs: 5_000, timeoutMs: 50 };

/** A process with both levels; another one's clock and shared cache may be its own. */
function start(
  cache: Partial<CacheSettings> = {},
  shared?: { readonly clock: FakeClock; readonly sharedCache: FakeSharedCache },
) {
  const deps = { ...stageDeps(), ...(shared && { clock: shared.clock }) };
  const { clock, telemetry } = deps;
  const store = new FakeStore();
  const sharedCache = new FakeSharedCache(clock, shared?.sharedCache.rows);
  const level = createSecondLevel({ clock, random: () => 0, telemetry, store, sharedCache }, () => ({
    ...SECOND,
    store: 's',
  }));
  const settings = { entries: 100, ttlMs: TTL_MS, negativeTtlMs: 1_000, secondLevel: SECOND, ...cache };
  const plan = testPlan({ enriched: true, read: { cache: settings } });
  const reader = new FeatureReader({ ...deps, store: level }, plan.reads[0]);
  const enrich = createEnrich({ ...deps, store: level }, plan, [reader]);
  return {
    clock,
    sharedCache,
    store,
    reader,
    async ask(key: string): Promise<number> {
      const frame = emptyRecords(ORIGIN, 0, 1);
      frame.columns = [textColumn(['1']), textColumn(['1']), textColumn([key])];
      await clock.run(Promise.resolve(enrich(frame)));
      await clock.advance(0);
      const [{ index, values }] = frame.reads;
      return values[index[0]];
    },
  };
}

test('a row that was kept for a while ends in memory with its time there, never after it', async () => {
  const a = start();
  a.store.rows.set('k', 1);
  await a.ask('k');
  await a.clock.advance(SECOND.ttlMs - 10_000);
  const b = start({}, a);
  b.store.rows.set('k', 2);
  assert.equal(await b.ask('k'), 1);
  await b.clock.advance(9_999);
  assert.equal(await b.ask('k'), 1);
  assert.deepEqual([b.sharedCache.gets.length, b.store.reads.length], [1, 0], 'from memory');
  await b.clock.advance(1);
  assert.equal(await b.ask('k'), 2, '600 s after the store was asked, and only 10 s after it came here');
  assert.equal(b.store.reads.length, 1);
});

test('the same of a row that the store has not', async () => {
  const a = start();
  await a.ask('k');
  await a.clock.advance(SECOND.negativeTtlMs - 100);
  const b = start({}, a);
  b.store.rows.set('k', 2);
  assert.ok(Number.isNaN(await b.ask('k')));
  assert.equal(b.store.reads.length, 0);
  await b.clock.advance(100);
  assert.equal(await b.ask('k'), 2);
});

test('what is due is read anew from the store, or from what others have read anew lately', async () => {
  const a = start({ refreshAfterMs: 20_000 });
  const b = start({ refreshAfterMs: 20_000 }, a);
  a.store.rows.set('k', 1);
  await a.ask('k');
  assert.equal(await b.ask('k'), 1);
  await a.clock.advance(45_000);
  a.store.rows.set('k', 2);
  assert.equal(await a.ask('k'), 1, 'used as it is');
  assert.equal(await a.ask('k'), 2);
  assert.equal(a.store.reads.length, 2, 'older than 20 s: not from the second level');
  assert.equal(await b.ask('k'), 1);
  assert.equal(await b.ask('k'), 2);
  assert.equal(b.store.reads.length, 0);
});

test('a changelog reaches both levels, and what changed before anybody listened is not believed', async () => {
  const a = start({ invalidateBy: 'rows' });
  await a.clock.advance(10_000);
  a.store.rows.set('k', 1).set('l', 1);
  await a.ask('k');
  await a.ask('l');
  const b = start({}, a);
  a.store.rows.set('k', 2);
  b.store.rows.set('k', 2);
  a.reader.changes?.changed([Buffer.from('k')]);
  await a.clock.advance(0);
  assert.deepEqual([await a.ask('k'), await b.ask('k')], [2, 2]);
  assert.equal(await b.ask('l'), 1, 'kept by the other');
  const late = start({ invalidateBy: 'rows' }, a);
  late.store.rows.set('l', 3);
  assert.equal(await late.ask('l'), 3);
  a.store.rows.set('l', 4);
  a.reader.changes?.missed();
  assert.equal(await a.ask('l'), 4);
});
