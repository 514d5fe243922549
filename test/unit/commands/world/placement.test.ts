import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fullBatch, INLINE_MS, place, sessionsOf, tryRuns } from '../../../../src/commands/world/placement.ts';
import { SluiceError } from '../../../../src/kernel/errors.ts';
import type { Plan } from '../../../../src/plan/plan.ts';
import type { ModelSession } from '../../../../src/ports/model.ts';
import { FakeClock } from '../../../fixtures/clock.ts';
import { testPlan } from '../../../fixtures/plan.ts';

const LOAD = { feeds: [{ name: 'x', rowShape: [4], dtype: 'float32' }] } as const;

/** A model whose runs take `fixedMs` and `perRowMs` a row, and each first try `hiccupMs` more. */
function slow(clock: FakeClock, { fixedMs = 0, perRowMs = 0, hiccupMs = 0 }) {
  const asked: number[] = [];
  const session: ModelSession = {
    device: 'cpu',
    inputs: [],
    outputs: [],
    async run([slab], rows) {
      assert.equal(slab.length, 4 * rows);
      await clock.advance(fixedMs + perRowMs * rows + (asked.includes(rows) ? 0 : hiccupMs));
      asked.push(rows);
      return [];
    },
    close: () => Promise.resolve(),
  };
  return { session, asked };
}

const sizes = (asked: readonly number[]): number[] => [...new Set(asked)];

function planWith(model: Partial<Plan['topology']['model']>, maxBatch = 256): Plan {
  const plan = testPlan({ flow: { maxBatch } });
  return { ...plan, topology: { ...plan.topology, model: { ...plan.topology.model, ...model } } };
}

test('a model whose full batch is short stays on the thread of the pipeline', async () => {
  const clock = new FakeClock();
  const { session, asked } = slow(clock, { fixedMs: 0.1, perRowMs: 0.003 });
  const placed = await place(planWith({}), session, LOAD, { clock, cores: 2 });
  assert.deepEqual([placed.placement, placed.sessions], ['inline', 0]);
  assert.match(placed.because, /^256 rows take 0\.87 ms, within 1 ms$/);
  assert.deepEqual(sizes(asked), [1, 2, 4, 8, 16, 32, 64, 128, 256]);
});

test('a model whose full batch is long goes to a thread, found out by the first size that is over', async () => {
  const clock = new FakeClock();
  const { session, asked } = slow(clock, { perRowMs: 0.15 });
  const placed = await place(planWith({}), session, LOAD, { clock, cores: 2 });
  assert.deepEqual([placed.placement, placed.sessions], ['thread', 1]);
  assert.match(placed.because, /^8 rows take 1\.2 ms, over 1 ms$/);
  assert.deepEqual(sizes(asked), [1, 2, 4, 8], 'no longer run is tried');
});

test('a model of quick rows that are no cheaper in larger batches stays, in batches that are short', async () => {
  const clock = new FakeClock();
  const { session, asked } = slow(clock, { fixedMs: 0.01, perRowMs: 0.0009 });
  const placed = await place(planWith({}, 2_048), session, LOAD, { clock, cores: 4 });
  assert.deepEqual([placed.placement, placed.sessions, placed.maxRows], ['inline', 0, 1_024]);
  assert.match(placed.because, /^2048 rows take 1\.9 ms, over 1 ms, and no less a row than 1024 rows take 0\.93 ms$/);
  assert.equal(sizes(asked).at(-1), 2_048);
});

test('one that is cheaper a row in batches that are too long for the pipeline goes to a thread', async () => {
  const clock = new FakeClock();
  const { session } = slow(clock, { fixedMs: 0.5, perRowMs: 0.0009 });
  const placed = await place(planWith({}, 2_048), session, LOAD, { clock, cores: 4 });
  assert.deepEqual([placed.placement, placed.maxRows], ['thread', undefined]);
});

test('a single row that is long decides', async () => {
  const clock = new FakeClock();
  const { session, asked } = slow(clock, { fixedMs: 40 });
  assert.match(
    (await place(planWith({}), session, LOAD, { clock, cores: 2 })).because,
    /^1 row takes 40 ms, over 1 ms$/,
  );
  assert.equal(asked.length, 3);
});

test('what else the machine does in between decides nothing', async () => {
  const clock = new FakeClock();
  const { session } = slow(clock, { perRowMs: 0.001, hiccupMs: 50 });
  assert.equal((await place(planWith({}), session, LOAD, { clock, cores: 2 })).placement, 'inline');
});

test('the full batch is tried as it is, no power of two', async () => {
  const clock = new FakeClock();
  const { session, asked } = slow(clock, { perRowMs: 0.001 });
  const tried = await tryRuns(session, LOAD, clock, { full: 100, limitMs: INLINE_MS });
  assert.deepEqual([tried.rows, sizes(asked).at(-1)], [100, 100]);
});

