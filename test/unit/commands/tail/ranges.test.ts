import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rangesFrom } from '../../../../src/commands/tail/tail.ts';
import { Text } from '../../../fixtures/io.ts';

test('each partition goes on where it was; a new one from its start, one that was made anew from there, one that was cut from its end', () => {
  const stderr = new Text();
  const positions = new Map([
    [0, 4],
    [2, 9],
    [3, 9],
  ]);
  const ends = new Map([
    [0, { start: 1, end: 6 }],
    [1, { start: 2, end: 3 }],
    [2, { start: 0, end: 5 }],
    [3, { start: 2, end: 5 }],
  ]);
  assert.deepEqual(
    [...rangesFrom('t', positions, ends, { stderr })],
    [
      [0, { from: 4, to: 6 }],
      [1, { from: 2, to: 3 }],
      [2, { from: 0, to: 5 }],
      [3, { from: 5, to: 5 }],
    ],
  );
  assert.deepEqual([...positions.values()], [4, 0, 5, 2]);
  assert.equal(
    stderr.text,
    't/2 ends at offset 5, and was read up to 9: recreated or truncated; continuing from 0\n' +
      't/3 ends at offset 5, and was read up to 9: recreated or truncated; continuing from 5\n',
  );
});
