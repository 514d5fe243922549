import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLedger } from '../../../../src/commands/bench/ledger.ts';

const STARTS = new Map([
  [
    'in',
    [
      { start: 0, end: 10 },
      { start: 5, end: 5 },
    ],
  ],
]);

/** Records meant for 0, 100, 200, …; in partition 0 from offset 10 on, in partition 1 from 5 on, in turns. */
function ledgerOf(records: number) {
  const ledger = createLedger(STARTS);
  for (let seq = 0; seq < records; seq++) {
    ledger.intend(seq, seq * 100);
    ledger.claim('in', seq % 2, (seq % 2 === 0 ? 10 : 5) + Math.floor(seq / 2), seq);
  }
  return ledger;
}

test('answers are matched to records by place; latencies count from the intended time', () => {
  const ledger = ledgerOf(4);
  ledger.answer('in/0/10', 7);
  ledger.answer('in/1/5', 150);
  ledger.answer('in/0/11', 230, 'decode-failed');
  assert.equal(ledger.waiting(), 1);
  const { latencies, ...outcome } = ledger.outcome(200);
  assert.deepEqual([...latencies], [7, 50]);
  assert.deepEqual(outcome, {
    sent: 4,
    predictions: 2,
    deadLetters: 1,
    reasons: { 'decode-failed': 1 },
    unanswered: 1,
    duplicates: 0,
    underWay: 2,
  });
});

test('answers may come before it is known which places are ours', () => {
  const ledger = createLedger(STARTS);
  ledger.answer('in/0/10', 30);
  ledger.intend(0, 20);
  ledger.claim('in', 0, 10, 0);
  assert.deepEqual([...ledger.outcome(99).latencies], [10]);
});

test("other people's records, earlier ones, other topics and nonsense are not counted", () => {
  const ledger = ledgerOf(1);
  for (const place of ['in/0/9', 'in/0/77', 'in/2/5', 'out/0/10', 'in/0/x', '', 'in/0/99999999999'])
    ledger.answer(place, 1);
  ledger.claim('in', 0, 3, 0);
  ledger.claim('out', 0, 3, 0);
  const { sent, predictions, unanswered, duplicates } = ledger.outcome(0);
  assert.deepEqual([sent, predictions, unanswered, duplicates], [1, 0, 1, 0]);
});

test('a second answer is a duplicate, and does not change the first', () => {
  const ledger = ledgerOf(1);
  ledger.answer('in/0/10', 5);
  ledger.answer('in/0/10', 9);
  ledger.answer('in/0/10', 11, 'model-failed');
  const { latencies, duplicates, deadLetters } = ledger.outcome(0);
  assert.deepEqual([[...latencies], duplicates, deadLetters], [[5], 2, 0]);
});

test('a record that a retry wrote twice is one record: the first answer counts', () => {
  const ledger = ledgerOf(1);
  ledger.claim('in', 0, 11, 0);
  ledger.answer('in/0/11', 8);
  ledger.answer('in/0/10', 6);
  const { sent, predictions, unanswered, latencies } = ledger.outcome(99);
  assert.deepEqual([sent, predictions, unanswered, [...latencies]], [1, 1, 0, [6]]);
});

test('the ledger grows with the answers beyond its first size', () => {
  const ledger = ledgerOf(5_000);
  for (let offset = 0; offset < 2_500; offset++) {
    ledger.answer(`in/0/${10 + offset}`, 1e9);
    ledger.answer(`in/1/${5 + offset}`, 1e9);
  }
  assert.equal(ledger.answers, 5_000);
  assert.equal(ledger.waiting(), 0);
  assert.equal(ledger.outcome(0).predictions, 5_000);
});
