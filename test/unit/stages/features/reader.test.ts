import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pause } from '../../../../src/kernel/clock.ts';
import { SluiceError } from '../../../../src/kernel/errors.ts';
import type { Frame } from '../../../../src/kernel/frame.ts';
import type { CacheSettings } from '../../../../src/plan/topology.ts';
import { createEnrich } from '../../../../src/stages/enrich.ts';
import { FeatureReader } from '../../../../src/stages/features/reader.ts';
import type { Relief } from '../../../../src/stages/features/relief.ts';
import { FakeStore, Gate } from '../../../fixtures/fakes.ts';
import { emptyRecords, textColumn } from '../../../fixtures/frames.ts';
import { testPlan } from '../../../fixtures/plan.ts';
import { seeded } from '../../../fixtures/random.ts';
import { ORIGIN, stageDeps } from '../../../fixtures/stage-deps.ts';

const TTL_MS = 60_000;
const REFRESH_MS = 20_000;
/** By then every row is due: half of what is left of its ttl. */
const ALL_DUE_MS = REFRESH_MS + (TTL_MS - REFRESH_MS) / 2;

function start(cache: Partial<CacheSettings> = {}, relief?: Relief) {
  const deps = stageDeps();
  const store = new FakeStore();
  const plan = testPlan({
    enriched: true,
    read: { cache: { entries: 5_000, ttlMs: TTL_MS, negativeTtlMs: 1_000, ...cache } },
  });
  const reader = new FeatureReader({ ...deps, store }, plan.reads[0], relief);
  const enrich = createEnrich({ ...deps, store }, plan, [reader]);
  const count = (name: string, result: string): number => deps.telemetry.count(name, { view: 'f', result });
  return {
    deps,
    store,
    reader,
    enrich,
    requests: (result: string) => count('sluice_cache_requests_total', result),
    refreshes: (result: string) => count('sluice_cache_refreshes_total', result),
    invalidations: (result: string) => count('sluice_cache_invalidations_total', result),
    /** What the records of a frame of these keys get. */
    async ask(...keys: string[]): Promise<number[]> {
      const asked = frame(keys);
      await deps.clock.run(Promise.resolve(enrich(asked)));
      return features(asked);
    },
  };
}

function frame(keys: readonly string[]): Frame {
  const made = emptyRecords(ORIGIN, 0, keys.length);
  made.columns = [textColumn(keys.map(() => '1')), textColumn(keys.map(() => '1')), textColumn(keys)];
  return made;
}

function features(of: Frame): number[] {
  const [{ index, values }] = of.reads;
  return Array.from(index, (row) => values[row]);
}

const unavailable = (): never => {
  throw new SluiceError('store-unavailable', 'deadline exceeded');
};

test('a row that is due is used as it is, without a wait, and read anew once; who asks next has the new one', async () => {
  const { deps, store, enrich, ask, refreshes, requests } = start({ refreshAfterMs: REFRESH_MS });
  store.rows.set('a', 1);
  await ask('a', 'b');
  await deps.clock.advance(REFRESH_MS - 1);
  await ask('a');
  assert.equal(store.reads.length, 1, 'too young');
  store.rows.set('a', 2);
  await deps.clock.advance(ALL_DUE_MS - REFRESH_MS + 1);
  const gate = new Gate();
  gate.close();
  store.before = () => gate.through();
  for (let n = 0; n < 3; n++) {
    const held = frame(['a', 'a']);
    assert.equal(enrich(held), undefined, 'nobody waits');
    assert.deepEqual(features(held), [1, 1]);
    assert.equal(held.degraded, undefined, 'a row within its ttl is none the less whole');
  }
  assert.deepEqual(store.reads.slice(1), [['a']], 'one call');
  gate.open();
  await deps.clock.advance(1);
  assert.deepEqual(await ask('a'), [2]);
  assert.deepEqual([refreshes('ok'), refreshes('failed'), requests('miss')], [1, 0, 2]);
  await deps.clock.advance(TTL_MS - 10);
  assert.deepEqual(await ask('a'), [2], 'its ttl began anew');
  assert.equal(requests('miss'), 2);
});

test('without refreshAfter, and of rows that are not there, nothing is read ahead', async () => {
  for (const refreshAfterMs of [undefined, 10]) {
    const { deps, store, ask } = start({ refreshAfterMs });
    if (refreshAfterMs === undefined) store.rows.set('a', 1);
    await ask('a');
    await deps.clock.advance(999);
    await ask('a');
    assert.equal(store.reads.length, 1);
  }
});

