import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Credit } from '../../../src/kernel/credit.ts';
import { SluiceError } from '../../../src/kernel/errors.ts';
import type { Frame } from '../../../src/kernel/frame.ts';
import { FrameBuilder } from '../../../src/kernel/frame-builder.ts';
import { FramePool } from '../../../src/kernel/frame-memory.ts';
import { Watermarks } from '../../../src/offsets/watermark.ts';
import type { Position } from '../../../src/ports/source.ts';
import { createCommit } from '../../../src/stages/commit.ts';
import { Gate } from '../../fixtures/fakes.ts';
import { emptyRecords } from '../../fixtures/frames.ts';
import { ORIGIN, stageDeps } from '../../fixtures/stage-deps.ts';

function start() {
  const { clock, telemetry } = stageDeps();
  const credit = new Credit({ maxRecords: 1_000, maxBytes: 1_000 });
  const watermarks = new Watermarks();
  watermarks.open(ORIGIN);
  const gate = new Gate();
  const stored: number[] = [];
  const failed: unknown[] = [];
  const world = { fails: undefined as Error | undefined, inFlight: 0, most: 0 };
  const source = {
    async commit(positions: readonly Position[]): Promise<void> {
      world.most = Math.max(world.most, ++world.inFlight);
      try {
        await gate.through();
        if (world.fails) throw world.fails;
        stored.push(...positions.map(({ offset }) => offset));
      } finally {
        world.inFlight--;
      }
    },
  };
  const onFailed = (error: unknown): void => void failed.push(error);
  const commit = createCommit(
    { clock, telemetry, credit, watermarks, source, onFailed },
    { everyMs: 1_000, everyRecords: 100 },
  );
  let offset = 0;
  /** One more frame, settled. */
  const settle = (): Frame => {
    const frame = emptyRecords(ORIGIN, offset++, 1);
    assert.ok(credit.tryTake(frame.count, frame.bytes));
    watermarks.admit(frame);
    frame.unsettled = 0;
    commit(frame);
    return frame;
  };
  return { clock, telemetry, credit, watermarks, gate, stored, failed, world, commit, settle };
}

test('positions are stored on the timer, only when they moved, until it is stopped', async () => {
  const { clock, stored, commit, settle } = start();
  commit.start();
  settle();
  settle();
  await clock.advance(999);
  assert.deepEqual(stored, []);
  await clock.advance(1);
  await clock.advance(5_000);
  assert.deepEqual(stored, [2]);
  settle();
  await clock.advance(1_000);
  assert.deepEqual(stored, [2, 3]);
  settle();
  commit.stop();
  await clock.advance(10_000);
  assert.deepEqual([stored, clock.timers], [[2, 3], 0]);
});

test('when much has settled since the last one, a commit does not wait for the timer', async () => {
  const { clock, stored, commit, settle } = start();
  commit.start();
  for (let n = 0; n < 99; n++) settle();
  await clock.advance(10);
  assert.deepEqual(stored, []);
  settle();
  await clock.advance(10);
  assert.deepEqual(stored, [100]);
  for (let n = 0; n < 99; n++) settle();
  await clock.advance(10);
  assert.deepEqual(stored, [100], 'counted anew');
  commit.stop();
});

test('one call in flight; who asks during it gets a call of their own behind it, with what is settled by then', async () => {
  const { clock, gate, stored, world, commit, settle } = start();
  gate.close();
  settle();
  const done = [commit.now()];
  await clock.advance(0);
  settle();
  done.push(commit.now(), commit.now());
  settle();
  await clock.advance(0);
  assert.deepEqual([world.inFlight, stored], [1, []]);
  gate.open();
  await clock.run(Promise.all(done));
  assert.deepEqual([stored, world.most], [[1, 3], 1]);
});

test('a timer that is stopped during a call does not start again', async () => {
  const { clock, gate, commit, settle } = start();
  commit.start();
  gate.close();
  settle();
  await clock.advance(1_000);
  commit.stop();
  gate.open();
  await clock.advance(0);
  assert.equal(clock.timers, 0);
});

test('a commit that fails is counted, told, and tried again at the next tick with what is then settled', async () => {
  const { clock, telemetry, stored, failed, world, commit, settle } = start();
  commit.start();
  settle();
  world.fails = new SluiceError('broker-unavailable', 'the coordinator moved');
  await clock.advance(3_000);
  assert.deepEqual([stored, failed], [[], []]);
  assert.equal(telemetry.count('sluice_commits_total', { result: 'failed' }), 3);
  assert.deepEqual(telemetry.eventsNamed('commit-failed')[0], { reason: 'the coordinator moved' });
  settle();
  world.fails = undefined;
  await clock.advance(1_000);
  assert.deepEqual(stored, [2]);
  assert.equal(telemetry.count('sluice_commits_total', { result: 'stored' }), 1);
});

test('a commit that is refused for good is a failure of the run', async () => {
  const { clock, failed, world, commit, settle } = start();
  settle();
  world.fails = new SluiceError('consumer-dead', 'fenced');
  await clock.run(commit.now());
  assert.deepEqual(
    failed.map((error) => (error as SluiceError).code),
    ['consumer-dead'],
  );
});

test('credit comes back with every frame; what settles after its epoch ended is counted and moves nothing', async () => {
  const { clock, telemetry, credit, watermarks, stored, commit, settle } = start();
  const late = emptyRecords(ORIGIN, 100, 3);
  credit.tryTake(3, 0);
  watermarks.admit(late);
  assert.equal(credit.records, 3);
  watermarks.close(ORIGIN);
  late.unsettled = 0;
  commit(late);
  assert.equal(credit.records, 0);
  assert.equal(telemetry.count('sluice_late_completions_total'), 3);
  settle();
  await clock.run(commit.now());
  assert.deepEqual(stored, []);
});

test('memory goes back with a settled frame, and stays with one that was let go', () => {
  const { commit, credit, watermarks } = start();
  const pool = new FramePool(1 << 20);
  const frameAt = (offset: number): Frame => {
    const builder = new FrameBuilder(ORIGIN, 1, 1, pool);
    builder.append(offset, 0, null, Buffer.from('v'), null);
    const frame = builder.build(offset + 1, 0, 0);
    assert.ok(credit.tryTake(1, 1));
    watermarks.admit(frame);
    return frame;
  };
  const letGo = frameAt(0);
  commit(letGo);
  const settled = frameAt(1);
  assert.notEqual(settled.fate.buffer, letGo.fate.buffer);
  settled.unsettled = 0;
  commit(settled);
  assert.equal(frameAt(2).fate.buffer, settled.fate.buffer);
});
