import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { deadlineIn } from '../../../../src/kernel/deadline.ts';
import { SluiceError } from '../../../../src/kernel/errors.ts';
import { DEAD_LETTERED, REASONS, reasonCode } from '../../../../src/kernel/fate.ts';
import { decide } from '../../../../src/kernel/frame.ts';
import type { Transaction, TransactionalSink } from '../../../../src/ports/transactions.ts';
import { createDeliverOnce } from '../../../../src/stages/deliver-once.ts';
import { createDeadLetterLimit, FateWindow } from '../../../../src/stages/delivery/dead-letter-limit.ts';
import { type FakeRecord, Gate } from '../../../fixtures/fakes.ts';
import { emptyRecords } from '../../../fixtures/frames.ts';
import { testPlan } from '../../../fixtures/plan.ts';
import { ORIGIN, stageDeps } from '../../../fixtures/stage-deps.ts';
import { event, events, origin, startWorld } from '../../../fixtures/world.ts';

const FAILED = reasonCode('decode-failed');

test('the window says what a list of all fates says, whatever is added and amended', () => {
  const step = fc.oneof(
    { weight: 8, arbitrary: fc.record({ reason: fc.integer({ min: 0, max: REASONS.length - 1 }) }) },
    { weight: 1, arbitrary: fc.record({ back: fc.nat(30), reason: fc.integer({ min: 1, max: REASONS.length - 1 }) }) },
  );
  const ratios = fc.constantFrom(0.01, 0.07, 0.29, 0.5, 0.57, 1);
  fc.assert(
    fc.property(ratios, fc.integer({ min: 1, max: 20 }), fc.array(step, { maxLength: 120 }), (ratio, window, steps) => {
      const fates = new FateWindow({ ratio, window });
      const all: number[] = [];
      let exceeded = false;
      for (const each of steps) {
        if ('back' in each) {
          if (each.back >= all.length) continue;
          const n = all.length - 1 - each.back;
          all[n] = each.reason;
          fates.amend(n, each.reason);
        } else {
          all.push(each.reason);
          fates.add(each.reason);
        }
        const last = all.slice(-window);
        const dead = last.filter((reason) => reason !== 0);
        if (last.length === window && dead.length / window > ratio) exceeded = true;
        assert.deepEqual([fates.dead, fates.total, fates.exceeded], [dead.length, all.length, exceeded]);
        const { reason, records } = fates.commonest();
        const most = Math.max(0, ...REASONS.map((_, code) => dead.filter((one) => one === code).length));
        assert.equal(records, most);
        if (most > 0) assert.equal(dead.filter((one) => REASONS[one] === reason).length, most);
      }
    }),
    { seed: 1 },
  );
});

test('a share is above the ratio where the quotient is, not where a rounded product is', () => {
  for (const [ratio, window] of [
    [0.29, 100],
    [0.07, 100],
    [0.57, 100],
    [0.5, 101],
    [1 / 3, 300],
  ]) {
    const most = Array.from({ length: window + 1 }, (_, n) => n).filter((n) => n / window <= ratio).length - 1;
    for (const [dead, exceeded] of [
      [most, false],
      [most + 1, true],
    ] as const) {
      const fates = new FateWindow({ ratio, window });
      for (let n = 0; n < window; n++) fates.add(n < dead ? FAILED : 0);
      assert.equal(fates.exceeded, exceeded, `${dead} of ${window} at ${ratio}`);
    }
  }
});

test('where frames are cut does not matter: the window is looked at after each record', () => {
  for (const frames of [1, 4, 300]) {
    const deps = stageDeps();
    const limit = createDeadLetterLimit(deps, { topic: 'dead', limit: { ratio: 0.5, window: 100 } });
    // 51 dead letters among 100, early; by the end of a single frame they are long gone.
    const admitted = Array.from({ length: frames }, (_, f) => {
      const frame = emptyRecords(ORIGIN, 0, 300 / frames);
      for (let i = 0; i < frame.count; i++) {
        const n = f * frame.count + i;
        if (n >= 60 && n < 111) decide(frame, i, DEAD_LETTERED, FAILED);
      }
      return limit.admits(frame);
    });
    assert.equal(admitted.includes(false), true);
    assert.equal(admitted.at(-1), false, 'and it stays so');
    const said = deps.telemetry.eventsNamed('dead-letter-limit');
    assert.equal(said.length, 1);
    assert.deepEqual([said[0].deadLetters, said[0].reason], [51, 'decode-failed'], 'the figures of that moment');
  }
});

