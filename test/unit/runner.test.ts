import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deadlineIn } from '../../src/kernel/deadline.ts';
import { SluiceError } from '../../src/kernel/errors.ts';
import { bare } from '../fixtures/bare-runner.ts';
import { Gate } from '../fixtures/fakes.ts';
import { emptyRecords } from '../fixtures/frames.ts';
import { event, events, origin, startWorld } from '../fixtures/world.ts';

test('a failure ends the run: nothing further is published, and only what was settled before is committed', async () => {
  const world = startWorld({ enriched: true });
  const from = [origin(0), origin(1)];
  for (const each of from) world.source.assign(each);
  await world.source.feed(from[0], events(0, 5));
  await world.clock.advance(100);
  assert.equal(world.sink.acknowledged.length, 5);
  const slow = new Gate();
  slow.close();
  world.store.before = (keys) => (keys.includes('slow') ? slow.through() : undefined);
  await world.source.feed(
    from[1],
    events(0, 5, () => 'slow'),
  );
  world.session.before = (values) => {
    if (values[0] === 5) throw new SluiceError('device-failed', 'the device is gone');
  };
  await world.source.feed(from[0], [event(5)]);
  const outcome = await world.clock.run(world.outcome);
  slow.open();
  await world.clock.advance(60_000);

  assert.equal(outcome.result, 'failed');
  assert.match(String(outcome.error?.message), /the device is gone/);
  assert.equal(outcome.unsettledRecords, 6);
  assert.equal(world.sink.acknowledged.length, 5, 'what was on its way when the run failed is not published');
  assert.deepEqual(
    world.source.commits.map(({ origin: of, offset }) => [of.partition, offset]),
    [[0, 5]],
  );
  assert.equal(world.runner.state(), 'failed');
  assert.deepEqual([world.runner.health().live, world.runner.health().ready], [false, false]);
  assert.equal(world.telemetry.eventsNamed('failed').length, 1);
});

test('rows that linger when the run fails are not sent', async () => {
  const world = startWorld();
  const from = origin();
  world.source.assign(from);
  await world.source.feed(from, events(0, 5));
  await world.clock.advance(0);
  world.source.listener.onFailed(new SluiceError('consumer-dead', 'fenced'));
  const outcome = await world.clock.run(world.outcome);
  await world.clock.advance(60_000);
  assert.deepEqual([outcome.result, outcome.unsettledRecords], ['failed', 5]);
  assert.deepEqual([world.sink.calls, world.source.commits], [0, []]);
});

test('a commit that fails for a moment does not spoil a drain that has time, at the end and before a re-join', async () => {
  for (const rejoin of [false, true]) {
    const world = startWorld();
    const from = origin();
    world.source.assign(from);
    await world.source.feed(from, events(0, 20));
    world.source.commitFails = new SluiceError('broker-unavailable', 'the coordinator moves');
    world.clock.after(700, () => {
      world.source.commitFails = undefined;
    });
    if (rejoin) assert.equal(await world.clock.run(world.source.revoking(deadlineIn(world.clock, 3_000))), true);
    assert.equal((await world.finish()).result, 'done');
    assert.equal(world.source.commits.at(-1)?.offset, 20);
  }
});

test('a commit that fails until the budget is over leaves the end unclean, and in time', async () => {
  const world = startWorld({ flow: { drainMs: 2_000 } });
  const from = origin();
  world.source.assign(from);
  await world.source.feed(from, events(0, 20));
  await world.clock.advance(500);
  world.source.commitFails = new SluiceError('broker-unavailable', 'no coordinator');
  const stoppedMs = world.clock.monotonicMs();
  const outcome = await world.finish();
  assert.deepEqual([outcome.result, outcome.unsettledRecords], ['drain-budget', 0]);
  assert.ok(world.clock.monotonicMs() - stoppedMs <= 2_000);
});

test('a stop before the source is ready ends at once; the start that comes late changes nothing', async () => {
  const { clock, telemetry, source, runner } = bare();
  const gate = new Gate();
  gate.close();
  source.start = () => gate.through();
  const outcome = runner.run();
  await clock.advance(10);
  assert.deepEqual([runner.state(), runner.health().ready], ['starting', false]);
  runner.stop();
  assert.equal((await clock.run(outcome)).result, 'done');
  gate.open();
  await clock.advance(10);
  assert.deepEqual([runner.state(), telemetry.eventsNamed('ready').length], ['stopped', 0]);
  assert.equal(source.halted, true);
});

test('a source that cannot start fails the run', async () => {
  const { clock, source, runner } = bare();
  source.start = () => Promise.reject(new SluiceError('topic-missing', 'no topic "in"'));
  const outcome = await clock.run(runner.run());
  assert.deepEqual([outcome.result, outcome.error?.code], ['failed', 'topic-missing']);
});

test('a start that is given up because of a stop is no failure; one that fails by itself is', async () => {
  for (const stopped of [true, false]) {
    const { clock, runner, source } = bare();
    const gate = new Gate();
    gate.close();
    source.start = async () => {
      await gate.through();
      throw new SluiceError('broker-unavailable', 'no broker answers');
    };
    const outcome = runner.run();
    if (stopped) runner.stop();
    gate.open();
    assert.equal((await clock.run(outcome)).result, stopped ? 'done' : 'failed');
  }
});

