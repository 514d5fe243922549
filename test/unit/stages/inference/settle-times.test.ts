import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PathTimes } from '../../../../src/batching/path-times.ts';
import { SettleTimes } from '../../../../src/stages/inference/settle-times.ts';
import { FakeClock } from '../../../fixtures/clock.ts';
import { preprocessed } from '../../../fixtures/stage-deps.ts';

const clock = new FakeClock();

function watcher(): { settling: SettleTimes; seen: number[][] } {
  const seen: number[][] = [];
  const times = new PathTimes({ budgetMs: 100 });
  times.observe = (before, after) => void seen.push([before, after]);
  return { settling: new SettleTimes(times, { budgetMs: 100 }), seen };
}

test('a frame that settles between two looks close to each other is seen, once', () => {
  const { settling, seen } = watcher();
  const frame = preprocessed([1], clock);
  settling.watch(frame, 7, 1_000);
  settling.look(1_005);
  assert.deepEqual(seen, []);
  frame.unsettled = 0;
  settling.look(1_012);
  settling.look(1_013);
  assert.deepEqual(seen, [[7, 12]]);
});

test('when nobody looked for long, nobody knows when it settled', () => {
  const { settling, seen } = watcher();
  const frame = preprocessed([1], clock);
  settling.watch(frame, 7, 1_000);
  settling.look(1_000);
  frame.unsettled = 0;
  settling.look(1_050);
  assert.deepEqual(seen, []);
});

test('few are watched at once, those that never settle are given up, and late ones tell nothing', () => {
  const { settling, seen } = watcher();
  settling.watch(preprocessed([1], clock), 100, 0);
  settling.watch(preprocessed([1], clock), Number.POSITIVE_INFINITY, 0);
  for (let n = 0; n < 8; n++) settling.watch(preprocessed([1], clock), 1, 0);
  const later = preprocessed([1], clock);
  later.unsettled = 0;
  settling.watch(later, 2, 0);
  settling.look(1);
  assert.deepEqual(seen, [], 'there was no room for it');
  for (let nowMs = 5; nowMs <= 1_005; nowMs += 5) settling.look(nowMs);
  settling.watch(later, 2, 1_005);
  settling.look(1_006);
  assert.deepEqual(seen, [[2, 1]]);
});
