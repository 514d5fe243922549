import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Pace, type Turn } from '../../../../src/kernel/calls/pace.ts';
import { FakeClock } from '../../../fixtures/clock.ts';

function setUp(maxCalls = 4) {
  const clock = new FakeClock();
  const pace = new Pace(clock, { limit: { allowed: maxCalls }, firstPauseMs: 100, maxPauseMs: 400 });
  const started: string[] = [];
  const reads = new Map<string, object>();
  const readOf = (name: string): object => {
    const read = reads.get(name) ?? { name };
    reads.set(name, read);
    return read;
  };
  const submit = (read: string, table = 't'): Turn => {
    const turn = { table, read: readOf(read), start: () => started.push(read) };
    pace.submit(turn);
    return turn;
  };
  const names = (list: readonly object[]): string[] => list.map((read) => (read as { name: string }).name);
  return { clock, pace, started, readOf, submit, names };
}

test('calls start in order, as many as may, and the next when one ends', () => {
  const { pace, started, submit } = setUp(2);
  const first = submit('a');
  submit('b');
  submit('c');
  assert.deepEqual(started, ['a', 'b']);
  pace.ended(first);
  assert.deepEqual(started, ['a', 'b', 'c']);
});

test('row 14: a table in doubt is asked by one read at a time, one call at a time, ever more seldom; others are not', async () => {
  const { clock, pace, started, readOf, submit, names } = setUp();
  const failing = submit('a');
  assert.deepEqual(pace.failed('t', readOf('a'), true), []);
  pace.ended(failing);
  for (const read of ['b', 'b', 'c', 'd']) submit(read);
  submit('x', 'other');
  assert.deepEqual(started, ['a', 'x'], 'nobody asks before the pause is over');
  await clock.advance(99);
  assert.deepEqual(started, ['a', 'x']);
  await clock.advance(1);
  assert.deepEqual(started, ['a', 'x', 'b'], 'one, of both its calls');
  await clock.advance(60_000);
  assert.deepEqual(started, ['a', 'x', 'b'], 'until it knows');
  assert.deepEqual(names(pace.failed('t', readOf('b'), true)), ['c', 'd'], 'they fail with it');
  pace.leave('t', readOf('c'));
  pace.leave('t', readOf('d'));
  submit('e');
  await clock.advance(199);
  assert.deepEqual(started.slice(3), [], 'twice as long');
  await clock.advance(1);
  assert.deepEqual(started.slice(3), ['e']);
  submit('f');
  submit('g');
  pace.succeeded('t');
  assert.deepEqual(started.slice(3), ['e', 'f'], 'the first answer ends the doubt');
});

test('row 14: where nothing was answered, one read asks for all tables; what answers first ends that, table by table', async () => {
  const { clock, pace, started, readOf, submit, names } = setUp();
  pace.failed('t', readOf('a'), false);
  submit('b');
  submit('x', 'other');
  await clock.advance(100);
  assert.deepEqual(started, ['b'], 'not one a table');
  assert.deepEqual(names(pace.failed('t', readOf('b'), false)), ['x']);
  pace.leave('other', readOf('x'));
  submit('y', 'other');
  submit('c');
  await clock.advance(200);
  assert.deepEqual(started, ['b', 'y']);
  pace.succeeded('other');
  submit('z', 'other');
  assert.deepEqual(started, ['b', 'y', 'c', 'z'], 'the first table is still asked by one read only');
  submit('d');
  assert.equal(started.length, 4);
});

test('a read that asks and is given up leaves the question to the next', async () => {
  const { clock, pace, started, readOf, submit } = setUp();
  pace.failed('t', readOf('a'), true);
  submit('b');
  submit('c');
  await clock.advance(100);
  assert.deepEqual(started, ['b']);
  pace.leave('t', readOf('b'));
  assert.deepEqual(started, ['b', 'c']);
});
