import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LatencyModel } from '../../../src/batching/latency-model.ts';
import { seeded } from '../../fixtures/random.ts';

type Cost = (rows: number) => number;

/** Runs of these sizes in turn, each a tenth more or less than it costs. */
function observe(model: LatencyModel, cost: Cost, sizes: readonly number[], runs: number, random = seeded(1)): void {
  for (let n = 0; n < runs; n++) {
    const rows = sizes[n % sizes.length];
    model.observe(rows, cost(rows) * (0.9 + 0.2 * random()));
  }
}

function assertNear(actual: number, expected: number, share: number): void {
  assert.ok(Math.abs(actual / expected - 1) < share, `${actual}, not ${expected}`);
}

const SIZES = [1, 3, 6, 12, 24, 32, 48, 64, 100, 128];
const line: Cost = (rows) => 2 + 0.05 * rows;
/** Up to 32 rows cheap, beyond it each costs twice as much. */
const step: Cost = (rows) => (rows <= 32 ? 1 + 0.01 * rows : 0.08 * rows);

test('noise does not turn a line into a table', () => {
  for (let seed = 0; seed < 50; seed++) {
    const model = new LatencyModel({ initialFixedMs: 1 });
    observe(model, line, SIZES, 400, seeded(seed));
    assert.equal(model.isTable, false);
    assertNear(model.fixedMs, 2, 0.15);
    assertNear(model.perRowMs, 0.05, 0.1);
  }
});

test('where sizes do not lie on a line, each class has its own time, and the best size is that of the table', () => {
  const model = new LatencyModel({ initialFixedMs: 1 });
  observe(model, step, SIZES, 200);
  assert.equal(model.isTable, true);
  for (const rows of [12, 32, 64, 128]) assertNear(model.expectedMs(rows), step(rows), 0.12);
  assert.equal(model.economicRows(128, 0.1), 32);
  assertNear(model.leastPerRowMs(128), step(32) / 32, 0.15);
  const fits = model.largestWithin(2, 128);
  assert.ok(fits >= 24 && fits <= 32, `${fits}`);
  assert.equal(model.largestWithin(0.5, 128), 0);
  // A class nobody has run is no cheaper a row than the one below it.
  assert.ok(model.expectedMs(1024) >= 1024 * 0.07);
});

test('when run times follow a line again, the line counts instead of the table', () => {
  const model = new LatencyModel({ initialFixedMs: 1 });
  observe(model, step, SIZES, 200);
  observe(model, line, SIZES, 600);
  assert.equal(model.isTable, false);
  assertNear(model.expectedMs(64), line(64), 0.1);
});

test('a long period of small runs does not erase what large ones cost', () => {
  const model = new LatencyModel({ initialFixedMs: 1 });
  observe(model, line, SIZES, 200);
  observe(model, line, [1, 2, 3], 2_000);
  assertNear(model.expectedMs(128), line(128), 0.15);
});

for (const factor of [2, 0.5, 10]) {
  test(`a machine that takes ${factor} times as long is known within 40 runs, other sizes too`, () => {
    const model = new LatencyModel({ initialFixedMs: 1 });
    observe(model, line, SIZES, 200);
    observe(model, (rows) => factor * line(rows), [12], 40);
    assertNear(model.expectedMs(12), factor * line(12), 0.15);
    assertNear(model.expectedMs(128), factor * line(128), 0.25);
  });
}

test('interruptions do not count as a change of the machine, but raise the margin', () => {
  const model = new LatencyModel({ initialFixedMs: 1 });
  const random = seeded(5);
  for (let n = 0; n < 2_000; n++) {
    const rows = SIZES[n % SIZES.length];
    model.observe(rows, line(rows) * (0.9 + 0.2 * random()) + (n % 100 === 50 ? 30 : 0));
  }
  assertNear(model.expectedMs(64), line(64), 0.1);
  assert.ok(model.residualMs < 3, `${model.residualMs}`);
  assert.ok(model.worstResidualMs > 25 && model.worstResidualMs < 32, `${model.worstResidualMs}`);
});

test('untested sizes are approached by doubling', () => {
  const model = new LatencyModel({ initialFixedMs: 1 });
  assert.equal(model.reachRows, 16);
  observe(model, line, [16], 1);
  assert.equal(model.reachRows, 32);
  observe(model, line, [20], 1);
  assert.equal(model.reachRows, 64);
});

test('unknown sizes are tried, for a small share of the time, and then rarely', () => {
  const model = new LatencyModel({ initialFixedMs: 1 });
  observe(model, line, [256], 200);
  const random = seeded(2);
  const tried: number[] = [];
  let spentMs = 0;
  let allMs = 0;
  for (let n = 0; n < 900; n++) {
    const trial = model.untriedRows(256);
    const rows = trial > 0 ? trial : 256;
    const tookMs = line(rows) * (0.9 + 0.2 * random());
    if (trial > 0) {
      tried.push(trial);
      spentMs += tookMs - (rows * line(256)) / 256;
    }
    allMs += tookMs;
    model.observe(rows, tookMs);
  }
  assert.deepEqual(new Set(tried), new Set([4, 8, 16, 32, 64, 128]));
  assert.ok(tried.length <= 36, `${tried.length} trials`);
  assert.ok(spentMs < 0.05 * allMs, `${spentMs} of ${allMs} ms`);
  assertNear(model.fixedMs, 2, 0.2);
});