const LIMIT = { ratio: 0.5, window: 100 };
const bad = (offset: number): FakeRecord => ({ offset, value: 'not json' });
const bads = (from: number, count: number): FakeRecord[] => Array.from({ length: count }, (_, n) => bad(from + n));

/** A world that has taken 60 good and 30 bad records, 90 in all, and then bad ones until it holds. */
async function heldWorld(): Promise<{ world: ReturnType<typeof startWorld>; released: number }> {
  const world = startWorld({ limit: LIMIT, flow: { drainMs: 20_000 } });
  const from = origin();
  world.source.assign(from);
  await world.source.feed(from, [...events(0, 60), ...bads(60, 30)]);
  await world.clock.advance(1_000);
  assert.equal(world.runner.health().ready, true);
  // Ten a frame: with 30 more, 60 of the last 100 are bad.
  for (let at = 90; at < 150; at += 10) await world.source.feed(from, bads(at, 10));
  await world.clock.advance(2_000);
  return { world, released: 110 };
}

test('above the limit nothing more is published or dead-lettered; not ready, and why, but live', async () => {
  const { world, released } = await heldWorld();
  const { source, sink, runner, telemetry, credit, clock } = world;
  assert.equal(sink.acknowledged.length, released, '110 records: 50 of the last 100 are bad, which is not above half');
  assert.equal(telemetry.count('sluice_records_total', { fate: 'dead-lettered' }), 50);
  assert.equal(credit.records, 40, 'what is held keeps its credit, so the source stands still by itself');
  const { live, ready, reason } = runner.health();
  assert.deepEqual([live, ready], [true, false]);
  assert.match(
    reason,
    /^dead letters: \d+ of the last 100 records .*\(\d+ %, the limit is 50 %\), \d+ of them decode-failed: .*look at them in dead \(sluice dlq list\).*restart.*raise deadLetter\.limit/,
  );
  assert.equal(telemetry.count('sluice_pauses_total', { reason: 'dead-letters' }), 1);
  const [said, ...more] = telemetry.eventsNamed('dead-letter-limit');
  assert.deepEqual([said.reason, said.window, said.topic, more.length], ['decode-failed', 100, 'dead', 0]);
  // Good records do not get it going, nor does time; another partition stands still too.
  const other = origin(1);
  source.assign(other);
  await source.feed(other, events(0, 20));
  await clock.advance(3_600_000);
  assert.equal(sink.acknowledged.length, released);
  assert.equal(runner.health().live, true, 'an hour of it is no stall: a restart would only dead-letter some more');
  assert.equal(source.commits.at(-1)?.offset, 110);
});

test('a signal ends a run that is held at once, with what was settled stored, and says what to do', async () => {
  const { world } = await heldWorld();
  const stoppedMs = world.clock.monotonicMs();
  const outcome = await world.finish();
  assert.ok(world.clock.monotonicMs() - stoppedMs < 1_000, 'the drain budget is not used up');
  assert.deepEqual(
    [outcome.result, outcome.error?.code, outcome.unsettledRecords],
    ['failed', 'dead-letters-exceeded', 40],
  );
  assert.match(outcome.error?.message ?? '', /nothing more was processed.*sluice dlq list.*restart/);
  assert.equal(world.source.commits.at(-1)?.offset, 110);
  assert.equal(world.sink.acknowledged.length, 110);
});

