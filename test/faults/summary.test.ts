import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Row } from './matrix.ts';
import { printed, summarize } from './summary.ts';

const ROWS: readonly Row[] = [
  { row: 1, fault: 'a', tests: [{ file: 'f', title: 'row 1: a' }], argued: undefined },
  { row: 2, fault: 'b', tests: [{ file: 'f', title: 'row 2: b' }], argued: undefined },
  { row: 3, fault: 'c', tests: [], argued: 'it cannot be' },
  { row: 4, fault: 'd', tests: [], argued: undefined },
];
const RAN = { seconds: 61, seeds: 2, restarts: 1, failures: [] };

test('adds up what was reported, and names the rows that no report covers', () => {
  const summary = summarize(
    [
      { rows: [1], test: 'x', faults: { kill: 2 }, invariants: ['I2', 'I1'], duplicates: 3, recoveryMs: [10, 30] },
      { rows: [1], test: 'y', faults: { kill: 1, stop: 1 }, invariants: ['I11'], recoveryMs: 20 },
      { rows: [1], test: 'z', recoveryMs: Number.NaN },
    ],
    ROWS,
    RAN,
  );
  assert.deepEqual(summary.rows, { run: [1], elsewhere: [2], argued: [3], missing: [4] });
  assert.deepEqual(summary.faults, { kill: 3, stop: 1 });
  assert.deepEqual(summary.invariants, ['I1', 'I2', 'I11']);
  assert.equal(summary.duplicates, 3);
  assert.deepEqual(summary.recoveryMs, { n: 3, p50: 20, p99: 30, max: 30 });
  assert.deepEqual(summary.failures, []);
  assert.match(printed(summary), /failed +nothing/);
});

test('a report with violations is a failure, like those of the run itself', () => {
  const failures = [{ what: 'seed 7', why: 'I1 lost', again: 'node x' }];
  const summary = summarize([{ rows: [1], test: 'x', violations: ['I4 seed 3'] }], ROWS, { ...RAN, failures });
  assert.deepEqual(
    summary.failures.map(({ what, why }) => `${what}: ${why}`),
    ['seed 7: I1 lost', 'x: I4 seed 3'],
  );
  assert.match(printed(summary), /seed 7: I1 lost\n +again: node x/);
});
