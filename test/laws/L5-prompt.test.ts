import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LatencyModel } from '../../src/batching/latency-model.ts';
import { aimedBatch, nextBatch } from '../../src/batching/policy.ts';

const BUDGET_MS = 40;
const limits = { maxBatch: 256, budgetMs: BUDGET_MS };

/** A model that has learned t(b) = a + c·b. */
function learned(fixedMs: number, perRowMs: number): LatencyModel {
  const model = new LatencyModel({ initialFixedMs: 1 });
  for (let n = 0; n < 200; n++) model.observe((n % 64) + 1, fixedMs + perRowMs * ((n % 64) + 1));
  return model;
}

test('L5 prompt: a batch leaves when it is full, or when waiting longer would break the oldest deadline', () => {
  for (const [fixedMs, perRowMs] of [
    [4, 0.05],
    [1, 0.02],
    [0.4, 0.004],
  ]) {
    const model = learned(fixedMs, perRowMs);
    const aim = aimedBatch(model, limits);
    assert.ok(aim > 1 && aim <= limits.maxBatch);
    const arrivalsPerMs = 0.7 / perRowMs;
    const base = { oldestMs: 1_000, arrivalsPerMs, flushing: false };

    // Full: at once, and never more than maxBatch.
    for (const rows of [aim, aim + 1, 5_000]) {
      const decision = nextBatch({ ...base, nowMs: 1_000, rows }, model, limits);
      assert.ok('go' in decision && decision.go >= 1 && decision.go <= limits.maxBatch, `full at ${rows}`);
    }
    // Not full: it may wait, but having waited it can still run, and whoever just missed it too, within the budget.
    for (let rows = 1; rows < aim; rows++) {
      const decision = nextBatch({ ...base, nowMs: 1_000, rows }, model, limits);
      if ('go' in decision) {
        assert.equal(decision.go, rows);
        continue;
      }
      const waitedMs = decision.waitUntilMs - 1_000;
      assert.ok(
        waitedMs >= 0 && waitedMs + model.expectedMs(rows) <= BUDGET_MS / 2 + 1e-9,
        `waits ${waitedMs} ms with ${rows}`,
      );
      const then = nextBatch({ ...base, nowMs: decision.waitUntilMs, rows }, model, limits);
      assert.deepEqual(then, { go: rows }, 'leaves when the wait is over');
    }
    // Late, or a backlog: at once.
    for (const oldestMs of [1_000 - BUDGET_MS, Number.NEGATIVE_INFINITY]) {
      assert.deepEqual(nextBatch({ ...base, oldestMs, nowMs: 1_000, rows: 3 }, model, limits), { go: 3 });
    }
  }
});
