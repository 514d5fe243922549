import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SluiceError } from '../../../src/kernel/errors.ts';
import { OPEN, REASONS } from '../../../src/kernel/fate.ts';
import type { Frame } from '../../../src/kernel/frame.ts';
import { createInfer } from '../../../src/stages/infer.ts';
import { FakeSession } from '../../fixtures/fakes.ts';
import { testPlan } from '../../fixtures/plan.ts';
import { preprocessed, stageDeps, type TestStageDeps } from '../../fixtures/stage-deps.ts';

const POISON = 666;

function start(): { deps: TestStageDeps; session: FakeSession; infer: ReturnType<typeof createInfer> } {
  const deps = stageDeps();
  const session = new FakeSession();
  const infer = createInfer({ ...deps, session }, testPlan({ flow: { maxBatch: 64 } }));
  infer.setFlushing(true);
  return { deps, session, infer };
}

function fates(frame: Frame): string[] {
  return Array.from(frame.fate, (fate, i) => (fate === OPEN ? 'open' : REASONS[frame.reason[i]]));
}

/** A device with memory for so many rows; `left` counts the runs that went over it. */
function roomFor(session: FakeSession, room: { rows: number; exceeded: number }): void {
  session.before = (values) => {
    if (values.length <= room.rows) return;
    room.exceeded++;
    throw new SluiceError('device-memory', 'Failed to allocate memory');
  };
}

test('a batch that finds no memory is run in parts: no record is at fault, and batches stay small until memory is back', async () => {
  const { deps, session, infer } = start();
  const room = { rows: 12, exceeded: 0 };
  roomFor(session, room);
  const values = Array.from({ length: 60 }, (_, n) => n + 1);
  const frame = preprocessed(values, deps.clock);
  await deps.clock.run(infer(frame) as Promise<void>);
  assert.deepEqual(new Set(fates(frame)), new Set(['open']));
  assert.deepEqual(
    [...frame.outputs[0]],
    values.map((value) => 2 * value),
  );
  const limit = deps.telemetry.gauges.get('sluice_batch_limit_rows{model=test@1#0123456789ab}') as () => number;
  assert.ok(limit() <= 12 && limit() >= 4, `${limit()}`);
  assert.equal(deps.telemetry.count('sluice_retries_total', { what: 'model', reason: 'device-memory' }), room.exceeded);
  assert.ok(room.exceeded <= 3, 'what was found too large is not tried again');
  assert.match(String(deps.telemetry.eventsNamed('batch-reduced')[0].reason), /Failed to allocate/);

  const before = room.exceeded;
  for (let n = 0; n < 20; n++) await deps.clock.run(infer(preprocessed(values, deps.clock)) as Promise<void>);
  assert.ok(room.exceeded - before <= 1, 'the limit grows slowly');

  room.rows = 64;
  for (let n = 0; n < 500; n++) await deps.clock.run(infer(preprocessed(values, deps.clock)) as Promise<void>);
  assert.equal(limit(), 64);
  assert.equal(deps.telemetry.eventsNamed('batch-restored').length, 1);
  session.batches.length = 0;
  await deps.clock.run(infer(preprocessed(values, deps.clock)) as Promise<void>);
  assert.deepEqual(session.batches, [60]);
});

test('a row that finds no memory alone waits for it', async () => {
  const { deps, session, infer } = start();
  const room = { rows: 0, exceeded: 0 };
  roomFor(session, room);
  const frame = preprocessed([1, 2], deps.clock);
  const done = infer(frame) as Promise<void>;
  await deps.clock.advance(100);
  room.rows = 8;
  await deps.clock.run(done);
  assert.deepEqual(
    [fates(frame), [...frame.outputs[0]]],
    [
      ['open', 'open'],
      [2, 4],
    ],
  );
});

test('a row for which there is never memory, while others find some, is at fault itself, not the size of its batch', async () => {
  const { deps, session, infer } = start();
  session.before = (values) => {
    if (values.includes(POISON)) throw new SluiceError('device-memory', 'out of memory');
  };
  const frame = preprocessed([1, POISON, 3, 4], deps.clock);
  await deps.clock.run(infer(frame) as Promise<void>);
  assert.deepEqual(fates(frame), ['open', 'model-failed', 'open', 'open']);
  const limit = deps.telemetry.gauges.get('sluice_batch_limit_rows{model=test@1#0123456789ab}');
  assert.equal(limit?.(), 64);
});

test('a device without memory for a row of zeros ends the run, and no record is blamed for it', async () => {
  const { deps, session, infer } = start();
  roomFor(session, { rows: 0, exceeded: 0 });
  const frame = preprocessed([1, 2, 3, 4], deps.clock);
  await assert.rejects(deps.clock.run(infer(frame) as Promise<void>), { code: 'device-failed' });
  assert.deepEqual(new Set(fates(frame)), new Set(['open']));
  assert.ok(session.batches.length < 12, 'each row does not wait for itself');
});
