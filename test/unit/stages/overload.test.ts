import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FROM, feed, inForce, outputs, startLaddered as start } from '../../fixtures/laddered.ts';
import { SMALL_MODEL } from '../../fixtures/plan.ts';
import { event, events, origin } from '../../fixtures/world.ts';

/** The whole path under a lag: each step up and down, what it stamps, and that nothing is lost by it. */
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

  // What came since it was caught up is no further behind than that, however old its records say they are.
  await world.clock.advance(9_000);
  assert.deepEqual(inForce(world), []);
  await world.clock.advance(6_600);
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
