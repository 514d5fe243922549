import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { test } from 'node:test';
import { pause } from '../../../src/kernel/clock.ts';
import { deadlineIn, within } from '../../../src/kernel/deadline.ts';
import { createSystemClock } from '../../../src/kernel/system-clock.ts';
import { FakeClock, settle } from '../../fixtures/clock.ts';
import { Gate } from '../../fixtures/fakes.ts';

test('a pause ends after its time, or with its signal; it leaves neither timer nor listener behind', async () => {
  const clock = new FakeClock();
  const { signal } = new AbortController();
  await clock.run(pause(clock, 30, signal));
  assert.equal(clock.monotonicMs(), 30);
  assert.equal(getEventListeners(signal, 'abort').length, 0);

  const stop = new AbortController();
  const stopped = pause(clock, 1_000, stop.signal);
  clock.after(5, () => stop.abort());
  await clock.run(stopped);
  await pause(clock, 1_000, stop.signal);
  assert.deepEqual([clock.monotonicMs(), clock.timers], [35, 0]);
});

test('a deadline counts down to nothing and no further', async () => {
  const clock = new FakeClock();
  await clock.advance(7);
  const deadline = deadlineIn(clock, 100);
  assert.deepEqual([deadline.atMonotonicMs, deadline.remainingMs(), deadline.passed()], [107, 100, false]);
  await clock.advance(99);
  assert.deepEqual([deadline.remainingMs(), deadline.passed()], [1, false]);
  await clock.advance(1);
  assert.deepEqual([deadline.remainingMs(), deadline.passed()], [0, true]);
  await clock.advance(50);
  assert.equal(deadline.remainingMs(), 0);
});

test('work within a deadline: true in time, false when late, its failure passed on', async () => {
  const clock = new FakeClock();
  const gate = new Gate();
  gate.close();
  assert.equal(await clock.run(within(clock, deadlineIn(clock, 50), pause(clock, 49))), true);
  assert.equal(await clock.run(within(clock, deadlineIn(clock, 50), gate.through())), false);
  await assert.rejects(clock.run(within(clock, deadlineIn(clock, 50), Promise.reject(new Error('broken')))), /broken/);
  assert.equal(clock.timers, 0);
});

test('one deadline for several steps: their times do not add up', async () => {
  const clock = new FakeClock();
  const deadline = deadlineIn(clock, 100);
  const ends: boolean[] = [];
  for (const needsMs of [40, 40, 40, 1]) ends.push(await clock.run(within(clock, deadline, pause(clock, needsMs))));
  assert.deepEqual(ends, [true, true, false, false]);
  assert.equal(deadline.remainingMs(), 0);
});

test('work that is already over when its deadline has passed still counts', async () => {
  const clock = new FakeClock();
  const deadline = deadlineIn(clock, 0);
  assert.equal(await clock.run(within(clock, deadline, Promise.resolve())), true);
});

test('the system clock: wall time in ms since 1970, a monotonic one, timers that can be cancelled', async () => {
  const clock = createSystemClock();
  assert.ok(clock.wallMs() > Date.UTC(2024, 0, 1) && Number.isInteger(clock.wallMs()));
  const before = clock.monotonicMs();
  let fired = 0;
  clock.after(0, () => fired++).cancel();
  // A time beyond what a timer of the machine can hold is a long time, not none at all.
  const far = clock.after(2 ** 40, () => fired++);
  await new Promise<void>((resolve) => clock.after(-5, resolve));
  await settle();
  far.cancel();
  assert.equal(fired, 0);
  assert.ok(clock.monotonicMs() >= before);
});