test('rows that came together are not read anew together', async () => {
  const { deps, store, ask } = start({ refreshAfterMs: REFRESH_MS });
  const keys = Array.from({ length: 100 }, (_, n) => `k${n}`);
  for (const key of keys) store.rows.set(key, 1);
  await ask(...keys);
  await deps.clock.advance(REFRESH_MS);
  const perStep: number[] = [];
  for (let step = 0; step < 10; step++) {
    const before = store.reads.length;
    await deps.clock.advance((ALL_DUE_MS - REFRESH_MS) / 10);
    await ask(...keys);
    await deps.clock.advance(0);
    perStep.push(store.reads.slice(before).flat().length);
  }
  assert.equal(
    perStep.reduce((a, b) => a + b),
    100,
    'each once',
  );
  assert.ok(Math.max(...perStep) <= 25, `spread over the time: ${perStep}`);
});

test('a refresh that fails is counted, holds nobody, is no outage, and is tried again; the row goes at its ttl', async () => {
  const { deps, store, ask, refreshes } = start({ refreshAfterMs: REFRESH_MS });
  store.rows.set('a', 1);
  await ask('a');
  await deps.clock.advance(ALL_DUE_MS);
  store.before = unavailable;
  assert.deepEqual(await ask('a'), [1]);
  assert.deepEqual(await ask('a'), [1]);
  assert.equal(deps.conditions.describe(), '');
  assert.equal(store.reads.length, 2, 'not at every look-up');
  await deps.clock.advance(5_000);
  assert.deepEqual(await ask('a'), [1]);
  await deps.clock.advance(0);
  assert.deepEqual([refreshes('ok'), refreshes('failed'), store.reads.length], [0, 2, 3]);
  assert.equal(deps.telemetry.count('sluice_retries_total', { what: 'store', reason: 'store-unavailable' }), 0);

  await deps.clock.advance(TTL_MS);
  store.before = () => undefined;
  store.rows.set('a', 2);
  assert.deepEqual(await ask('a'), [2], 'never used beyond its ttl');
});

test('a frame that misses a key which is read anew shares the answer, and asks itself where there is none', async () => {
  for (const fails of [false, true]) {
    const { deps, store, enrich, ask } = start({ refreshAfterMs: REFRESH_MS });
    store.rows.set('a', 1);
    await ask('a');
    await deps.clock.advance(TTL_MS - 1);
    const gate = new Gate();
    gate.close();
    store.before = async () => {
      await gate.through();
      if (fails && store.reads.length === 2) unavailable();
    };
    await ask('a');
    store.rows.set('a', 2);
    await deps.clock.advance(1);
    const missed = frame(['a']);
    const done = enrich(missed) as Promise<void>;
    assert.equal(store.reads.length, 2, 'shared');
    gate.open();
    await deps.clock.run(done);
    assert.deepEqual(features(missed), [2]);
    assert.equal(store.reads.length, fails ? 3 : 2);
    assert.equal(deps.conditions.describe(), '');
  }
});

test('refreshes are bounded: two calls of 128 keys, whatever is due; the rest is due at its next hit', async () => {
  const { deps, store, enrich, ask } = start({ refreshAfterMs: REFRESH_MS });
  const keys = Array.from({ length: 1_000 }, (_, n) => `k${n}`);
  for (const key of keys) store.rows.set(key, 1);
  await ask(...keys);
  await deps.clock.advance(ALL_DUE_MS);
  const gate = new Gate();
  gate.close();
  store.before = () => gate.through();
  for (let n = 0; n < 5; n++) assert.equal(enrich(frame(keys)), undefined);
  assert.deepEqual(
    store.reads.slice(1).map(({ length }) => length),
    [128, 128],
  );
  gate.open();
  for (let n = 0; n < 8; n++) {
    await deps.clock.advance(1);
    await ask(...keys);
  }
  assert.deepEqual(new Set(store.reads.slice(1).flat()).size, 1_000);
  assert.equal(store.reads.slice(1).flat().length, 1_000, 'each once');
});

