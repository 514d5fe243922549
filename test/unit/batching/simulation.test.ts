import assert from 'node:assert/strict';
import { test } from 'node:test';
import { arrivalsOf, capacityPerMs, EXECUTORS, MAX_BATCH, type Pattern } from '../../../bench/batching/scenarios.ts';
import { type Executor, type Outcome, play, type Rule } from '../../../bench/batching/simulation.ts';

/**
 * The policy against fixed rules, by events and without a clock, so that the same seed gives the same figures everywhere.
 * Each executor has noise, and a standstill of 6 ms every 1.5 seconds; nothing is set but the budget.
 */
function outcome(
  executor: Executor,
  pattern: Pattern,
  load: number,
  rule: Rule,
  options: { readonly seed?: number; readonly slower?: { readonly fromMs: number; readonly factor: number } } = {},
): Outcome {
  const { seed = 11, slower } = options;
  const perMs = load * capacityPerMs(executor);
  // Finding out that large batches cost more makes a backlog, which is gone after some seconds.
  const startMs = executor.name.startsWith('step') ? 8_000 : 2_000;
  const arrivals = arrivalsOf(pattern, perMs, startMs + Math.max(4_000, 2_000 / perMs), seed);
  return play({ executor, arrivals, rule, seed: seed + 1, maxBatch: MAX_BATCH, countFromMs: startMs, slower });
}

const SIZES = [1, 16, 32, 64, 256, 1024];
const DELAYS_MS = [0, 2, 5, 10];

/** The fixed rules that keep up, each played on the same arrivals. */
function fixed(executor: Executor, pattern: Pattern, load: number): Outcome[] {
  const sizes = SIZES.filter((size) => (executor.runMs(size) / size) * load * capacityPerMs(executor) < 1);
  return sizes.flatMap((size) => DELAYS_MS.map((delayMs) => outcome(executor, pattern, load, { size, delayMs })));
}

for (const executor of EXECUTORS) {
  test(`up to 80 % of what it can do, ${executor.name}: one row in a thousand at most misses its budget`, () => {
    for (const pattern of ['poisson', 'chunked'] as const) {
      for (const load of [0.3, 0.6, 0.8]) {
        const { misses, p99Ms } = outcome(executor, pattern, load, 'sluice');
        assert.ok(misses <= 0.001, `${pattern} at ${load}: ${100 * misses} % missed, p99 ${p99Ms} ms`);
      }
    }
  });
}

test('no fixed rule does with much less of the executor at a middling load and keeps the budget as well', () => {
  for (const executor of EXECUTORS) {
    for (const pattern of ['poisson', 'chunked'] as const) {
      const ours = outcome(executor, pattern, 0.6, 'sluice');
      const least = Math.min(
        ...fixed(executor, pattern, 0.6)
          .filter(({ misses }) => misses <= 0.001)
          .map(({ busy }) => busy),
      );
      assert.ok(ours.busy <= 1.2 * least, `${executor.name}, ${pattern}: ${ours.busy}, and ${least} would do`);
    }
  }
});

test('greedy keeps the executor busy where the policy does not, which is what the waiting is for', () => {
  for (const executor of EXECUTORS.filter(({ name }) => /^a 0.4|^small|^GPU/.test(name))) {
    const ours = outcome(executor, 'poisson', 0.6, 'sluice');
    const greedy = outcome(executor, 'poisson', 0.6, 'greedy');
    assert.ok(greedy.busy > 0.95 && ours.busy < 0.75, `${executor.name}: ${ours.busy}, greedy ${greedy.busy}`);
  }
});

test('near saturation it is not much worse than greedy', () => {
  for (const executor of EXECUTORS.filter(({ name }) => !name.startsWith('step'))) {
    for (const pattern of ['poisson', 'chunked'] as const) {
      const ours = outcome(executor, pattern, 0.9, 'sluice');
      const greedy = outcome(executor, pattern, 0.9, 'greedy');
      const allowed = Math.max(executor.budgetMs, 1.4 * greedy.p99Ms);
      assert.ok(ours.p99Ms <= allowed, `${executor.name}, ${pattern}: p99 ${ours.p99Ms}, greedy ${greedy.p99Ms}`);
    }
  }
});

test('where large batches cost more a row it finds the size that does not, and greedy never comes back', () => {
  const step = EXECUTORS.find(({ name }) => name.startsWith('step')) as Executor;
  const ours = outcome(step, 'poisson', 0.7, 'sluice');
  const greedy = outcome(step, 'poisson', 0.7, 'greedy');
  assert.ok(ours.meanBatch <= 33, `${ours.meanBatch} rows a batch`);
  assert.ok(greedy.misses > 0.9, `${greedy.misses}`);
});

test('an executor that becomes slower in the midst of it, within what it can do, costs no budget', () => {
  const executor = EXECUTORS[0];
  const slowed = outcome(executor, 'poisson', 0.4, 'sluice', { slower: { fromMs: 3_000, factor: 1.8 } });
  assert.ok(slowed.misses <= 0.001, `${100 * slowed.misses} % missed`);
  assert.ok(slowed.busy > 0.45 && slowed.busy < 0.9, `${slowed.busy}`);
});
