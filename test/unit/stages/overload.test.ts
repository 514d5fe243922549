import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pause } from '../../../src/kernel/clock.ts';
import { SluiceError } from '../../../src/kernel/errors.ts';
import type { OverloadSettings } from '../../../src/plan/topology.ts';
import { type PlanOptions, SMALL_MODEL } from '../../fixtures/plan.ts';
import { event, events, origin, startWorld, type TestWorld } from '../../fixtures/world.ts';

/** The whole path with `onOverload`: each step up and down, what it stamps, and that nothing is lost by it. */
const CACHE = { entries: 100, ttlMs: 1_000, negativeTtlMs: 500 };
const FROM = origin();

interface Laddered extends TestWorld {
  /** Not 0: calls on the store fail after so many ms. */
  fails: { afterMs: number };
}

function start(onOverload: Partial<OverloadSettings> | undefined, options: PlanOptions = {}): Laddered {
  const world = startWorld({ enriched: true, read: { cache: CACHE }, ...options, onOverload });
  world.source.assign(FROM);
  world.store.rows.set('a', 100);
  world.store.rows.set('b', 200);
  const fails = { afterMs: 0 };
  world.store.before = async () => {
    if (fails.afterMs === 0) return;
    await pause(world.clock, fails.afterMs);
    throw new SluiceError('store-unavailable', 'black hole');
  };
  return { ...world, fails };
}

/** What came out since the last call: `y` and how it is less than asked for. */
function outputs(world: TestWorld): [number, string | undefined][] {
  const sent = world.sink.acknowledged.splice(0);
  assert.ok(
    sent.every(({ topic }) => topic === 'out'),
    'no dead letters',
  );
  return sent.map(({ value, headers }) => [JSON.parse(value ?? '{}').y, headers['sluice-degraded']]);
}

async function feed(world: TestWorld, offset: number, ...keys: string[]): Promise<void> {
  await world.source.feed(
    FROM,
    keys.map((key, n) => event(offset + n, 1, key)),
  );
  await world.clock.advance(100);
}

function inForce(world: TestWorld): string[] {
  return [...world.telemetry.gauges]
    .filter(([name, read]) => name.startsWith('sluice_overload_step') && read() === 1)
    .map(([name]) => name.slice('sluice_overload_step{step='.length, -1));
}

test('without a ladder an outage of the store is a pause: nothing comes out, nothing is lost, and it goes on', async () => {
  const world = start(undefined);
  await feed(world, 0, 'a');
  assert.deepEqual(outputs(world), [[202, undefined]]);
  await world.clock.advance(5_000);
  world.fails.afterMs = 1_500;
  await feed(world, 1, 'a', 'b');
  await world.clock.advance(60_000);
  assert.deepEqual(outputs(world), []);
  assert.equal(world.runner.health().ready, false);
  world.fails.afterMs = 0;
  await world.clock.advance(5_000);
  assert.deepEqual(outputs(world), [
    [202, undefined],
    [402, undefined],
  ]);
  assert.equal(world.runner.health().ready, true);
  assert.equal((await world.finish()).result, 'done');
});

test('an outage of the store: old rows, then none; frames that wait are let go, each says so, the cache stays true', async () => {
  const world = start({ staleCacheMs: 60_000, defaultFeatures: true });
  await feed(world, 0, 'a');
  outputs(world);
  await world.clock.advance(5_000);
  world.fails.afterMs = 1_500;
  await feed(world, 1, 'a', 'b', 'a');
  await world.clock.advance(1_500);
  assert.deepEqual(outputs(world), [], 'it might be back at once');
  await world.clock.advance(500);
  assert.deepEqual(outputs(world), [
    [202, 'stale-cache'],
    [2, 'default-features'],
    [202, 'stale-cache'],
  ]);
  assert.deepEqual(inForce(world), ['stale-cache', 'default-features']);
  assert.deepEqual(world.runner.health(), { live: true, ready: true, reason: '' }, 'it makes progress');
  const asked = world.store.reads.length;
  await feed(world, 4, 'b', 'a');
  assert.deepEqual(outputs(world), [
    [2, 'default-features'],
    [202, 'stale-cache'],
  ]);
  assert.ok(world.store.reads.length <= asked + 1, 'nobody waits for the store');
  await world.clock.advance(56_000);
  await feed(world, 6, 'a');
  assert.deepEqual(outputs(world), [[2, 'default-features']], 'beyond the hard limit a row is used no more');

  world.store.rows.set('a', 101);
  world.fails.afterMs = 0;
  await world.clock.advance(5_000);
  assert.deepEqual(inForce(world), []);
  await feed(world, 7, 'a', 'b', 'nowhere');
  assert.deepEqual(outputs(world), [
    [204, undefined],
    [402, undefined],
    [2, undefined],
  ]);
  const count = (how: string) => world.telemetry.count('sluice_degraded_records_total', { how });
  assert.deepEqual([count('stale-cache'), count('default-features'), count('smaller-model')], [3, 3, 0]);
  const requests = (result: string) => world.telemetry.count('sluice_cache_requests_total', { view: 'f', result });
  assert.deepEqual([requests('stale'), requests('default')], [2, 3], 'distinct keys a frame');
  assert.deepEqual(
    world.telemetry.events.map(({ name }) => name).filter((name) => name.startsWith('outage')),
    ['outage', 'outage-bridged', 'outage-over', 'outage-bridged-over'],
  );
  const { result, unsettledRecords } = await world.finish();
  assert.deepEqual([result, unsettledRecords, world.source.commits.at(-1)?.offset], ['done', 0, 10]);
});