test('a stampede: a thousand frames that ask for the same cold keys at once cost one read a key', async () => {
  const { deps, store, enrich, requests } = start();
  const random = seeded(11);
  const keys = Array.from({ length: 2_000 }, (_, n) => `k${n}`);
  for (const [n, key] of keys.entries()) store.rows.set(key, n);
  store.before = () => pause(deps.clock, 1 + random() * 20);
  const frames = Array.from({ length: 1_000 }, () =>
    Array.from({ length: 50 }, () => keys[Math.floor(random() ** 2 * keys.length)]),
  );
  const made = frames.map(frame);
  const asked = new Set(frames.flat());
  await deps.clock.run(Promise.all(made.map((each) => enrich(each))));
  const reads = store.reads.flat().length;
  assert.ok(reads <= 1.05 * asked.size, `${reads} reads for ${asked.size} distinct keys`);
  assert.equal(reads, asked.size);
  for (const [n, each] of made.entries()) {
    const wanted = frames[n].map((key) => Number(key.slice(1)));
    assert.deepEqual(features(each), wanted);
  }
  assert.equal(requests('miss'), asked.size);
  // Cold again: the second stampede costs as much.
  await deps.clock.advance(TTL_MS);
  await deps.clock.run(Promise.all(frames.map((each) => enrich(frame(each)))));
  assert.equal(store.reads.flat().length, 2 * asked.size);
});

test('a row that has changed is asked for anew; others stay; what is not known is counted', async () => {
  const { store, reader, ask, invalidations } = start({ invalidateBy: 'changes' });
  store.rows.set('a', 1).set('b', 1);
  await ask('a', 'b', 'absent');
  store.rows.set('a', 2).set('b', 2).set('absent', 2);
  reader.changes?.changed([Buffer.from('a'), Buffer.from('other'), Buffer.from('absent')]);
  assert.deepEqual(await ask('a', 'b', 'absent'), [2, 1, 2]);
  assert.deepEqual(store.reads.slice(1), [['a', 'absent']]);
  assert.deepEqual([invalidations('dropped'), invalidations('unknown')], [2, 1]);
  reader.changes?.missed();
  assert.deepEqual(await ask('b'), [2]);
  assert.equal(invalidations('dropped'), 5);
});

for (const how of ['changed', 'missed'] as const) {
  test(`a read under way when its row changes (${how}) is neither kept nor shared from there on`, async () => {
    const { deps, store, reader, enrich, ask } = start({ invalidateBy: 'changes' });
    store.rows.set('a', 1).set('b', 1);
    const [first, second] = [new Gate(), new Gate()];
    first.close();
    second.close();
    // The row is read from the store at once; the answer is what takes time.
    const read = store.read.bind(store);
    store.read = async (asked) => {
      await read(asked);
      await (store.reads.length === 1 ? first : second).through();
    };
    const before = frame(['a', 'b']);
    const done = enrich(before) as Promise<void>;
    await deps.clock.advance(1);
    store.rows.set('a', 2);
    if (how === 'changed') reader.changes?.changed([Buffer.from('a')]);
    else reader.changes?.missed();
    const after = frame(['a']);
    const later = enrich(after) as Promise<void>;
    await deps.clock.advance(1);
    assert.deepEqual(store.reads, [['a', 'b'], ['a']], 'its own call');
    first.open();
    await deps.clock.run(done);
    assert.deepEqual(features(before), [1, 1], 'asked before');
    const between = frame(['a']);
    const shared = enrich(between) as Promise<void>;
    assert.equal(store.reads.length, 2, 'the end of the first call ends not the second');
    second.open();
    await deps.clock.run(Promise.all([later, shared]));
    assert.deepEqual([features(after), features(between)], [[2], [2]]);
    assert.deepEqual(await ask('a'), [2]);
    assert.equal(store.reads.length, 2);
  });
}

test('the ladder uses rows beyond their ttl, but none that has changed', async () => {
  const relief: Relief = {
    staleMs: 3_600_000,
    defaults: false,
    inForce: (step) => step === 'stale-cache',
    onTaken: () => undefined,
    storeIs: () => undefined,
  };
  const { deps, store, reader, ask } = start({ invalidateBy: 'changes' }, relief);
  store.rows.set('a', 1).set('b', 1);
  await ask('a', 'b');
  await deps.clock.advance(TTL_MS);
  store.rows.set('a', 2).set('b', 2);
  reader.changes?.changed([Buffer.from('a')]);
  assert.deepEqual(await ask('a', 'b'), [2, 1]);
});