test('a re-join does not wait for what is held, nor does it end the process', async () => {
  const { world } = await heldWorld();
  const { clock, source, telemetry } = world;
  const beganMs = clock.monotonicMs();
  assert.equal(await clock.run(source.revoking(deadlineIn(clock, 15_000))), false);
  assert.ok(clock.monotonicMs() - beganMs < 1_000);
  assert.equal(telemetry.count('sluice_drains_total', { result: 'held' }), 1);
  assert.equal(telemetry.eventsNamed('rebalance-deadline-missed').length, 0);
  source.listener.onRevoked(origin());
  await clock.advance(60_000);
  assert.equal(world.runner.state(), 'running');
  assert.equal(world.runner.health().live, true);
});

test('what was released before is waited for, and stored, before the end', async () => {
  const world = startWorld({ limit: LIMIT, flow: { drainMs: 20_000 } });
  const { clock, source, sink, runner } = world;
  const from = origin();
  source.assign(from);
  await source.feed(from, events(0, 60));
  await clock.advance(1_000);
  const gate = new Gate();
  gate.close();
  sink.before = () => gate.through();
  await source.feed(from, events(60, 10));
  await source.feed(from, bads(70, 80));
  await clock.advance(1_000);
  assert.equal(runner.health().ready, false);
  runner.stop();
  clock.after(5_000, () => gate.open());
  const outcome = await clock.run(world.outcome);
  assert.equal(outcome.error?.code, 'dead-letters-exceeded');
  assert.equal(source.commits.at(-1)?.offset, 70);
});

test('outputs that the broker refuses count as the dead letters that they become', async () => {
  const world = startWorld({ limit: LIMIT });
  const { clock, source, sink, runner } = world;
  sink.before = (topic) => {
    if (topic === 'out') throw new SluiceError('record-too-large', 'too large');
  };
  const from = origin();
  source.assign(from);
  for (let at = 0; at < 200; at += 20) {
    await source.feed(from, events(at, 20));
    await clock.advance(1_000);
  }
  // The frame that was refused its release had not been refused by the broker.
  assert.match(runner.health().reason, /80 of the last 100 records .*80 of them unpublishable/);
  assert.equal(sink.acknowledged.length, 80);
});

test('exactly once: above the limit no transaction takes more in, and the position stays where it is', async () => {
  const deps = stageDeps();
  const published: Transaction[] = [];
  const sink: TransactionalSink = {
    open: async () => undefined,
    partitionCount: () => 1,
    close: async () => undefined,
    async publish(transaction) {
      published.push(transaction);
      return 'committed';
    },
  };
  const over = { isCurrent: () => true, renew: () => undefined, instance: 'test' };
  const deliver = createDeliverOnce({ ...deps, ...over, sink }, testPlan({ limit: LIMIT }));
  deliver.setFlushing(true);
  let settled = 0;
  for (let from = 0; from < 150; from += 50) {
    const frame = emptyRecords(ORIGIN, from, 50);
    for (let i = 0; i < 50; i++) decide(frame, i, DEAD_LETTERED, FAILED);
    deliver.admit(frame);
    void deliver(frame).then(() => settled++);
    await deps.clock.advance(1_000);
  }
  const error = await deps.clock.run(deliver.standstill as Promise<SluiceError>);
  assert.equal(error.code, 'dead-letters-exceeded');
  assert.equal(settled, 1, 'the second frame fills the window');
  assert.deepEqual(
    published.map(({ nextOffset }) => nextOffset),
    [50],
  );
});

test('without a limit, and below it, everything goes on', async () => {
  for (const limit of [undefined, { ratio: 0.6, window: 100 }]) {
    const world = startWorld({ limit });
    const from = origin();
    world.source.assign(from);
    for (let at = 0; at < 400; at += 20) {
      const half = Array.from({ length: 20 }, (_, n) => (n % 2 === 0 ? bad(at + n) : event(at + n)));
      await world.source.feed(from, limit === undefined ? bads(at, 20) : half);
      await world.clock.advance(100);
    }
    assert.equal((await world.finish()).result, 'done');
    assert.equal(world.sink.acknowledged.length, 400);
  }
});