test('with old rows alone, frames that need others wait, and say so; a partition whose keys are known goes on', async () => {
  const world = start({ staleCacheMs: 60_000 });
  const other = origin(1);
  world.source.assign(other);
  await feed(world, 0, 'a');
  await world.clock.advance(5_000);
  outputs(world);
  world.fails.afterMs = 1_500;
  await feed(world, 1, 'a', 'b');
  await world.source.feed(other, [event(0, 1, 'a')]);
  await world.clock.advance(10_000);
  assert.deepEqual(outputs(world), [[202, 'stale-cache']]);
  assert.match(world.runner.health().reason, /^store features: black hole/);
  world.fails.afterMs = 0;
  await world.clock.advance(5_000);
  assert.deepEqual(outputs(world), [
    [202, 'stale-cache'],
    [402, undefined],
  ]);
  assert.equal(world.runner.health().ready, true);
});

test('rows that are not there are believed for longer only where that makes no dead letters', async () => {
  const world = start({ staleCacheMs: 60_000 }, { read: { cache: CACHE, onMissing: ['dead-letter'] } });
  await world.source.feed(FROM, [event(0, 1, 'nowhere')]);
  await world.clock.advance(5_000);
  assert.equal(world.sink.acknowledged.splice(0)[0]?.topic, 'dead');
  world.fails.afterMs = 1_500;
  await feed(world, 1, 'nowhere');
  await world.clock.advance(30_000);
  assert.deepEqual(world.sink.acknowledged, [], 'an outage waits');
});

test('a drain while the store is out ends, and leaves nothing behind that waits', async () => {
  const world = start({ defaultFeatures: true });
  world.fails.afterMs = 1_500;
  await feed(world, 0, 'a', 'b');
  await world.clock.advance(4_000);
  assert.equal(outputs(world).length, 2);
  assert.equal((await world.finish()).result, 'done');
  await world.clock.advance(5_000);
  assert.equal(world.clock.timers, 0);
});

test('a store that refuses for good ends the run, also when nobody waits for its answer', async () => {
  const world = start({ defaultFeatures: true });
  world.fails.afterMs = 1_500;
  await feed(world, 0, 'a');
  await world.clock.advance(4_000);
  world.store.before = () => {
    throw new SluiceError('store-refused', 'permission denied');
  };
  await world.clock.advance(5_000);
  await feed(world, 1, 'b');
  const { result, error } = await world.clock.run(world.outcome);
  assert.deepEqual([result, error?.code], ['failed', 'store-refused']);
});

test('a call that fails for ever does not hide that the store answers others', async () => {
  const world = start({ defaultFeatures: true });
  world.store.before = (keys) => {
    if (keys.includes('a')) throw new SluiceError('store-unavailable', 'one tablet is gone');
  };
  await feed(world, 0, 'a');
  await world.clock.advance(3_000);
  assert.deepEqual(outputs(world), [[2, 'default-features']]);
  await feed(world, 1, 'b');
  assert.deepEqual(outputs(world), [[2, 'default-features']], 'a probe was sent');
  await feed(world, 2, 'b');
  assert.deepEqual(outputs(world), [[402, undefined]], 'and has answered');
});

