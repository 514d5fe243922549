import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pause } from '../../../src/kernel/clock.ts';
import { createInfer } from '../../../src/stages/infer.ts';
import { FakeSession } from '../../fixtures/fakes.ts';
import { testPlan } from '../../fixtures/plan.ts';
import { preprocessed, stageDeps } from '../../fixtures/stage-deps.ts';

/** Rows of a batch, at last, of a model that takes 4 ms + 50 µs a row, where ten rows come a ms and settle `afterMs` after. */
async function batchesWhere(afterMs: number): Promise<number> {
  const deps = stageDeps();
  const session = new FakeSession();
  const infer = createInfer({ ...deps, session }, testPlan({ flow: { maxBatch: 1024, latencyBudgetMs: 80 } }));
  session.before = (values) => pause(deps.clock, 4 + 0.05 * values.length);
  for (let n = 0; n < 4_000; n++) {
    const frame = preprocessed([n, n, n, n], deps.clock);
    void infer(frame)?.then(async () => {
      await pause(deps.clock, afterMs);
      frame.unsettled = 0;
    });
    await deps.clock.advance(0.4);
  }
  const last = session.batches.slice(-5);
  return last.reduce((sum, rows) => sum + rows, 0) / last.length;
}

test('what the rest of the path does not need of the latency budget, batches may wait for', async () => {
  // 4/5, 1/2 and 1/5 of the budget, half of which is for waiting and running; with the least of them nothing waits.
  const [quick, usual, slow] = [await batchesWhere(1), await batchesWhere(40), await batchesWhere(75)];
  assert.ok(quick > 160 && quick < 220, `${quick} rows`);
  assert.ok(usual > 90 && usual < 130, `${usual} rows`);
  assert.ok(slow > 70 && slow < 90, `${slow} rows`);
});
