import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SluiceError } from '../../../src/kernel/errors.ts';
import { OPEN, REASONS } from '../../../src/kernel/fate.ts';
import type { Frame } from '../../../src/kernel/frame.ts';
import { createInfer } from '../../../src/stages/infer.ts';
import { FakeSession, Gate } from '../../fixtures/fakes.ts';
import { testPlan } from '../../fixtures/plan.ts';
import { preprocessed, stageDeps } from '../../fixtures/stage-deps.ts';

const POISON = 666;

function fates(frame: Frame): string[] {
  return Array.from(frame.fate, (fate, i) => (fate === OPEN ? 'open' : REASONS[frame.reason[i]]));
}

test('as many batches at once as the session can run, each row with its own answer, wherever it ran', async () => {
  const deps = stageDeps();
  const session = Object.assign(new FakeSession(), { concurrency: 3 });
  const gates = Array.from({ length: 5 }, () => new Gate());
  for (const gate of gates) gate.close();
  // As a session of several threads does: what it is given is copied at once.
  const answer = session.run.bind(session);
  let most = 0;
  let running = 0;
  let asked = 0;
  session.run = async (feeds, rows) => {
    const own = [(feeds[0] as Float32Array).slice()];
    most = Math.max(most, ++running);
    await gates[asked++].through();
    running--;
    return answer(own, rows);
  };
  const infer = createInfer({ ...deps, session }, testPlan({ flow: { maxBatch: 4 } }));
  infer.setFlushing(true);
  const frames = Array.from({ length: 5 }, (_, n) =>
    preprocessed([10 * n + 1, 10 * n + 2, 10 * n + 3, 10 * n + 4], deps.clock),
  );
  const settled: number[] = [];
  const done = frames.map(async (frame, n) => {
    await infer(frame);
    settled.push(n);
  });
  assert.equal(asked, 3, 'three begin, two wait');
  gates[2].open();
  await deps.clock.run(done[2]);
  assert.deepEqual([settled, asked], [[2], 4], 'what is free is used');
  for (const gate of gates) gate.open();
  await deps.clock.run(Promise.all(done));
  assert.equal(most, 3);
  for (const [n, frame] of frames.entries()) {
    assert.deepEqual(
      [...frame.outputs[0]],
      [1, 2, 3, 4].map((k) => 2 * (10 * n + k)),
    );
  }
});

test('a row at fault in one run is found there, and the others go on', async () => {
  const deps = stageDeps();
  const session = Object.assign(new FakeSession(), { concurrency: 2 });
  session.before = (values) => {
    if (values.includes(POISON)) throw new SluiceError('model-failed', 'cannot');
  };
  const inner = session.run.bind(session);
  session.run = (feeds, rows) => inner([(feeds[0] as Float32Array).slice()], rows);
  const infer = createInfer({ ...deps, session }, testPlan({ flow: { maxBatch: 3 } }));
  infer.setFlushing(true);
  const frames = [
    preprocessed([1, POISON, 3], deps.clock),
    preprocessed([4, 5, 6], deps.clock),
    preprocessed([7, 8, POISON], deps.clock),
  ];
  await deps.clock.run(Promise.all(frames.map((frame) => infer(frame))));
  assert.deepEqual(frames.map(fates), [
    ['open', 'model-failed', 'open'],
    ['open', 'open', 'open'],
    ['open', 'open', 'model-failed'],
  ]);
  assert.deepEqual([...frames[1].outputs[0]], [8, 10, 12]);
});
