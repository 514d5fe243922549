import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SluiceError } from '../../src/kernel/errors.ts';
import { event, events, origin, startWorld } from '../fixtures/world.ts';

test('L7 honest: a failed send, output or dead letter, is never a settle; no fallback is silent', async () => {
  for (const failing of ['out', 'dead']) {
    const world = startWorld();
    const from = origin();
    world.source.assign(from);
    let down = true;
    world.sink.before = (topic) => {
      if (down && topic === failing) throw new SluiceError('broker-unavailable', 'the broker is down');
    };
    await world.source.feed(from, failing === 'out' ? events(0, 20) : [event(0, null), ...events(1, 19)]);
    await world.clock.advance(60_000);

    assert.equal(world.source.commits.length, 0, 'nothing is committed while a send fails');
    assert.equal(world.sink.sources(failing).length, 0);
    assert.equal(world.credit.records, 20, 'the records stay unsettled');
    const retries = world.telemetry.count('sluice_retries_total', { what: 'sink', reason: 'broker-unavailable' });
    assert.ok(retries > 3, `retries are counted: ${retries}`);
    assert.equal(world.runner.health().ready, false);
    assert.match(world.runner.health().reason, new RegExp(`broker ${failing}/0: the broker is down`));

    down = false;
    await world.clock.advance(10_000);
    assert.equal(world.runner.health().ready, true);
    assert.equal((await world.finish()).result, 'done');
    assert.equal(world.sink.acknowledged.length, 20);
    assert.equal(world.source.commits.at(-1)?.offset, 20);
  }
});
