import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Account, type Answer, type Facts, judge, type Terms } from './judge.ts';

/** Hand-made facts: one input partition of five records, all published, all committed. Each test breaks one thing. */
const SOUND: Facts = {
  partitions: [{ topic: 'in', partition: 0, offsets: [0, 1, 2, 3, 4], low: 0, end: 5, committed: 5 }],
  answers: [0, 1, 2, 3, 4].map((offset) => answer(offset)),
  samples: [
    { topic: 'in', partition: 0, committed: 2, unanswered: [] },
    { topic: 'in', partition: 0, committed: 5, unanswered: [] },
  ],
};

function answer(offset: number, more: Partial<Answer> = {}): Answer {
  return {
    kind: 'published',
    topic: 'out',
    partition: 0,
    offset,
    source: `in/0/${offset}`,
    key: `k${offset}`,
    content: `c${offset}`,
    model: 'm@1#abc',
    reason: '',
    ...more,
  };
}

const without = (...offsets: number[]): Answer[] => SOUND.answers.filter(({ offset }) => !offsets.includes(offset));
const letter = (offset: number, more: Partial<Answer> = {}): Answer =>
  answer(offset, { kind: 'dead-lettered', topic: 'dead', reason: 'decode-failed', ...more });
const partition = (more: Partial<Facts['partitions'][number]>): Facts['partitions'] => [
  { ...SOUND.partitions[0], ...more },
];

function judged(more: Partial<Facts>, terms?: Terms): Account {
  return judge({ ...SOUND, ...more }, terms);
}

/** The one violation there is, as `I1 what`; fails on more or fewer. */
function only({ violations }: Account): string {
  assert.equal(violations.length, 1, JSON.stringify(violations));
  return `${violations[0].invariant} ${violations[0].what} [${violations[0].examples.join(', ')}]`;
}

