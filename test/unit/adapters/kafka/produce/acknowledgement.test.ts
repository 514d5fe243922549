import assert from 'node:assert/strict';
import { test } from 'node:test';
import { acknowledgementProblem } from '../../../../../src/adapters/kafka/produce/acknowledgement.ts';

const SENT = { topic: 't', partition: 2, repeated: false, logAppendTime: false };
const ANSWER = { topicName: 't', partition: 2, errorCode: 0, baseOffset: '41', logAppendTime: '-1' };

test('an answer for exactly these rows is accepted', () => {
  assert.equal(acknowledgementProblem([ANSWER], SENT), undefined);
});

for (const [title, answer, problem] of [
  ['no partition', [], /0 partitions/],
  ['a second partition', [ANSWER, { ...ANSWER, partition: 3 }], /2 partitions/],
  ['another topic', [{ ...ANSWER, topicName: 'u' }], /u\/2 acknowledged, t\/2 expected/],
  ['another partition', [{ ...ANSWER, partition: 1 }], /t\/1 acknowledged/],
  ['an error code', [{ ...ANSWER, errorCode: 7 }], /error code 7/],
  ['no base offset', [{ ...ANSWER, baseOffset: '-1' }], /base offset -1/],
  ['a duplicate, on a first attempt', [{ ...ANSWER, logAppendTime: '1700000000000' }], /duplicate and not written/],
] as const) {
  test(`${title} is not an acknowledgement`, () => {
    assert.match(acknowledgementProblem(answer, SENT) ?? '', problem);
  });
}

test('an append time is right for repeated rows, and on a topic that stamps them', () => {
  const answer = [{ ...ANSWER, logAppendTime: '1700000000000' }];
  assert.equal(acknowledgementProblem(answer, { ...SENT, repeated: true }), undefined);
  assert.equal(acknowledgementProblem(answer, { ...SENT, logAppendTime: true }), undefined);
});
