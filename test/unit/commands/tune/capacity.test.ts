import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  highestRate,
  type Instance,
  meanLatencyMs,
  runMs,
  saturation,
  simulate,
} from '../../../../src/commands/tune/capacity.ts';

const lineOf = (fixedMs: number, perRowMs: number) =>
  [1, 4096].map((rows) => ({ rows, ms: fixedMs + perRowMs * rows }));

const INSTANCE: Instance = {
  runs: lineOf(0.4, 0.004),
  recordMs: 0.002,
  beside: 0,
  spread: 0.15,
  maxBatch: 256,
  budgetMs: 50,
  elsewhereMs: 5,
};

test('the closed formula says what the simulation of greedy batching finds, within 3 %', () => {
  const cases = fc.record({
    fixedMs: fc.double({ min: 0.1, max: 10, noNaN: true }),
    perRowShare: fc.double({ min: 0.005, max: 0.1, noNaN: true }),
    load: fc.double({ min: 0.1, max: 0.8, noNaN: true }),
    seed: fc.integer(),
  });
  fc.assert(
    fc.property(cases, ({ fixedMs, perRowShare, load, seed }) => {
      const perRowMs = fixedMs * perRowShare;
      const rate = load / perRowMs;
      const instance = { ...INSTANCE, runs: lineOf(fixedMs, perRowMs), recordMs: 0, spread: 0, maxBatch: 1e9 };
      const { meanMs } = simulate(instance, rate, { seed, batching: 'greedy', arrivals: 120_000 });
      const said = meanLatencyMs(rate, { fixedMs, perRowMs }) + instance.elsewhereMs;
      assert.ok(Math.abs(meanMs / said - 1) < 0.03, `${meanMs} ms, and the formula says ${said} ms`);
    }),
    { numRuns: 12, seed: 7 },
  );
});

test('beyond capacity the formula says so', () => {
  assert.equal(meanLatencyMs(10, { fixedMs: 1, perRowMs: 0.1 }), Number.POSITIVE_INFINITY);
});

test('a larger budget never lowers the highest rate, and no rate passes saturation', () => {
  const most = saturation(INSTANCE).perMs * 1000;
  let last = 0;
  for (const budgetMs of [6, 7, 8, 10, 15, 25, 50]) {
    const { perSecond, at } = highestRate({ ...INSTANCE, budgetMs }, 1);
    assert.ok(perSecond >= last, `${perSecond} at ${budgetMs} ms, ${last} before`);
    assert.ok(perSecond < most);
    if (at !== undefined) assert.ok(at.missed <= 0.001 && at.p99Ms <= budgetMs, `${budgetMs} ms: p99 ${at.p99Ms}`);
    last = perSecond;
  }
  assert.ok(last > most / 2);
});

test('what cannot be done at any rate is said: a run alone takes longer than the budget', () => {
  assert.deepEqual(highestRate({ ...INSTANCE, runs: lineOf(60, 1) }, 1), { perSecond: 0, at: undefined });
});

test('the same seed is the same stretch, another one is not', () => {
  const at = (seed: number) => simulate(INSTANCE, 50, { seed });
  assert.deepEqual(at(3), at(3));
  assert.notDeepEqual(at(3), at(4));
});

test('saturation: on the thread times add up, beside it the slower of the two decides', () => {
  const runs = [
    { rows: 1, ms: 1 },
    { rows: 10, ms: 2 },
  ];
  const instance = { ...INSTANCE, runs, recordMs: 0.1, maxBatch: 10 };
  assert.deepEqual(saturation(instance), { perMs: 10 / 3, rows: 10 });
  assert.deepEqual(saturation({ ...instance, beside: 1 }), { perMs: 5, rows: 10 });
  assert.deepEqual(saturation({ ...instance, beside: 4 }), { perMs: 10, rows: 10 });
});

test('two runs at once beside the thread keep a budget at about twice the rate', () => {
  const heavy = { ...INSTANCE, runs: lineOf(2, 1), recordMs: 0.01, maxBatch: 8 };
  const [one, two] = [1, 2].map((beside) => highestRate({ ...heavy, beside }, 1).perSecond);
  assert.ok(two > one * 1.7 && two < one * 2.6, `${two} against ${one}`);
});

test('between measured sizes runs lie on a line, beyond them on the last one, and never fall', () => {
  const runs = [
    { rows: 1, ms: 1 },
    { rows: 4, ms: 4 },
    { rows: 8, ms: 3 },
  ];
  assert.deepEqual(
    [1, 2, 4, 6, 8, 100].map((rows) => runMs(runs, rows)),
    [1, 2, 4, 4, 4, 4],
  );
  assert.equal(runMs([{ rows: 1, ms: 2 }], 64), 2);
});
