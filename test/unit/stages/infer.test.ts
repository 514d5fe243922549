import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pause } from '../../../src/kernel/clock.ts';
import { SluiceError } from '../../../src/kernel/errors.ts';
import { DEAD_LETTERED, OPEN, REASONS } from '../../../src/kernel/fate.ts';
import type { Frame } from '../../../src/kernel/frame.ts';
import type { ModelOutput } from '../../../src/ports/model.ts';
import { createInfer } from '../../../src/stages/infer.ts';
import { FakeSession, Gate } from '../../fixtures/fakes.ts';
import { testPlan } from '../../fixtures/plan.ts';
import { preprocessed, stageDeps, type TestStageDeps } from '../../fixtures/stage-deps.ts';

const POISON = 666;

function poisoned(session: FakeSession, cost?: (rows: number) => Promise<void>): void {
  session.before = async (values) => {
    await cost?.(values.length);
    if (values.includes(POISON)) throw new SluiceError('model-failed', 'cannot');
  };
}

function start(maxBatch = 64): { deps: TestStageDeps; session: FakeSession; infer: ReturnType<typeof createInfer> } {
  const deps = stageDeps();
  const session = new FakeSession();
  const infer = createInfer({ ...deps, session }, testPlan({ flow: { maxBatch } }));
  infer.setFlushing(true);
  return { deps, session, infer };
}

function fates(frame: Frame): string[] {
  return Array.from(frame.fate, (fate, i) => (fate === OPEN ? 'open' : REASONS[frame.reason[i]]));
}

test('rows at fault are found by halving and dead-letter alone, whichever frames they came with', async () => {
  const { deps, session, infer } = start();
  poisoned(session);
  const gate = new Gate();
  gate.close();
  const opened = session.before;
  session.before = () => gate.through();
  const first = preprocessed([1], deps.clock);
  const frames = [
    preprocessed([2, POISON, 3], deps.clock),
    preprocessed([4, 5], deps.clock),
    preprocessed([6, 7, 8, POISON], deps.clock),
  ];
  const done = [first, ...frames].map((frame) => infer(frame));
  session.before = opened;
  gate.open();
  await deps.clock.run(Promise.all(done));

  assert.equal(session.batches[1], 9, 'all that waited went together');
  assert.deepEqual(frames.map(fates), [
    ['open', 'model-failed', 'open'],
    ['open', 'open'],
    ['open', 'open', 'open', 'model-failed'],
  ]);
  assert.deepEqual([...frames[0].outputs[0]], [4, Number.NaN, 6]);
  assert.deepEqual([...frames[1].outputs[0]], [8, 10]);
  assert.deepEqual([...frames[2].outputs[0]], [12, 14, 16, Number.NaN]);
  const retried = deps.telemetry.count('sluice_retries_total', { what: 'model', reason: 'model-failed' });
  assert.ok(retried >= 4 && retried <= 8, `no more runs than halving takes: ${retried}`);
  assert.equal(deps.telemetry.eventsNamed('row-failed').length, 2);
});

test('the record that a failed row stands for is the one that dead-letters, where rows and records differ', async () => {
  const { deps, session, infer } = start();
  poisoned(session);
  const frame = preprocessed([1, 2, 3, 4], deps.clock);
  frame.fate[0] = DEAD_LETTERED;
  frame.rows = 3;
  frame.recordOf = Int32Array.of(1, 2, 3);
  frame.inputs = [Float32Array.of(2, 3, POISON, 0)];
  await deps.clock.run(infer(frame) as Promise<void>);
  assert.deepEqual(fates(frame), ['none', 'open', 'open', 'model-failed']);
  assert.deepEqual([...frame.outputs[0]], [4, 6, Number.NaN]);
});

