import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SluiceError } from '../../../src/kernel/errors.ts';
import { FATES, OPEN, REASONS } from '../../../src/kernel/fate.ts';
import type { Frame } from '../../../src/kernel/frame.ts';
import type { ReadPlan } from '../../../src/plan/plan.ts';
import type { FeatureRead } from '../../../src/ports/feature-store.ts';
import { createEnrich } from '../../../src/stages/enrich.ts';
import { FakeStore, Gate } from '../../fixtures/fakes.ts';
import { emptyRecords, textColumn } from '../../fixtures/frames.ts';
import { testPlan } from '../../fixtures/plan.ts';
import { ORIGIN, stageDeps } from '../../fixtures/stage-deps.ts';

const CACHE = { entries: 100, ttlMs: 60_000, negativeTtlMs: 1_000 };

/** A store that also says when a view was written, and keeps the reads it was asked. */
class Store extends FakeStore {
  readonly writtenAtMs = new Map<string, number>();
  readonly asked: FeatureRead[] = [];

  override async read(read: FeatureRead): Promise<void> {
    this.asked.push(read);
    await super.read(read);
    read.keys.forEach((key, k) => {
      const at = this.writtenAtMs.get(key.toString());
      if (at !== undefined) read.into.writtenAtMs[k * read.views.length] = at;
    });
  }
}

function start(read: Partial<ReadPlan> = {}) {
  const deps = stageDeps();
  const store = new Store();
  for (const [key, value] of [
    ['a', 1],
    ['b', 2],
    ['c', 3],
  ] as const) {
    store.rows.set(key, value);
    store.writtenAtMs.set(key, deps.clock.wallMs());
  }
  const plan = testPlan({ enriched: true, read });
  return { deps, store, view: plan.reads[0].views[0], enrich: createEnrich({ ...deps, store }, plan) };
}

/** One view, stale after a minute. */
function staleAfterMinute(onStale: 'use' | 'missing' | 'dead-letter'): Partial<ReadPlan> {
  const [view] = testPlan({ enriched: true }).reads[0].views;
  return { views: [{ ...view, maxAgeMs: 60_000, onStale }] };
}

function frame(...keys: (string | null)[]): Frame {
  const made = emptyRecords(ORIGIN, 0, keys.length);
  made.columns = [textColumn(keys.map(() => '1')), textColumn(keys.map(() => '1')), textColumn(keys)];
  return made;
}

function features(of: Frame): number[] {
  const [{ index, values }] = of.reads;
  return Array.from(index, (row) => values[row]);
}

function fates(of: Frame): string[] {
  return Array.from(of.fate, (fate, i) => (fate === OPEN ? 'open' : `${FATES[fate]} ${REASONS[of.reason[i]]}`));
}

test('a frame asks for its distinct keys, sorted, once; every record gets the row of its own key', async () => {
  const { deps, store, enrich } = start();
  const mixed = frame('c', 'a', 'c', 'nowhere', 'a', 'b');
  await deps.clock.run(enrich(mixed) as Promise<void>);
  assert.deepEqual(store.reads, [['a', 'b', 'c', 'nowhere']]);
  assert.deepEqual(features(mixed), [3, 1, 3, Number.NaN, 1, 2]);
  assert.deepEqual(fates(mixed), Array(6).fill('open'));
  assert.ok(store.asked[0].timeoutMs < 3_000, 'far below any session time-out');
});

test('a key that is null, empty or too long is missing, and the store is never asked for it', async () => {
  const { store, enrich } = start();
  const odd = frame(null, '', 'x'.repeat(4_097));
  assert.equal(enrich(odd), undefined);
  assert.deepEqual(features(odd), [Number.NaN, Number.NaN, Number.NaN]);
  assert.deepEqual(store.reads, []);
});

test('frames that need the same keys at once share one call; each gets all its rows', async () => {
  const { deps, store, enrich } = start({ cache: { entries: 10, ttlMs: 0, negativeTtlMs: 0 } });
  const gate = new Gate();
  gate.close();
  store.before = () => gate.through();
  const frames = [frame('a', 'b'), frame('b', 'c', 'a'), frame('c')];
  const done = frames.map((each) => enrich(each));
  await deps.clock.advance(1);
  assert.deepEqual(store.reads, [['a', 'b'], ['c']]);
  gate.open();
  await deps.clock.run(Promise.all(done));
  assert.deepEqual(frames.map(features), [[1, 2], [2, 3, 1], [3]]);
  assert.equal(deps.telemetry.count('sluice_cache_requests_total', { view: 'f', result: 'shared' }), 3);
  assert.equal(deps.telemetry.count('sluice_cache_requests_total', { view: 'f', result: 'miss' }), 3);

  // The flight is over: with no time to live the next frame asks again.
  await deps.clock.run(enrich(frame('a')) as Promise<void>);
  assert.equal(store.reads.length, 3);
});

test('a record is dated by the oldest view that it uses', async () => {
  const { enrich, store } = start({ cache: CACHE });
  store.writtenAtMs.set('b', 5_000);
  store.writtenAtMs.set('c', 0);
  for (const from of ['the store', 'the cache']) {
    const read = frame('a', 'b', 'c', 'nowhere', null, 'b');
    await enrich(read);
    assert.deepEqual(
      [...read.featuresAtMs],
      [store.writtenAtMs.get('a'), 5_000, Number.NaN, Number.NaN, Number.NaN, 5_000],
      from,
    );
  }
});

