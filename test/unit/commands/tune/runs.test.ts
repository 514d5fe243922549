import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lineThrough, measureRuns, sizesUpTo } from '../../../../src/commands/tune/runs.ts';
import type { ModelSession } from '../../../../src/ports/model.ts';

/** A model that takes what it is said to take, on a clock of its own. */
function modelOf(takesMs: (rows: number, run: number) => number) {
  let nowMs = 0;
  let run = 0;
  const asked: number[] = [];
  const clock = {
    wallMs: () => nowMs,
    monotonicMs: () => nowMs,
    after: () => ({ cancel: () => undefined }),
  };
  const session: ModelSession = {
    device: 'cpu',
    inputs: [],
    outputs: [],
    async run(_feeds, rows) {
      asked.push(rows);
      nowMs += takesMs(rows, run++);
      return [];
    },
    close: async () => undefined,
  };
  return { clock, session, asked };
}

const CAPTURED = { rows: 1, capacity: 64, feeds: [], outputs: [] };
const OPTIONS = { msEach: 30, stopMs: 1_000, stop: () => false };

test('sizes double up to the bound, which is one of them', () => {
  assert.deepEqual(sizesUpTo(1), [1]);
  assert.deepEqual(sizesUpTo(8), [1, 2, 4, 8]);
  assert.deepEqual(sizesUpTo(100), [1, 2, 4, 8, 16, 32, 64, 100]);
});

test('medians by size, which stalls do not move; the line through them', async () => {
  const { clock, session } = modelOf((rows, run) => (run % 10 === 9 ? 500 : 1 + 0.1 * rows));
  const { sizes } = await measureRuns(session, CAPTURED, [1, 8, 64], { clock, ...OPTIONS });
  assert.deepEqual(
    sizes.map(({ rows, ms }) => [rows, Number(ms.toFixed(6))]),
    [
      [1, 1.1],
      [8, 1.8],
      [64, 7.4],
    ],
  );
  const { fixedMs, perRowMs } = lineThrough(sizes);
  assert.ok(Math.abs(fixedMs - 1) < 1e-6 && Math.abs(perRowMs - 0.1) < 1e-6);
});

test('the first size that takes longer than the budget is the last', async () => {
  const { clock, session, asked } = modelOf((rows) => rows * 10);
  const { sizes } = await measureRuns(session, CAPTURED, [1, 8, 16, 64], { clock, ...OPTIONS, stopMs: 100 });
  assert.deepEqual(
    sizes.map(({ rows }) => rows),
    [1, 8, 16],
  );
  assert.ok(!asked.includes(64));
});

test('told to stop, it ends with what there is: a time for each size begun', async () => {
  const { clock, session, asked } = modelOf(() => 1);
  const stop = (): boolean => asked.length > 4;
  const { sizes } = await measureRuns(session, CAPTURED, [1, 2], { clock, ...OPTIONS, stop });
  assert.ok(sizes.length >= 1 && sizes.every(({ ms }) => ms === 1));
  assert.ok(asked.length < 12);
});

test('even runs have no spread, uneven ones have', async () => {
  const even = modelOf(() => 1);
  assert.equal((await measureRuns(even.session, CAPTURED, [1, 2], { clock: even.clock, ...OPTIONS })).spread, 0);
  const odd = modelOf((_, run) => (run % 2 === 0 ? 1 : 1.5));
  assert.ok((await measureRuns(odd.session, CAPTURED, [1, 2], { clock: odd.clock, ...OPTIONS })).spread > 0.1);
});
