import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Gate } from '../fixtures/fakes.ts';
import { events, origin, startWorld } from '../fixtures/world.ts';

test('L2 no gap: a commit never passes an unsettled record of its partition', async () => {
  const world = startWorld();
  const from = origin();
  world.source.assign(from);
  // Two output partitions; the one that holds frame 1's records does not answer, so later frames settle before it.
  world.sink.partitions = 2;
  const stalled = new Gate();
  stalled.close();
  let first: number | undefined;
  world.sink.before = (_topic, partition) => {
    first ??= partition;
    return partition === first ? stalled.through() : undefined;
  };
  await world.source.feed(from, [events(0, 1)[0]]);
  await world.clock.advance(2_000);
  assert.equal(stalled.waiting, 1, 'frame 1 is under way');
  for (let offset = 1; offset < 40; offset++) await world.source.feed(from, events(offset, 1));
  await world.clock.advance(5_000);

  const settledLater = world.sink.sources('out').length;
  assert.ok(settledLater > 0, 'later records are settled');
  assert.deepEqual(world.source.commits, [], 'nothing may be committed before record 0 is settled');

  stalled.open();
  await world.clock.advance(5_000);
  // A fetch that ended in a gap advances beyond it.
  await world.source.feed(from, events(40, 2), 57);
  const outcome = await world.finish();
  assert.equal(outcome.result, 'done');
  const offsets = world.source.commits.map(({ offset }) => offset);
  assert.deepEqual(
    offsets,
    [...offsets].sort((a, b) => a - b),
  );
  assert.equal(offsets.at(-1), 57);
});

test('L2 no gap: a frame without records moves the watermark after the frames before it, and causes no calls', async () => {
  const world = startWorld({ enriched: true });
  const from = origin();
  world.source.assign(from);
  const stalled = new Gate();
  stalled.close();
  world.sink.before = () => stalled.through();
  await world.source.feed(from, [], 2);
  await world.source.feed(from, events(2, 3));
  await world.source.feed(from, [], 9);
  await world.clock.advance(5_000);
  const offsets = () => world.source.commits.map(({ offset }) => offset);
  assert.deepEqual(offsets(), [2], 'nothing is before the first gap; records lie before the second');
  stalled.open();
  await world.clock.advance(5_000);
  assert.deepEqual(offsets(), [2, 9]);
  await world.source.feed(from, [], 12);
  const outcome = await world.finish();
  assert.deepEqual([outcome.result, outcome.unsettledRecords, offsets().at(-1)], ['done', 0, 12]);
  assert.equal(world.sink.sources('out').length, 3);
});
