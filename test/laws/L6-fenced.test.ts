import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deadlineIn } from '../../src/kernel/deadline.ts';
import { Gate } from '../fixtures/fakes.ts';
import { events, origin, startWorld } from '../fixtures/world.ts';

test('L6 fenced: nothing is committed for a partition after its epoch ended; before a re-join: drain, commit, then join', async () => {
  const world = startWorld({ enriched: true });
  const [kept, lost] = [origin(0), origin(1)];
  for (const from of [kept, lost]) world.source.assign(from);

  // A re-join that can drain: everything is settled and committed before it goes on.
  await world.source.feed(
    kept,
    events(0, 10, () => 'quick'),
  );
  await world.source.feed(
    lost,
    events(0, 10, () => 'quick'),
  );
  const clean = await world.clock.run(world.source.revoking(deadlineIn(world.clock, 3_000)));
  assert.equal(clean, true);
  const positions = new Map(world.source.commits.map(({ origin: of, offset }) => [of.partition, offset]));
  assert.deepEqual([...positions].sort(), [
    [0, 10],
    [1, 10],
  ]);

  // One that cannot: the store does not answer in time, the partition goes to somebody else, then the answer comes.
  const slow = new Gate();
  slow.close();
  world.store.before = (keys) => (keys.includes('slow') ? slow.through() : undefined);
  await world.source.feed(
    lost,
    events(10, 10, () => 'slow'),
  );
  await world.source.feed(
    kept,
    events(10, 10, () => 'quick'),
  );
  const drained = await world.clock.run(world.source.revoking(deadlineIn(world.clock, 3_000)));
  assert.equal(drained, false, 'the deadline came first');
  world.source.listener.onRevoked(lost);
  const committedBefore = world.source.commits.filter(({ origin: of }) => of === lost).length;
  const publishedBefore = world.sink.sources('out').filter((source) => source.startsWith('in/1/')).length;

  slow.open();
  await world.clock.advance(10_000);
  assert.equal((await world.finish()).result, 'done');
  assert.equal(world.source.commits.filter(({ origin: of }) => of === lost).length, committedBefore);
  assert.equal(world.sink.sources('out').filter((source) => source.startsWith('in/1/')).length, publishedBefore);
  assert.equal(world.telemetry.count('sluice_late_completions_total'), 10);
  assert.equal(world.telemetry.count('sluice_duplicates_possible_total'), 10, 'somebody else reads them again');
  assert.equal(world.source.commits.filter(({ origin: of }) => of === kept).at(-1)?.offset, 20);
  assert.equal(world.credit.records, 0);
});
