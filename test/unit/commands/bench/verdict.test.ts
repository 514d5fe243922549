import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Outcome } from '../../../../src/commands/bench/ledger.ts';
import { stepLine, textOf } from '../../../../src/commands/bench/text.ts';
import { type Counted, verdictOf } from '../../../../src/commands/bench/verdict.ts';

function counted(latencies: readonly number[], more: Partial<Counted> = {}, outcome: Partial<Outcome> = {}): Counted {
  const sent = outcome.sent ?? latencies.length;
  return {
    rate: 1000,
    seconds: sent / 1000,
    outcome: {
      sent,
      predictions: latencies.length,
      deadLetters: 0,
      reasons: {},
      unanswered: sent - latencies.length,
      duplicates: 0,
      latencies: Float64Array.from(latencies).sort(),
      underWay: 0,
      ...outcome,
    },
    lateMs: new Float64Array(sent),
    looksMs: new Float64Array(10),
    budgetMs: 50,
    ...more,
  };
}

const flat = (count: number, ms: number): number[] => Array.from({ length: count }, () => ms);

test('one in a thousand may miss, two may not; what is unanswered has missed', () => {
  const one = verdictOf(counted([...flat(999, 10), 51]));
  assert.deepEqual([one.keeps, one.misses, one.why], [true, 1, '']);
  const two = verdictOf(counted([...flat(998, 10), 51, 51]));
  assert.deepEqual([two.keeps, two.misses, two.why], [false, 2, '0.20 % missed 50 ms']);
  const lost = verdictOf(counted(flat(998, 10), { seconds: 1 }, { sent: 1000 }));
  assert.deepEqual([lost.keeps, lost.misses, lost.unanswered], [false, 2, 2]);
  assert.equal(verdictOf(counted(flat(10, 50))).misses, 0);
});

test('quantiles from the intended time', () => {
  const { latencyMs } = verdictOf(counted(Array.from({ length: 1000 }, (_, i) => i / 100)));
  assert.deepEqual(latencyMs, { p50: 5, p99: 9.9, p999: 9.99, max: 9.99 });
});

test('outputs that fall behind break the budget, misses or not', () => {
  const { keeps, why } = verdictOf(counted(flat(1000, 10), {}, { underWay: 60 }));
  assert.ok(!keeps);
  assert.match(why, /fall behind: 60 records/);
  assert.ok(verdictOf(counted(flat(1000, 10), {}, { underWay: 50 })).keeps);
});

test('dead letters are answers, not misses; without a prediction there is no verdict', () => {
  const { keeps, misses, why, latencyMs } = verdictOf(
    counted([], { seconds: 1 }, { sent: 5, deadLetters: 5, unanswered: 0 }),
  );
  assert.deepEqual([keeps, misses, why, latencyMs], [false, 0, 'no prediction came out', null]);
});

test('a bench that is itself too slow says so if that could be why the budget is missed', () => {
  const late = { lateMs: Float64Array.from(flat(1000, 20)) };
  assert.match(verdictOf(counted(flat(1000, 60), late)).invalid, /generator was 20\.0 ms late/);
  assert.equal(verdictOf(counted(flat(1000, 40), late)).invalid, '');
  const blind = { looksMs: Float64Array.from(flat(10, 20)) };
  assert.match(verdictOf(counted(flat(1000, 60), blind)).invalid, /reader of outputs took 20\.0 ms/);
  assert.match(verdictOf(counted(flat(1000, 10), { seconds: 1.5 })).invalid, /kept 667 of 1000 records\/s/);
});

test('the report for people has the figures of the knee', () => {
  const steps = [verdictOf(counted(flat(1000, 10))), verdictOf(counted(flat(2000, 90), { rate: 2000, seconds: 1 }))];
  const report = {
    topology: 'hello',
    source: ['in'],
    output: 'out',
    deadLetters: 'dead',
    budgetMs: 50,
    values: { from: 'input', records: 3 },
    run: 'ab',
    steps,
  } as const;
  const text = textOf({ ...report, knee: { perSecond: 1000, bound: 'budget' } });
  assert.match(text, /^knee +1,000 records\/s keep 50 ms; a tenth more does not$/m);
  assert.match(text, /^records +1,000 sent, 1,000 predictions, 0 dead letters, 0 unanswered$/m);
  assert.match(textOf({ ...report, knee: { perSecond: 0, bound: 'budget' } }), /no rate that was tried keeps 50 ms/);
  assert.match(textOf({ ...report, ended: 'SIGINT', steps: [] }), /by SIGINT.*\n.*nothing was measured/);
  assert.match(stepLine(steps[1]), /^ {4}2,000\/s .*misses 100\.00 % .*breaks: 100 % missed 50 ms$/);
});