test('a second stop, and one after the end, change nothing', async () => {
  const { clock, telemetry, runner } = bare();
  const outcome = runner.run();
  await clock.advance(1);
  assert.equal(runner.health().ready, true);
  runner.stop();
  runner.stop();
  assert.equal(runner.health().reason, 'draining');
  assert.equal((await clock.run(outcome)).result, 'done');
  runner.stop();
  assert.deepEqual([runner.state(), telemetry.eventsNamed('draining').length], ['stopped', 1]);
  assert.equal(clock.timers, 0, 'nothing is left behind');
});

test('a second interrupt ends at once; what is unsettled is told, and nothing is waited for', async () => {
  const gate = new Gate();
  gate.close();
  const { clock, credit, telemetry, source, runner } = bare({ path: () => gate.through() });
  const outcome = runner.run();
  await clock.advance(1);
  const from = origin(0);
  source.assign(from);
  await source.feed(from, [event(0)]);
  runner.stop();
  await clock.advance(10);
  runner.abort();
  assert.deepEqual(await outcome, { result: 'drain-budget', error: undefined, unsettledRecords: 1 });
  assert.equal(telemetry.eventsNamed('drain-cut-short').length, 1);
  assert.equal(credit.records, 1);
  assert.deepEqual(source.commits, []);
});

test('a drain that settles nothing keeps a quarter of its budget for leaving the group', async () => {
  const gate = new Gate();
  gate.close();
  const { clock, source, runner } = bare({ path: () => gate.through() });
  const left: number[] = [];
  const close = source.close.bind(source);
  source.close = () => {
    left.push(clock.monotonicMs());
    return close();
  };
  const outcome = runner.run();
  const from = origin(0);
  source.assign(from);
  await source.feed(from, [event(0)]);
  const startedMs = clock.monotonicMs();
  runner.stop();
  assert.equal((await clock.run(outcome)).result, 'drain-budget');
  assert.deepEqual(left, [startedMs + 750]);
});

test('the end of a bounded source drains, without a budget for what is under way', async () => {
  const gate = new Gate();
  gate.close();
  const flushed: boolean[] = [];
  const { clock, credit, source, runner } = bare({
    path: () => gate.through(),
    setFlushing: (flushing) => void flushed.push(flushing),
  });
  const outcome = runner.run();
  await clock.advance(0);
  const from = origin();
  source.assign(from);
  await credit.take(1, 0);
  source.listener.onFrame(emptyRecords(from, 0, 1));
  source.listener.onEnd();
  await clock.advance(600_000);
  assert.deepEqual([runner.state(), flushed], ['running', [true]]);
  gate.open();
  assert.equal((await clock.run(outcome)).result, 'done');
});

test('frames that come after the stop, or for a partition that is not ours, give their credit back', async () => {
  let walked = 0;
  const { clock, credit, source, runner } = bare({
    path: async () => {
      walked++;
    },
  });
  const outcome = runner.run();
  await clock.advance(0);
  const [ours, lost] = [origin(0), origin(1)];
  source.assign(ours);
  source.assign(lost);
  source.listener.onRevoked(lost);
  await credit.take(2, 0);
  source.listener.onFrame(emptyRecords(lost, 0, 2));
  assert.deepEqual([credit.records, walked], [0, 0]);
  runner.stop();
  await credit.take(3, 0);
  source.listener.onFrame(emptyRecords(ours, 0, 3));
  assert.deepEqual([credit.records, walked], [0, 0]);
  assert.equal((await clock.run(outcome)).result, 'done');
});

test('what fails while it is closed is told, and does not keep the rest from being closed', async () => {
  const { clock, telemetry, source, runner } = bare({ close: () => Promise.reject(new Error('already gone')) });
  source.close = () => {
    throw new Error('no group');
  };
  const outcome = runner.run();
  await clock.advance(0);
  runner.stop();
  assert.equal((await clock.run(outcome)).result, 'done');
  assert.deepEqual(
    telemetry.eventsNamed('close-failed').map(({ step }) => step),
    ['leave', 'close'],
  );
});

test('lag is told for the partitions that are ours, and for no others', async () => {
  const { clock, telemetry, source, runner } = bare();
  const outcome = runner.run();
  await clock.advance(0);
  const from = origin(4);
  source.assign(from);
  source.lag = () => [{ topic: 'in', partition: 4, records: 17, seconds: 2 }] as never;
  const read = telemetry.gauges.get('sluice_lag_records{partition=4,topic=in}');
  assert.equal(read?.(), 17);
  source.lag = () => [];
  assert.equal(read?.(), 17, 'one look at all gauges asks once');
  await clock.advance(101);
  assert.ok(Number.isNaN(read?.()));
  source.listener.onRevoked(from);
  assert.deepEqual(
    [...telemetry.gauges.keys()].filter((name) => name.includes('partition')),
    [],
  );
  runner.stop();
  await clock.run(outcome);
});

test('records that are published and not yet committed may be published twice by the next owner: they are counted', async () => {
  const world = startWorld();
  const from = origin();
  world.source.assign(from);
  await world.source.feed(from, events(0, 10));
  await world.clock.advance(2_000);
  assert.equal(world.source.commits.length, 1);
  world.source.commitFails = new SluiceError('broker-rejected', 'fenced');
  await world.source.feed(from, events(10, 7));
  await world.clock.advance(2_000);
  assert.equal(world.sink.acknowledged.length, 17);
  world.source.listener.onRevoked(from);
  assert.equal(world.telemetry.count('sluice_duplicates_possible_total'), 7);
  await world.finish();
});