test('a batch too large to be tried is reckoned from the largest that can be', async () => {
  const clock = new FakeClock();
  const { session, asked } = slow(clock, { perRowMs: 2 ** -21 });
  const tried = await tryRuns(session, LOAD, clock, { full: 4 * 2 ** 20, limitMs: INLINE_MS });
  assert.equal(Math.max(...asked), 2 ** 20, '16 MiB of rows of 16 bytes');
  assert.deepEqual(tried, { rows: 4 * 2 ** 20, runMs: 2, within: { rows: 2 ** 20, runMs: 0.5 } });
});

test('a size that the model cannot take ends the trial, and nothing else', async () => {
  const clock = new FakeClock();
  const { session } = slow(clock, { perRowMs: 0.01 });
  const small: ModelSession = {
    ...session,
    run: (feeds, rows) => (rows > 8 ? Promise.reject(new Error('too large')) : session.run(feeds, rows)),
  };
  assert.match(
    (await place(planWith({}), small, LOAD, { clock, cores: 2 })).because,
    /^8 rows take 0\.08\d* ms, within/,
  );
});

test('batches that fail in the trial are not made later: a model with its batch in the graph has a row a run', async () => {
  const clock = new FakeClock();
  const { session } = slow(clock, { perRowMs: 0.01 });
  const failing = (code: 'model-failed' | 'device-memory', from: number): ModelSession => ({
    ...session,
    run: (feeds, rows) =>
      rows >= from ? Promise.reject(new SluiceError(code, `no run of ${rows}`)) : session.run(feeds, rows),
  });
  const single = await place(planWith({}), failing('model-failed', 2), LOAD, { clock, cores: 4 });
  assert.deepEqual([single.placement, single.maxRows], ['inline', 1]);
  assert.match(single.because, /^1 row takes 0\.010? ms, and larger batches fail: no run of 2$/);
  assert.equal((await place(planWith({}), failing('model-failed', 9), LOAD, { clock, cores: 4 })).maxRows, 8);
  const short = await place(planWith({}), failing('device-memory', 9), LOAD, { clock, cores: 4 });
  assert.equal(short.maxRows, undefined, 'how much memory there is may change, and is looked for in the run');
});

test('a stated placement is taken without a trial', async () => {
  const clock = new FakeClock();
  const { session, asked } = slow(clock, { fixedMs: 40 });
  for (const [model, expected] of [
    [{ placement: 'inline' }, ['inline', 0]],
    [{ placement: 'thread' }, ['thread', 1]],
    [{ placement: 'thread', sessions: 3 }, ['thread', 3]],
  ] as const) {
    const { placement, sessions, because } = await place(planWith(model), session, LOAD, { clock, cores: 2 });
    assert.deepEqual([placement, sessions], expected);
    assert.match(because, /model\.placement is/);
  }
  assert.equal(asked.length, 0);
});

test('several devices have a session each, in threads, and nothing has to be tried for that', async () => {
  const clock = new FakeClock();
  const { session, asked } = slow(clock, { fixedMs: 0.01 });
  const onGpu: ModelSession = { ...session, device: 'cuda:0' };
  const model = { device: 'cuda', deviceIds: [0, 3] } as const;
  const placed = await place(planWith(model), onGpu, LOAD, { clock, cores: 2 });
  assert.deepEqual([placed.placement, placed.sessions, asked.length], ['thread', 2, 0]);
  assert.equal(placed.because, 'model.deviceIds names 2 devices');
  const more = await place(planWith({ ...model, sessions: 4 }), onGpu, LOAD, { clock, cores: 2 });
  assert.equal(more.sessions, 4);
  const one = await place(planWith({ device: 'cuda', deviceIds: [3] }), onGpu, LOAD, { clock, cores: 2 });
  assert.deepEqual([one.placement, one.sessions], ['inline', 0], 'one is placed by what its runs take');
});

test('threads are as many as there are cores beside the pipeline’s, unless somebody says', () => {
  for (const [cores, expected] of [
    [1, 1],
    [2, 1],
    [4, 3],
    [64, 8],
  ]) {
    assert.equal(sessionsOf(planWith({}), cores), expected);
    assert.equal(sessionsOf(planWith({}), cores, 'cuda:0'), 1);
    assert.equal(sessionsOf(planWith({ sessions: 5 }), cores), 5);
  }
});

test('a step of overload that allows larger batches is one of them', () => {
  const plan = testPlan({ flow: { maxBatch: 256 }, onOverload: { largerBatches: 1024 } });
  assert.equal(fullBatch(plan), 1024);
});