test('what the cache has needs no wait; absent rows are remembered too, for their own time', async () => {
  const { deps, store, enrich } = start({ cache: CACHE });
  await deps.clock.run(enrich(frame('a', 'nowhere')) as Promise<void>);
  const hit = frame('nowhere', 'a');
  assert.equal(enrich(hit), undefined, 'synchronous');
  assert.deepEqual(features(hit), [Number.NaN, 1]);

  await deps.clock.advance(CACHE.negativeTtlMs);
  store.rows.set('nowhere', 9);
  const later = frame('a', 'nowhere');
  await deps.clock.run(enrich(later) as Promise<void>);
  assert.deepEqual(features(later), [1, 9]);
  await deps.clock.advance(CACHE.ttlMs);
  await deps.clock.run(enrich(frame('a')) as Promise<void>);
  assert.deepEqual(store.reads, [['a', 'nowhere'], ['nowhere'], ['a']]);
  const count = (result: string): number => deps.telemetry.count('sluice_cache_requests_total', { view: 'f', result });
  assert.deepEqual([count('hit'), count('negative-hit'), count('miss')], [2, 1, 4]);
});

test('memory that a frame gave back shows nothing of it to the next one, larger or smaller', async () => {
  const { deps, enrich } = start({ cache: CACHE });
  const many = Array.from({ length: 300 }, (_, n) => `k${n}`);
  for (const keys of [['a', 'b', 'c'], ['nowhere', null, 'c'], [...many, 'b'], ['x', 'y', 'z', 'a'], []]) {
    const next = frame(...keys);
    await deps.clock.run(Promise.resolve(enrich(next)));
    const known: Readonly<Record<string, number>> = { a: 1, b: 2, c: 3 };
    assert.deepEqual(
      features(next),
      keys.map((key) => known[String(key)] ?? Number.NaN),
    );
    enrich.release(next);
    assert.deepEqual(next.reads, [], 'what was given back cannot be read by mistake');
  }
});

for (const [onMissing, fate] of [
  ['impute', 'open'],
  ['dead-letter', 'dead-lettered feature-missing'],
  ['drop', 'dropped feature-missing'],
] as const) {
  test(`a row or a key that is not there: ${onMissing}`, async () => {
    const { deps, enrich } = start({ onMissing: [onMissing] });
    const mixed = frame('a', 'nowhere', null);
    await deps.clock.run(enrich(mixed) as Promise<void>);
    assert.deepEqual(fates(mixed), ['open', fate, fate]);
    assert.deepEqual(features(mixed), [1, Number.NaN, Number.NaN]);
  });
}

for (const [onStale, fate, value] of [
  ['use', 'open', 1],
  ['missing', 'open', Number.NaN],
  ['dead-letter', 'dead-lettered feature-stale', 1],
] as const) {
  test(`a view older than its maxAge: ${onStale}, from the store and from the cache alike`, async () => {
    const { deps, store, enrich } = start({ ...staleAfterMinute(onStale), cache: { ...CACHE, ttlMs: 600_000 } });
    store.writtenAtMs.set('a', deps.clock.wallMs() - 60_001);
    store.writtenAtMs.set('b', deps.clock.wallMs() - 60_000);
    store.writtenAtMs.set('c', 0);
    const fresh = frame('a', 'b', 'c');
    await deps.clock.run(enrich(fresh) as Promise<void>);
    assert.deepEqual(fates(fresh), [fate, 'open', 'open'], 'a minute is not too old; 0 is not known');
    assert.deepEqual(features(fresh), [value, 2, 3]);

    const cached = frame('a', 'b');
    await deps.clock.advance(1);
    assert.equal(enrich(cached), undefined);
    assert.deepEqual(fates(cached), [fate, fate], 'rows grow old in the cache');
    assert.deepEqual(deps.telemetry.observed.get('sluice_feature_age_seconds{view=f}')?.slice(0, 2), [60, 60.001]);
  });
}

test('a view that is blanked because it is stale can be a missing one in turn', async () => {
  const { deps, store, enrich } = start({ ...staleAfterMinute('missing'), onMissing: ['drop'] });
  store.writtenAtMs.set('a', deps.clock.wallMs() - 70_000);
  const mixed = frame('a', 'b');
  await deps.clock.run(enrich(mixed) as Promise<void>);
  assert.deepEqual(fates(mixed), ['dropped feature-missing', 'open']);
});

test('a store that is down holds the frame; a try that failed half-way leaves nothing behind', async () => {
  const { deps, store, enrich } = start({ cache: CACHE });
  let down = true;
  store.read = async ({ keys, into }) => {
    into.values.fill(down ? 99 : 5, 0, down ? keys.length : 1);
    into.writtenAtMs.fill(1, 0, down ? keys.length : 1);
    if (down) throw new SluiceError('store-unavailable', 'deadline exceeded');
  };
  const held = frame('a', 'z');
  const done = enrich(held) as Promise<void>;
  await deps.clock.advance(20_000);
  assert.equal(deps.conditions.describe(), 'store features: deadline exceeded');
  assert.deepEqual(fates(held), ['open', 'open']);
  down = false;
  await deps.clock.run(done);
  assert.deepEqual(features(held), [5, Number.NaN]);
  assert.equal(deps.conditions.describe(), '');
});

test('a store that refuses ends the run, for every frame that waits for it; the next one asks again', async () => {
  const { deps, store, enrich } = start();
  store.before = () => {
    throw new SluiceError('store-refused', 'permission denied');
  };
  const ends = await deps.clock.run(Promise.allSettled([enrich(frame('a')), enrich(frame('a', 'b'))]));
  assert.deepEqual(
    ends.map(({ status }) => status),
    ['rejected', 'rejected'],
  );
  store.before = () => undefined;
  const next = frame('a');
  await deps.clock.run(enrich(next) as Promise<void>);
  assert.deepEqual(features(next), [1]);
});
