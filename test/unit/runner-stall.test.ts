import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RunnerOptions } from '../../src/runner.ts';
import { bare } from '../fixtures/bare-runner.ts';
import { emptyRecords } from '../fixtures/frames.ts';
import { origin } from '../fixtures/world.ts';

/** Frames of one record whose paths end when told, in a run with a condition that tests set. */
async function stalling(options: Partial<RunnerOptions> = {}) {
  const paths: (() => void)[] = [];
  const all = bare({ path: () => new Promise<void>((resolve) => paths.push(resolve)) }, options);
  void all.runner.run();
  await all.clock.advance(0);
  const from = origin();
  all.source.assign(from);
  let offset = 0;
  const feed = async (): Promise<void> => {
    await all.credit.take(1, 0);
    all.source.listener.onFrame(emptyRecords(from, offset++, 1));
  };
  const settle = async (): Promise<void> => {
    paths.shift()?.();
    await all.clock.advance(0);
  };
  const told = (): [boolean, boolean, string] => {
    const { live, ready, reason } = all.runner.health();
    return [live, ready, reason];
  };
  return { ...all, feed, settle, told };
}

const WELL = [true, true, ''];

test('frames under way of which none settles make the run unready after a minute, and not live after ten', async () => {
  const { clock, feed, settle, told } = await stalling();
  await clock.advance(3_600_000);
  assert.deepEqual(told(), WELL, 'an idle run is no stall');
  await feed();
  await feed();
  await clock.advance(59_999);
  await feed();
  assert.deepEqual(told(), WELL);
  await clock.advance(1);
  assert.deepEqual(told(), [true, false, 'no record settled for 60 s'], 'a frame that comes is no progress');
  await clock.advance(539_999);
  assert.deepEqual(told(), [true, false, 'no record settled for 599 s']);
  await clock.advance(1);
  assert.deepEqual(told(), [false, false, 'no record settled for 600 s']);
  await settle();
  assert.deepEqual(told(), WELL);
  await clock.advance(60_000);
  assert.deepEqual(told(), [true, false, 'no record settled for 60 s'], 'counted from the last that settled');
  await settle();
  await settle();
  await clock.advance(3_600_000);
  assert.deepEqual(told(), WELL);
});

test('a run that may drain for long may be still for longer', async () => {
  const { clock, feed, told } = await stalling({ drainMs: 30_000 });
  await feed();
  await clock.advance(89_999);
  assert.deepEqual(told(), WELL);
  await clock.advance(1);
  assert.deepEqual(told(), [true, false, 'no record settled for 90 s']);
});

test('what a condition explains is no stall, however long, and time counts again from its end', async () => {
  const { clock, conditions, feed, told } = await stalling();
  await feed();
  await clock.advance(30_000);
  conditions().set('store t', 'away');
  conditions().set('sink out', 'away');
  await clock.advance(3_600_000);
  conditions().clear('sink out');
  assert.deepEqual(told(), [true, false, 'store t: away']);
  await clock.advance(30_000);
  conditions().clear('store t');
  assert.deepEqual(told(), WELL);
  await clock.advance(59_999);
  assert.deepEqual(told(), WELL);
  await clock.advance(1);
  assert.deepEqual(told(), [true, false, 'no record settled for 60 s']);
});
