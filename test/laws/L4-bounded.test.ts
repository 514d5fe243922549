import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Gate } from '../fixtures/fakes.ts';
import { event, origin, startWorld } from '../fixtures/world.ts';

test('L4 bounded: unsettled records and bytes never exceed the credit; exact arithmetic when the sink stops', async () => {
  const bytes = event(100).value?.length ?? 0;
  for (const limit of [
    { records: 90, bytes: 1024 * 1024, granted: 9 },
    { records: 10_000, bytes: bytes * 10 * 7 + 3, granted: 7 },
  ]) {
    const world = startWorld({ flow: { maxInFlight: limit } });
    const from = origin();
    world.source.assign(from);
    const stopped = new Gate();
    stopped.close();
    world.sink.before = () => stopped.through();
    let handedOver = 0;
    let most = 0;
    const feeding = (async () => {
      for (let frame = 0; frame < 20; frame++) {
        const records = Array.from({ length: 10 }, (_, i) => event(100 + frame * 10 + i));
        if (await world.source.feed(from, records)) handedOver++;
        most = Math.max(most, world.credit.records);
        assert.ok(world.credit.records <= limit.records && world.credit.bytes <= limit.bytes);
      }
    })();
    await world.clock.advance(10_000);
    assert.equal(handedOver, limit.granted, 'frames of 10 that fit the credit');
    assert.equal(world.credit.records, limit.granted * 10);
    assert.equal(world.credit.bytes, limit.granted * 10 * bytes);
    assert.equal(world.credit.waiting, 1);
    stopped.open();
    await world.clock.run(feeding);
    assert.equal((await world.finish()).result, 'done');
    assert.equal(handedOver, 20);
    assert.equal(most <= limit.granted * 10, true);
    assert.equal(world.sink.sources('out').length, 200);
  }
});
