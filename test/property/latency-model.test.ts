import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ArrivalRate } from '../../src/batching/arrivals.ts';
import { LatencyModel } from '../../src/batching/latency-model.ts';
import { seeded } from '../fixtures/random.ts';

interface Cost {
  readonly fixedMs: number;
  readonly perRowMs: number;
}

const cost: fc.Arbitrary<Cost> = fc.record({
  fixedMs: fc.double({ min: 0.05, max: 20, noNaN: true }),
  perRowMs: fc.double({ min: 0.001, max: 1, noNaN: true }),
});

/** Runs of 1 to 256 rows that take a + c·b, give or take a tenth; one in fifty is interrupted and takes five times as long. */
function observe(model: LatencyModel, { fixedMs, perRowMs }: Cost, runs: number, random: () => number): void {
  for (let n = 0; n < runs; n++) {
    const rows = 1 + Math.floor(random() ** 2 * 256);
    const slow = random() < 0.02 ? 5 : 1;
    model.observe(rows, (fixedMs + perRowMs * rows) * (0.9 + 0.2 * random()) * slow);
  }
}

function assertLearned(model: LatencyModel, { fixedMs, perRowMs }: Cost): void {
  for (const rows of [1, 16, 64, 256]) {
    const trueMs = fixedMs + perRowMs * rows;
    const error = Math.abs(model.expectedMs(rows) - trueMs) / trueMs;
    assert.ok(error < 0.2, `${rows} rows: ${model.expectedMs(rows)} ms, not ${trueMs} ms`);
  }
}

test('the fit recovers a + c·b despite noise and interruptions, and follows a change of the machine', () => {
  fc.assert(
    fc.property(cost, cost, fc.integer(), (before, after, seed) => {
      const random = seeded(seed);
      const model = new LatencyModel({ initialFixedMs: 1 });
      observe(model, before, 300, random);
      assertLearned(model, before);
      const allowance = model.residualMs;
      assert.ok(allowance >= 0 && Number.isFinite(allowance));
      observe(model, after, 420, random);
      assertLearned(model, after);
      assert.equal(model.observations, 720);
    }),
    { seed: 17, numRuns: 100 },
  );
});

test('without noise the fit is exact and leaves no margin', () => {
  fc.assert(
    fc.property(cost, (of) => {
      const model = new LatencyModel({ initialFixedMs: 1 });
      for (let n = 0; n < 200; n++) model.observe((n % 50) + 1, of.fixedMs + of.perRowMs * ((n % 50) + 1));
      assert.ok(Math.abs(model.fixedMs - of.fixedMs) < 1e-6 * (1 + of.fixedMs));
      assert.ok(Math.abs(model.perRowMs - of.perRowMs) < 1e-6);
      assert.ok(model.residualMs < 1e-6 * (1 + of.fixedMs));
    }),
    { seed: 18, numRuns: 100 },
  );
});

test('for any samples, costs are finite and not negative', () => {
  const rows = fc.oneof(fc.integer({ min: -2, max: 500 }), fc.constantFrom(0, 1, 64, Number.NaN));
  const took = fc.oneof(fc.double(), fc.integer({ min: -5, max: 500 }), fc.constantFrom(0, 1, 64));
  fc.assert(
    fc.property(fc.array(fc.tuple(rows, took), { maxLength: 120, size: 'max' }), (told) => {
      const model = new LatencyModel({ initialFixedMs: 1 });
      for (const [count, tookMs] of told) model.observe(count, Math.min(tookMs, 1e9));
      for (const ms of [model.fixedMs, model.perRowMs, model.residualMs])
        assert.ok(ms >= 0 && Number.isFinite(ms), `${ms}`);
    }),
    { seed: 19, numRuns: 300 },
  );
});

test('runs of one size alone count as a fixed cost', () => {
  const model = new LatencyModel({ initialFixedMs: 1 });
  for (let n = 0; n < 40; n++) model.observe(16, 3);
  assert.ok(Math.abs(model.fixedMs - 3) < 1e-9);
  assert.equal(model.perRowMs, 0);
});

test('the arrival rate is that of the recent past, and fades when nothing comes', () => {
  fc.assert(
    fc.property(fc.double({ min: 0.05, max: 20, noNaN: true }), fc.integer({ min: 1, max: 8 }), (gapMs, rows) => {
      const rate = new ArrivalRate({ windowMs: 100 });
      assert.equal(rate.perMs(0), 0);
      let nowMs = 0;
      for (; nowMs < 1_500; nowMs += gapMs) rate.add(nowMs, rows);
      const found = rate.perMs(nowMs - gapMs / 2);
      assert.ok(Math.abs(found / (rows / gapMs) - 1) < 0.02, `${found} rows a ms, not ${rows / gapMs}`);
      assert.ok(rate.perMs(nowMs + 1_000) < found / 1_000);
    }),
    { seed: 20, numRuns: 50 },
  );
});