describe('the judge', () => {
  test('reports no violation when all is well, and counts', () => {
    const account = judged({ answers: [...without(4), letter(4)] });
    assert.deepEqual(account.violations, []);
    assert.deepEqual(
      [account.inputs, account.published, account.deadLettered, account.dropped, account.duplicates.count, account.lag],
      [5, 4, 1, 0, 0, 0],
    );
    assert.deepEqual(account.reasons, { 'decode-failed': 1 });
    assert.deepEqual(account.models, { 'm@1#abc': 4 });
    assert.deepEqual(account.checked, ['I1', 'I2', 'I3', 'I4', 'I6', 'I5', 'I8']);
  });

  test('I1: an input below the committed position without an answer is lost', () => {
    assert.equal(only(judged({ answers: without(2) })), 'I1 committed without an answer: lost [in/0/2]');
  });

  test('I1: an acknowledged input that has vanished from the topic still needs an answer', () => {
    const terms = { acknowledged: new Set(['in/0/2', 'in/0/3']) };
    const lost = judged({ partitions: partition({ offsets: [0, 1, 3, 4] }), answers: without(2) }, terms);
    assert.equal(only(lost), 'I1 committed without an answer: lost [in/0/2]');
  });

  test('a declared drop is counted, not a loss', () => {
    const account = judged({ answers: without(2) }, { dropped: ({ offset }) => offset === 2 });
    assert.deepEqual(account.violations, []);
    assert.equal(account.dropped, 1);
  });

  test('inputs deleted from the front of a topic before their answer are counted, not violations', () => {
    const acknowledged = new Set(['in/0/0', 'in/0/1']);
    const account = judged(
      { partitions: partition({ offsets: [2, 3, 4], low: 2 }), answers: without(0) },
      { acknowledged },
    );
    assert.deepEqual(account.violations, []);
    assert.equal(account.truncated, 1);
  });

  test('gaps in a compacted topic are not records', () => {
    const account = judged({ partitions: partition({ offsets: [0, 3, 4] }), answers: without(1, 2) });
    assert.deepEqual(account.violations, []);
  });

  test('I2: at rest, an input above the position needs an answer too; the lag breaks I8', () => {
    const account = judged({ partitions: partition({ committed: 4 }), answers: without(4), samples: [] });
    assert.deepEqual(
      account.violations.map(({ invariant, what }) => `${invariant} ${what}`),
      ['I2 no answer at rest', 'I8 lag at rest'],
    );
    assert.equal(account.lag, 1);
    assert.deepEqual(
      judged({ partitions: partition({ committed: 4 }), answers: without(4) }, { atRest: false }).violations,
      [],
    );
  });

  test('I2: an answer without an input is a violation', () => {
    const stranger = answer(5, { source: 'in/0/9' });
    assert.equal(
      only(judged({ answers: [...SOUND.answers, stranger] })),
      'I2 an answer to what was never asked [in/0/9 in out/0@5]',
    );
  });

  test('I2: an input both published and dead-lettered is a violation, unless declared', () => {
    const answers = [...SOUND.answers, letter(3)];
    assert.equal(only(judged({ answers })), 'I2 published and dead-lettered [in/0/3 in out/0@3]');
    assert.deepEqual(judged({ answers }, { mayChangeFate: true }).violations, []);
  });

  test('a harmless record may be quarantined where members die of something else', () => {
    const answers = [...SOUND.answers, letter(3, { reason: 'quarantined' })];
    assert.equal(judged({ answers }).violations.length, 1);
    const terms: Terms = { mayQuarantine: true, expected: () => 'published' };
    assert.deepEqual(judged({ answers }, terms).violations, []);
    const instead = [...without(3), letter(3, { reason: 'quarantined' })];
    assert.deepEqual(judged({ answers: instead }, terms).violations, []);
    const other = [...without(3), letter(3, { reason: 'decode-failed' })];
    assert.equal(judged({ answers: other }, terms).violations.length, 1);
  });

  test('I2: an input with another fate than the expected one is a violation', () => {
    const terms: Terms = { expected: ({ offset }) => (offset === 1 ? 'dead-lettered' : 'published') };
    assert.equal(only(judged({}, terms)), 'I2 to be dead-lettered, was published [in/0/1 in out/0@1]');
  });

  test('I2: an answer that is wrong in itself is a violation', () => {
    const answers = [...without(3), answer(3, { flaw: 'probability is not a number' })];
    assert.equal(only(judged({ answers })), 'I2 published although probability is not a number [in/0/3 in out/0@3]');
  });

  test('I3: duplicates with another key or content are violations; equal ones are counted', () => {
    const equal = judged({ answers: [...SOUND.answers, answer(5, { source: 'in/0/1', key: 'k1', content: 'c1' })] });
    assert.deepEqual(equal.violations, []);
    assert.deepEqual(equal.duplicates, { count: 1, sources: ['in/0/1'] });
    const key = answer(5, { source: 'in/0/1', key: 'other', content: 'c1' });
    assert.match(only(judged({ answers: [...SOUND.answers, key] })), /^I3 a duplicate has another key/);
    const content = answer(5, { source: 'in/0/1', key: 'k1', content: 'other' });
    assert.match(only(judged({ answers: [...SOUND.answers, content] })), /^I3 a duplicate of the same model has other/);
    assert.deepEqual(judged({ answers: [...SOUND.answers, content] }, { alike: () => true }).violations, []);
    const newer = { ...content, model: 'm@2#def' };
    assert.deepEqual(judged({ answers: [...SOUND.answers, newer] }).violations, []);
  });

  test('I3: more duplicates than allowed are a violation', () => {
    const answers = [...SOUND.answers, answer(5, { source: 'in/0/1', key: 'k1', content: 'c1' })];
    assert.match(only(judged({ answers }, { maxDuplicates: 0 })), /^I3 more duplicates than 0/);
  });

  test('I4: a position observed past an unanswered input is a violation', () => {
    const samples = [{ topic: 'in', partition: 0, committed: 5, unanswered: ['in/0/4'] }];
    assert.equal(only(judged({ samples })), 'I4 committed before it was answered [in/0/4]');
  });

  test('I4 and I6: a position that goes back is a violation, unless a reset was declared', () => {
    const samples = [5, 3, 5].map((committed) => ({ topic: 'in', partition: 0, committed, unanswered: [] }));
    assert.deepEqual(
      judged({ samples }).violations.map(({ invariant, examples }) => `${invariant} ${examples[0]}`),
      ['I4 in/0 from 5 to 3', 'I6 in/0 from 5 to 3'],
    );
    assert.deepEqual(judged({ samples }, { mayRewind: true }).violations, []);
  });

  test('I4: a position past the end is a violation', () => {
    assert.match(only(judged({ partitions: partition({ committed: 6 }) })), /^I4 committed past the end/);
  });

  test('I5: first occurrences out of input order are violations; repeats and refused records are not', () => {
    const swapped = [answer(0), answer(1, { source: 'in/0/2' }), answer(2, { source: 'in/0/1' }), answer(3), answer(4)];
    assert.equal(
      only(judged({ answers: swapped })),
      'I5 first occurrences out of order [in/0/1 in out/0@2 after in/0/2 in out/0@1]',
    );
    assert.deepEqual(judged({ answers: swapped }, { order: false }).violations, []);
    const repeat = answer(5, { source: 'in/0/0', key: 'k0', content: 'c0' });
    assert.deepEqual(judged({ answers: [...SOUND.answers, repeat] }).violations, []);
    const letters = [letter(3), letter(4, { source: 'in/0/1', reason: 'unpublishable' })];
    assert.deepEqual(judged({ answers: [...without(1, 3), ...letters] }).violations, []);
  });

  test('I5 goes by the offsets of the answers, not by the order in which they were read', () => {
    assert.deepEqual(judged({ answers: [...SOUND.answers].reverse() }).violations, []);
  });

  test('I8: a transaction that stays open is a violation', () => {
    assert.match(only(judged({ hanging: ['out/0'] })), /^I8 a transaction stays open/);
  });

  test('I11: a secret in an output is a violation', () => {
    assert.match(only(judged({ leaks: ['dead/0@1'] })), /^I11 a secret got out/);
  });
});
