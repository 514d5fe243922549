import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Gate } from '../fixtures/fakes.ts';
import { events, origin, startWorld } from '../fixtures/world.ts';

test('L3 order: within one output partition, records of one input partition keep their order', async () => {
  const world = startWorld({ enriched: true });
  const partitions = [origin(0), origin(1)];
  for (const from of partitions) world.source.assign(from);
  // The store answers the first frame last.
  const slow = new Gate();
  slow.close();
  world.store.before = (keys) => (keys.includes('slow') ? slow.through() : undefined);
  world.sink.partitions = 2;
  await world.source.feed(
    partitions[0],
    events(0, 5, () => 'slow'),
  );
  await world.source.feed(
    partitions[0],
    events(5, 50, () => 'quick'),
  );
  await world.source.feed(
    partitions[1],
    events(0, 50, () => 'quick'),
  );
  await world.source.feed(
    partitions[0],
    events(55, 50, () => 'other'),
  );
  await world.clock.advance(1_000);
  assert.equal(slow.waiting, 1);
  slow.open();
  assert.equal((await world.finish()).result, 'done');

  const seen = new Map<string, number[]>();
  for (const { partition, headers } of world.sink.acknowledged) {
    const [, input, offset] = headers['sluice-source'].split('/');
    const lane = `${input} → ${partition}`;
    seen.set(lane, [...(seen.get(lane) ?? []), Number(offset)]);
  }
  assert.equal(seen.size, 4);
  for (const [lane, offsets] of seen) {
    assert.deepEqual(
      offsets,
      [...offsets].sort((a, b) => a - b),
      `order of ${lane}`,
    );
  }
});
