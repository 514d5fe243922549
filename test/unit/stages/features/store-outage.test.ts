import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SluiceError } from '../../../../src/kernel/errors.ts';
import { CACHE, FROM, feed, inForce, outputs, startLaddered as start } from '../../../fixtures/laddered.ts';
import { event, origin } from '../../../fixtures/world.ts';

/** The whole path while the store is out: a pause, or with `onOverload` old rows and none, stamped. */
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
  assert.deepEqual(world.runner.health(), { live: true, ready: true, reason: '', waits: [] }, 'it makes progress');
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
