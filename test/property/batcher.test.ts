import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { pause } from '../../src/kernel/clock.ts';
import { Conditions } from '../../src/kernel/conditions.ts';
import type { Frame } from '../../src/kernel/frame.ts';
import { createInfer } from '../../src/stages/infer.ts';
import { startedMs } from '../../src/stages/inference/batch-queue.ts';
import { FakeClock } from '../fixtures/clock.ts';
import { frameOf } from '../fixtures/frames.ts';
import { testPlan } from '../fixtures/plan.ts';
import { seeded } from '../fixtures/random.ts';
import { RecordingTelemetry } from '../fixtures/telemetry.ts';

/**
 * The micro-batcher as shipped, on a fake clock: a model that takes a + c·b, within a tenth, and frames that
 * arrive at random times with random sizes and ages.
 */
const MAX_BATCH = 32;
const LATENCY_BUDGET_MS = 80;
/** Half of the budget is for waiting and running; half of that is the longest wait, because two runs must fit. */
const LONGEST_WAIT_MS = LATENCY_BUDGET_MS / 4;
const FRAMES = 60;
const BACKLOG_AGE_MS = 4_000_000;

interface Scenario {
  readonly seed: number;
  readonly fixedMs: number;
  readonly perRowMs: number;
  /** Share of the capacity beyond the fixed cost. */
  readonly load: number;
  readonly flushing: boolean;
}

const scenario: fc.Arbitrary<Scenario> = fc.record({
  seed: fc.integer(),
  fixedMs: fc.double({ min: 0.2, max: 8, noNaN: true }),
  perRowMs: fc.double({ min: 0.02, max: 0.4, noNaN: true }),
  load: fc.double({ min: 0.3, max: 1.2, noNaN: true }),
  flushing: fc.integer({ min: 0, max: 4 }).map((dice) => dice === 0),
});

/** Runs it to the end; returns how many batches waited before they left. */
async function play({ seed, fixedMs, perRowMs, load, flushing }: Scenario): Promise<number> {
  const random = seeded(seed);
  const clock = new FakeClock();
  const waiting = new Map<Frame, { rows: number; readonly arrivedMs: number }>();
  const inOrder: Frame[] = [];
  let running = 0;
  let idleSinceMs = 0;
  let waited = 0;
  let ran = 0;

  /** A batch leaves: no row may have waited longer than its deadline allows on an executor that was idle. */
  function leaves(rows: number): void {
    assert.equal(running, 0, 'one run at a time');
    assert.ok(rows >= 1 && rows <= MAX_BATCH, `a batch of ${rows}`);
    const nowMs = clock.monotonicMs();
    let latestMs = idleSinceMs;
    for (const [frame, { arrivedMs }] of waiting) {
      const freeMs = Math.max(idleSinceMs, arrivedMs);
      latestMs = Math.max(latestMs, arrivedMs);
      const allowedMs = flushing ? freeMs : Math.max(freeMs, startedMs(frame) + LONGEST_WAIT_MS);
      assert.ok(nowMs <= allowedMs + 1e-6, `a row left at ${nowMs} that had to leave by ${allowedMs}`);
    }
    if (nowMs > latestMs + 1e-6) waited++;
    ran += rows;
    for (let left = rows; left > 0; ) {
      const [frame, entry] = waiting.entries().next().value as [Frame, { rows: number }];
      const take = Math.min(left, entry.rows);
      entry.rows -= take;
      left -= take;
      if (entry.rows === 0) waiting.delete(frame);
    }
  }

  const session = {
    device: 'cpu',
    inputs: [],
    outputs: [{ name: 'y', dtype: 'float32' as const, shape: ['N', 1] }],
    async run(feeds: readonly unknown[], rows: number) {
      leaves(rows);
      running++;
      const values = Float32Array.from((feeds[0] as Float32Array).subarray(0, rows), (x) => x * 2);
      await pause(clock, (fixedMs + perRowMs * rows) * (0.9 + 0.2 * random()));
      running--;
      idleSinceMs = clock.monotonicMs();
      return [{ values, width: 1 }];
    },
    close: async () => undefined,
  };
  const telemetry = new RecordingTelemetry();
  const plan = testPlan({ flow: { maxBatch: MAX_BATCH, latencyBudgetMs: LATENCY_BUDGET_MS } });
  const deps = {
    clock,
    random,
    telemetry,
    conditions: new Conditions(),
    abandon: new AbortController().signal,
    session,
  };
  const infer = createInfer(deps, plan);
  infer.setFlushing(flushing);

  const ends: (undefined | Promise<void>)[] = [];
  let failure: unknown;
  let id = 0;
  for (let n = 0; n < FRAMES; n++) {
    const rows = 1 + Math.floor(random() * 12);
    await clock.advance((-Math.log(1 - random()) * rows * (perRowMs + fixedMs / MAX_BATCH)) / load);
    const nowMs = clock.wallMs();
    const ageMs = random() < 0.02 ? BACKLOG_AGE_MS : random() * LATENCY_BUDGET_MS * (random() < 0.3 ? 1 : 0.1);
    const frame = frameOf(
      { topic: 'in', partition: n % 3, epoch: 1 },
      Array.from({ length: rows }, (_, i) => ({ offset: i, timestampMs: nowMs - (i === 0 ? ageMs : 0) })),
      { receivedAtMs: nowMs, receivedMonotonicMs: clock.monotonicMs() },
    );
    frame.rows = rows;
    frame.recordOf = Int32Array.from({ length: rows }, (_, i) => i);
    frame.inputs = [Float32Array.from({ length: rows }, () => id++)];
    waiting.set(frame, { rows, arrivedMs: clock.monotonicMs() });
    inOrder.push(frame);
    ends.push(
      infer(frame)?.catch((thrown) => {
        failure ??= thrown;
      }),
    );
  }
  await clock.run(Promise.all(ends));
  if (failure !== undefined) throw failure;

  assert.equal(waiting.size, 0);
  assert.equal(ran, id, 'as many rows ran as came');
  let expected = 0;
  for (const frame of inOrder) {
    for (let row = 0; row < frame.rows; row++) assert.equal(frame.outputs[0][row], 2 * expected++, 'its own answer');
  }
  return waited;
}

test('every row runs once, in a batch that is not too large, and never waits beyond what its deadline allows', async () => {
  let waited = 0;
  await fc.assert(
    fc.asyncProperty(scenario, async (each) => {
      const count = await play(each);
      if (each.flushing) assert.equal(count, 0, 'while flushing nothing waits');
      waited += count;
    }),
    { seed: 16, numRuns: 150 },
  );
  assert.ok(waited > 50, `the property would say little if nothing ever waited: ${waited}`);
});
