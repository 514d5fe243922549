import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { LatencyModel } from '../../src/batching/latency-model.ts';
import { aimedBatch, nextBatch, type PolicyLimits, type QueueState } from '../../src/batching/policy.ts';
import { seeded } from '../fixtures/random.ts';

interface Learned {
  readonly fixedMs: number;
  readonly perRowMs: number;
  /** Beyond so many rows each costs three times as much. */
  readonly knee: number;
  readonly runs: number;
  readonly largest: number;
  readonly seed: number;
}

/** Numbers of a range that lie as densely everywhere; `fc.double` is mostly at its ends. */
function between(min: number, max: number): fc.Arbitrary<number> {
  return fc.integer({ min: 0, max: 10_000 }).map((n) => min + ((max - min) * n) / 10_000);
}

const learned: fc.Arbitrary<LatencyModel> = fc
  .record({
    fixedMs: between(0.01, 20),
    perRowMs: between(0.0005, 5),
    knee: fc.constantFrom(8, 32, 100, 100_000),
    runs: fc.integer({ min: 0, max: 300 }),
    largest: fc.integer({ min: 1, max: 2_000 }),
    seed: fc.integer(),
  })
  .map(({ fixedMs, perRowMs, knee, runs, largest, seed }: Learned) => {
    const model = new LatencyModel({ initialFixedMs: 1 });
    const random = seeded(seed);
    for (let n = 0; n < runs; n++) {
      const rows = 1 + Math.floor(random() ** 2 * largest);
      const ms = fixedMs + perRowMs * (rows <= knee ? rows : 3 * rows);
      model.observe(rows, ms * (0.8 + 0.4 * random()) + (random() < 0.002 ? 15 : 0));
    }
    return model;
  });

const limits: fc.Arbitrary<PolicyLimits> = fc.record({
  maxBatch: fc.integer({ min: 1, max: 4_096 }),
  budgetMs: between(0.5, 500),
});

const NOW_MS = 10_000;
/** `arrivalsPerMs` is a share of what the model can do. */
const state: fc.Arbitrary<QueueState> = fc.record({
  nowMs: fc.constant(NOW_MS),
  rows: fc.oneof(fc.integer({ min: 1, max: 10 }), fc.integer({ min: 1, max: 10_000 })),
  oldestMs: fc.oneof(
    between(NOW_MS - 20, NOW_MS),
    between(NOW_MS - 600, NOW_MS),
    fc.constant(Number.NEGATIVE_INFINITY),
  ),
  arrivalsPerMs: between(0, 1.2),
  flushing: fc.boolean(),
});

test('a decision is an allowed number of waiting rows, or a time at which it becomes one', () => {
  let waited = 0;
  fc.assert(
    fc.property(learned, limits, state, (model, bounds, drawn) => {
      const arrivalsPerMs = drawn.arrivalsPerMs / Math.max(1e-4, model.leastPerRowMs(bounds.maxBatch));
      const asked = { ...drawn, arrivalsPerMs };
      const decision = nextBatch(asked, model, bounds);
      if ('go' in decision) {
        assert.ok(Number.isInteger(decision.go), `${decision.go}`);
        assert.ok(decision.go >= 1 && decision.go <= Math.min(asked.rows, bounds.maxBatch), `${decision.go}`);
        return;
      }
      waited++;
      assert.equal(asked.flushing, false);
      const { waitUntilMs } = decision;
      assert.ok(waitUntilMs > asked.nowMs, 'a time that has passed is no time to wait for');
      // L5: having waited, it can still run within half of the budget, so that whoever just missed it can too.
      assert.ok(waitUntilMs + model.expectedMs(asked.rows) <= asked.oldestMs + bounds.budgetMs / 2 + 1e-9);
      const then = nextBatch({ ...asked, nowMs: waitUntilMs }, model, bounds);
      assert.ok('go' in then, 'it leaves when the wait is over');
    }),
    { seed: 21, numRuns: 3_000 },
  );
  assert.ok(waited > 20, `the property would say little if nothing ever waited: ${waited}`);
});

test('late or flushed rows never wait', () => {
  fc.assert(
    fc.property(learned, limits, state, (model, bounds, asked) => {
      const late = { ...asked, oldestMs: asked.nowMs - bounds.budgetMs };
      assert.ok('go' in nextBatch(late, model, bounds));
      assert.ok('go' in nextBatch({ ...asked, flushing: true }, model, bounds));
    }),
    { seed: 22, numRuns: 500 },
  );
});

test('when no row waits, no batch leaves', () => {
  const model = new LatencyModel({ initialFixedMs: 1 });
  const asked = { nowMs: 0, rows: 0, oldestMs: Number.POSITIVE_INFINITY, arrivalsPerMs: 0, flushing: true };
  assert.deepEqual(nextBatch(asked, model, { maxBatch: 8, budgetMs: 10 }), { waitUntilMs: Number.POSITIVE_INFINITY });
});

test('where a run costs a + c·b, a larger budget or limit never lowers the target size', () => {
  fc.assert(
    fc.property(between(0.01, 20), between(0.0005, 5), limits, between(1, 10), (fixedMs, perRowMs, bounds, more) => {
      const model = new LatencyModel({ initialFixedMs: 1 });
      for (let n = 0; n < 200; n++) model.observe(1 + (n % 128), fixedMs + perRowMs * (1 + (n % 128)));
      const aim = aimedBatch(model, bounds);
      assert.ok(aim >= 1 && aim <= bounds.maxBatch);
      assert.ok(aimedBatch(model, { ...bounds, budgetMs: bounds.budgetMs * more }) >= aim);
      assert.ok(aimedBatch(model, { ...bounds, maxBatch: Math.ceil(bounds.maxBatch * more) }) >= aim);
    }),
    { seed: 23, numRuns: 500 },
  );
});

test('a backlog of very cheap rows goes in large batches, even when no fixed cost is visible', () => {
  const model = new LatencyModel({ initialFixedMs: 1 });
  for (let n = 0; n < 200; n++) model.observe(1 + ((n * 37) % 1_024), 0.0002 * (1 + ((n * 37) % 1_024)));
  const asked = { nowMs: NOW_MS, rows: 5_000, oldestMs: Number.NEGATIVE_INFINITY, arrivalsPerMs: 500, flushing: false };
  let rows = 0;
  for (let n = 0; n < 300; n++) {
    const decision = nextBatch(asked, model, { maxBatch: 1_024, budgetMs: 25 });
    assert.ok('go' in decision);
    model.observe(decision.go, 0.0002 * decision.go);
    rows += decision.go;
  }
  assert.ok(rows / 300 > 900, `${rows / 300} rows a batch`);
});
