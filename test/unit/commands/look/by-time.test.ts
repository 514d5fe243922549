import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readByTime } from '../../../../src/commands/look/by-time.ts';
import type { LogRecord, Range, TopicLog, Visit } from '../../../../src/ports/topic-log.ts';
import { seeded } from '../../../fixtures/random.ts';

const record = (partition: number, offset: number, timestampMs: number): LogRecord => ({
  ...{ partition, offset, timestampMs, key: null, value: null, headers: [] },
});

/** Partitions as lists of timestamps; answers after as many turns as chance has it. */
function logOf(partitions: readonly (readonly number[])[], failing = -1): Pick<TopicLog, 'read'> {
  const random = seeded(3);
  return {
    async read(_topic: string, partition: number, { from, to }: Range, visit: Visit<LogRecord>) {
      for (let offset = from; offset < to; offset++) {
        for (let turns = random() * 4; turns > 1; turns--) await Promise.resolve();
        if (partition === failing) throw new Error('away');
        if (!(await visit(record(partition, offset, partitions[partition][offset])))) return offset + 1;
      }
      return to;
    },
  };
}

const rangesOf = (partitions: readonly (readonly number[])[]) =>
  new Map(partitions.map(({ length }, partition) => [partition, { from: 0, to: length }]));

test('records of all partitions come by time, each partition in its order', async () => {
  const partitions = [[1, 4, 4, 9], [], [2, 1, 8], [4]];
  const seen: string[] = [];
  const ended = await readByTime(logOf(partitions), 't', rangesOf(partitions), ({ partition, offset }) => {
    seen.push(`${partition}:${offset}`);
    return true;
  });
  assert.deepEqual(seen, ['0:0', '2:0', '2:1', '0:1', '0:2', '3:0', '2:2', '0:3']);
  assert.deepEqual([...ended.values()], [4, 0, 3, 1]);
});

test('one that has enough ends all of them', async () => {
  const partitions = [
    [1, 3, 5],
    [2, 4, 6],
  ];
  let seen = 0;
  await readByTime(logOf(partitions), 't', rangesOf(partitions), () => ++seen < 3);
  assert.equal(seen, 3);
});

test('one that fails fails the whole, and none is left waiting', async () => {
  const partitions = [[1, 2], [1]];
  await assert.rejects(
    readByTime(logOf(partitions, 1), 't', rangesOf(partitions), () => true),
    /away/,
  );
  const broken = readByTime(logOf(partitions), 't', rangesOf(partitions), () => {
    throw new Error('visitor');
  });
  await assert.rejects(broken, /visitor/);
});