const WRONG: Readonly<Record<string, (rows: number) => readonly ModelOutput[]>> = {
  'another width': (rows) => [{ values: new Float32Array(rows * 2), width: 2 }],
  'too few values': (rows) => [{ values: new Float32Array(rows - 1), width: 1 }],
  'too many values': (rows) => [{ values: new Float32Array(rows + 1), width: 1 }],
  'no output at all': () => [],
};
for (const [what, answer] of Object.entries(WRONG)) {
  test(`an answer with ${what} is a failure of the row that it is given for, never a prediction`, async () => {
    const { deps, session, infer } = start();
    const right = session.run.bind(session);
    session.run = async (feeds, rows) =>
      (feeds[0] as Float32Array).includes(POISON) ? answer(rows) : right(feeds, rows);
    const frame = preprocessed([1, 2, POISON], deps.clock);
    await deps.clock.run(infer(frame) as Promise<void>);
    assert.deepEqual(fates(frame), ['open', 'open', 'model-failed']);
    assert.deepEqual([...frame.outputs[0]], [2, 4, Number.NaN]);
    assert.match(String(deps.telemetry.eventsNamed('row-failed')[0].reason), /test@1#0123456789ab answered/);
  });

  test(`a model that answers everything with ${what} ends the run`, async () => {
    const { deps, session, infer } = start();
    session.run = async (_feeds, rows) => answer(rows);
    const frame = preprocessed([1, 2, 3], deps.clock);
    await assert.rejects(deps.clock.run(infer(frame) as Promise<void>), { code: 'device-failed' });
    assert.deepEqual(fates(frame), ['open', 'open', 'open']);
  });
}

for (const [when, values, okRuns] of [
  ['before a batch', [1, 2, 3, 4, 5], 0],
  ['before a batch of one row', [1], 0],
  // The batch fails for its first row; 2, which is alone then, passes; 3 and 4 find the device gone.
  ['in the search for the row at fault', [POISON, 2, 3, 4], 1],
] as const) {
  test(`a device that dies ${when} ends the run, and no record is blamed for it`, async () => {
    const { deps, session, infer } = start();
    let left: number = okRuns;
    session.before = (values) => {
      if (values.includes(POISON) || left-- <= 0) throw new SluiceError('model-failed', 'CUDA failure 999');
    };
    const frame = preprocessed(values, deps.clock);
    await assert.rejects(deps.clock.run(infer(frame) as Promise<void>), (error: SluiceError) => {
      assert.deepEqual([error.code, error.disposition], ['device-failed', 'fatal']);
      assert.match(error.message, /test@1#0123456789ab on cpu no longer runs .*CUDA failure 999.*check the device/);
      return true;
    });
    assert.deepEqual(new Set(fates(frame)), new Set(['open']));
    assert.equal(deps.telemetry.eventsNamed('row-failed').length, 0);
  });
}

test('a batch of nothing but rows at fault dead-letters, on the word of one row of zeros', async () => {
  for (const values of [[POISON], [POISON, POISON, POISON, POISON]]) {
    const { deps, session, infer } = start();
    poisoned(session);
    const runs: number[][] = [];
    const right = session.run.bind(session);
    session.run = (feeds, rows) => {
      runs.push([...(feeds[0] as Float32Array)]);
      return right(feeds, rows);
    };
    const frame = preprocessed(values, deps.clock);
    await deps.clock.run(infer(frame) as Promise<void>);
    assert.deepEqual(new Set(fates(frame)), new Set(['model-failed']));
    assert.deepEqual(
      runs.filter((run) => run.includes(0)),
      [[0]],
    );
    assert.deepEqual(runs.at(-1), [0], 'once all rows have been searched');
  }
});

test('a row that passes after the one at fault is proof enough that the model runs', async () => {
  const { deps, session, infer } = start();
  poisoned(session);
  const frame = preprocessed([POISON, 2], deps.clock);
  await deps.clock.run(infer(frame) as Promise<void>);
  assert.deepEqual(fates(frame), ['model-failed', 'open']);
  assert.deepEqual(session.batches, [2, 1, 1]);
});

test('a failure that no adapter has translated is searched for like any other', async () => {
  const { deps, session, infer } = start();
  session.before = (values) => {
    if (values.includes(POISON)) throw new Error('bad alloc');
  };
  const frame = preprocessed([1, 2, POISON, 4], deps.clock);
  await deps.clock.run(infer(frame) as Promise<void>);
  assert.deepEqual(fates(frame), ['open', 'open', 'model-failed', 'open']);
  assert.equal(deps.telemetry.count('sluice_retries_total', { what: 'model', reason: 'unexpected' }), 2);
});

for (const code of ['device-failed', 'file-failed', 'invariant-broken'] as const) {
  test(`${code} ends the run at once: nothing is searched for, and whoever waits or comes is told`, async () => {
    const { deps, session, infer } = start(2);
    const gate = new Gate();
    gate.close();
    session.before = async () => {
      await gate.through();
      throw new SluiceError(code, 'no model any more');
    };
    const frames = [preprocessed([1], deps.clock), preprocessed([2, 3, 4], deps.clock), preprocessed([5], deps.clock)];
    const done = frames.map((frame) => infer(frame) as Promise<void>);
    gate.open();
    const ends = await deps.clock.run(Promise.allSettled(done));
    await assert.rejects(infer(preprocessed([6], deps.clock)) as Promise<void>, { code });
    assert.deepEqual(
      ends.map((end) => end.status === 'rejected' && end.reason.code),
      [code, code, code],
    );
    assert.deepEqual(session.batches, [1], 'no run for those behind');
    assert.deepEqual(frames.flatMap(fates), ['open', 'open', 'open', 'open', 'open']);
  });
}

test('a row that was a batch by itself has a second try before it is blamed', async () => {
  const { deps, session, infer } = start();
  let left = 1;
  session.before = () => {
    if (left-- > 0) throw new SluiceError('model-failed', 'the process was killed');
  };
  const frame = preprocessed([3], deps.clock);
  await deps.clock.run(infer(frame) as Promise<void>);
  assert.deepEqual([fates(frame), [...frame.outputs[0]]], [['open'], [6]]);
  assert.equal(deps.telemetry.count('sluice_retries_total', { what: 'model', reason: 'model-failed' }), 1);
});

test('only the runs of a search are said to be ones, and one that lasts is why records wait', async () => {
  const { deps, session, infer } = start();
  const run = session.run.bind(session);
  const searching: unknown[] = [];
  session.run = (feeds, rows, ...more: unknown[]) => {
    searching.push([rows, more[0]]);
    return run(feeds, rows);
  };
  poisoned(session, () => pause(deps.clock, 600));
  const done = infer(preprocessed([1, POISON, 3], deps.clock)) as Promise<void>;
  await deps.clock.advance(1_500);
  assert.equal(deps.conditions.describe(), '', 'a second is no reason');
  await deps.clock.advance(200);
  assert.equal(deps.conditions.describe(), 'model: looking for the row at fault in a batch of 3, which failed: cannot');
  await deps.clock.run(done);
  assert.ok(deps.conditions.none);
  assert.deepEqual(searching, [
    [3, false],
    [1, true],
    [2, true],
    [1, true],
    [1, true],
  ]);
});

test('a frame without rows passes at once, and still says which model it would have had', () => {
  const { deps, session, infer } = start();
  const frame = preprocessed([], deps.clock);
  assert.equal(infer(frame), undefined);
  assert.equal(frame.model, 'test@1#0123456789ab');
  assert.deepEqual([frame.outputs.length, frame.outputs[0].length, session.batches.length], [1, 0, 0]);
});

test('a large frame is cut into batches, and small frames share one', async () => {
  const { deps, session, infer } = start(10);
  session.before = () => pause(deps.clock, 1);
  const frames = [
    preprocessed([1, 2, 3], deps.clock),
    preprocessed(
      Array.from({ length: 25 }, (_, n) => n),
      deps.clock,
    ),
  ];
  await deps.clock.run(Promise.all(frames.map((frame) => infer(frame))));
  assert.deepEqual(session.batches, [3, 10, 10, 5]);
  assert.deepEqual(
    [...frames[1].outputs[0]],
    Array.from({ length: 25 }, (_, n) => 2 * n),
  );
});

test('no batch is larger than the session wants them', async () => {
  const deps = stageDeps();
  const session = Object.assign(new FakeSession(), { maxRows: 3 });
  const infer = createInfer({ ...deps, session }, testPlan({ flow: { maxBatch: 64 } }));
  infer.setFlushing(true);
  await deps.clock.run(Promise.all([infer(preprocessed([1, 2, 3, 4, 5, 6, 7, 8], deps.clock))]));
  assert.deepEqual(session.batches, [3, 3, 2]);
});

test('rows that have to be searched for do not count as the cost of a run', async () => {
  const { deps, session, infer } = start();
  infer.setFlushing(false);
  poisoned(session, (rows) => pause(deps.clock, 5 + 0.05 * rows));
  const values = Array.from({ length: 64 }, (_, n) => n);
  for (let n = 0; n < 100; n++) {
    const sizes = values.slice(0, 1 + ((n * 7) % 64));
    await deps.clock.run(
      infer(preprocessed(n % 10 === 5 ? [...sizes.slice(1), POISON] : sizes, deps.clock)) as Promise<void>,
    );
  }
  session.batches.length = 0;
  await deps.clock.run(infer(preprocessed(values, deps.clock)) as Promise<void>);
  assert.deepEqual(session.batches, [64], 'a model that thinks itself slow would run row by row');
});