test('overload: the steps come in order, each after a hold, and go in reverse once the lag is gone', async () => {
  const world = start(
    {
      largerBatches: 32,
      staleCacheMs: 60_000,
      defaultFeatures: true,
      smallerModel: 'small',
      skipToLatestMs: 40_000,
    },
    { flow: { maxBatch: 8 } },
  );
  await feed(world, 0, 'a');
  outputs(world);
  await world.clock.advance(2_000);
  world.source.lagSeconds = 12;
  let offset = 1;
  /** A frame that needs a row which expired and one that the cache has not. */
  const score = async () => {
    world.store.reads.length = 0;
    await feed(world, offset, 'a', `new-${offset}`);
    offset += 2;
    return { out: outputs(world), asked: world.store.reads.flat().length, models: [...models] };
  };
  const models = new Set<string>();
  world.sink.before = (_topic, _partition, rows) => {
    for (const { headers } of rows) models.add(headers['sluice-model']);
  };

  await world.clock.advance(5_600);
  assert.deepEqual(inForce(world), ['larger-batches']);
  world.session.batches.length = 0;
  await world.source.feed(FROM, events(1_000, 64));
  await world.clock.advance(300);
  assert.equal(Math.max(...world.session.batches), 32);
  outputs(world);
  offset = 1_064;

  await world.clock.advance(4_800);
  assert.deepEqual(inForce(world), ['larger-batches', 'stale-cache']);
  const stale = await score();
  assert.deepEqual(stale.out, [
    [202, 'stale-cache'],
    [2, undefined],
  ]);
  assert.equal(stale.asked, 1);

  await world.clock.advance(5_000);
  const defaults = await score();
  assert.deepEqual(defaults.out, [
    [202, 'stale-cache'],
    [2, 'default-features'],
  ]);
  assert.equal(defaults.asked, 0, 'the store is left alone');
  models.clear();

  await world.clock.advance(5_000);
  const smaller = await score();
  assert.deepEqual(smaller.out, [
    [303, 'stale-cache,smaller-model'],
    [3, 'default-features,smaller-model'],
  ]);
  assert.deepEqual(smaller.models, [SMALL_MODEL]);
  await world.clock.advance(30_000);
  assert.equal(inForce(world).length, 4, 'below its own limit, nothing is skipped');
  world.source.lagSeconds = 41;
  await world.clock.advance(5_600);
  assert.equal(inForce(world).length, 5);

  world.source.lagSeconds = 2;
  for (let left = 4; left >= 0; left--) {
    await world.clock.advance(10_600);
    assert.equal(inForce(world).length, left);
  }
  const whole = await score();
  assert.deepEqual(whole.out, [
    [202, undefined],
    [2, undefined],
  ]);
  const told = world.telemetry.events.filter(({ name }) => name.startsWith('overload-'));
  const steps = ['larger-batches', 'stale-cache', 'default-features', 'smaller-model', 'skip-to-latest'];
  assert.deepEqual(
    told.map(({ name, fields }) => `${name} ${fields.step}`),
    [
      ...steps.map((step) => `overload-step ${step}`),
      ...steps.toReversed().map((step) => `overload-step-back ${step}`),
    ],
  );
  assert.equal((await world.finish()).result, 'done');
});

test('skipping drops what is old of the partition that is behind, with its reason, and commits over it', async () => {
  const world = start({ skipToLatestMs: 40_000 });
  const other = origin(1);
  world.source.assign(other);
  world.source.lagSeconds = 50;
  await world.clock.advance(5_600);
  assert.deepEqual(inForce(world), ['skip-to-latest']);
  const old = (offset: number, ageMs: number) => ({ ...event(offset, 1), ageMs });
  await world.source.feed(other, [old(0, 39_000), old(1, 39_000)]);
  await world.source.feed(FROM, [old(0, 50_000), old(1, 45_000)]);
  await world.source.feed(FROM, [old(2, 20_000), old(3, 9_000)]);
  await world.source.feed(FROM, [old(4, 30_000)]);
  await world.clock.advance(3_000);
  assert.deepEqual(world.sink.sources('out'), ['in/1/0', 'in/1/1', 'in/0/3', 'in/0/4']);
  assert.equal(world.telemetry.count('sluice_records_total', { fate: 'dropped' }), 3);
  assert.equal(world.telemetry.count('sluice_dropped_records_total', { reason: 'skipped' }), 3);
  assert.deepEqual(world.telemetry.eventsNamed('skip'), [{ topic: 'in', partition: 0, from: 0, ageSeconds: 45 }]);
  assert.deepEqual(world.telemetry.eventsNamed('skip-over'), [
    { topic: 'in', partition: 0, from: 0, to: 2, records: 3 },
  ]);
  const { result } = await world.finish();
  assert.equal(result, 'done');
  const committed = new Map(world.source.commits.map(({ origin: { partition }, offset }) => [partition, offset]));
  assert.deepEqual([committed.get(0), committed.get(1)], [5, 2]);
});

test('while a dependency holds the pipeline its lag is no overload: no step is taken, nothing skipped', async () => {
  const world = start({ largerBatches: 128, smallerModel: 'small', skipToLatestMs: 40_000 });
  world.fails.afterMs = 1_500;
  await feed(world, 0, 'a');
  for (let seconds = 2; seconds < 120; seconds++) {
    world.source.lagSeconds = seconds;
    await world.clock.advance(1_000);
  }
  assert.deepEqual(inForce(world), []);
  assert.equal(world.runner.health().ready, false);
  world.source.lagSeconds = 0;
  world.fails.afterMs = 0;
  await world.clock.advance(5_000);
  assert.deepEqual(outputs(world), [[202, undefined]]);
});
