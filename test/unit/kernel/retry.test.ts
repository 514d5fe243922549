import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SluiceError } from '../../../src/kernel/errors.ts';
import { type RetryOptions, retry } from '../../../src/kernel/retry.ts';
import { FakeClock } from '../../fixtures/clock.ts';

const DOWN = new SluiceError('store-unavailable', 'down');

/** Runs with `draw` in place of chance; remembers the waits it was told of, and when the attempts were. */
function start(draw: number, options: Partial<RetryOptions> = {}) {
  const clock = new FakeClock();
  const told: [string, number, number][] = [];
  const attemptsAtMs: number[] = [];
  const run = <T>(attempt: (n: number) => Promise<T>): Promise<T> =>
    retry(
      { clock, random: () => draw },
      {
        initialMs: 50,
        maxMs: 2_000,
        onRetry: (error, n, delayMs) => void told.push([error.code, n, delayMs]),
        ...options,
      },
      () => {
        attemptsAtMs.push(clock.monotonicMs());
        return attempt(attemptsAtMs.length);
      },
    );
  return { clock, told, attemptsAtMs, run };
}

test('waits double from the first to the longest, between half and all of it, and are told before each', async () => {
  for (const [draw, share] of [
    [0, 0.5],
    [0.5, 0.75],
    [0.999_999, 1],
  ]) {
    const { clock, told, attemptsAtMs, run } = start(draw);
    const answer = run((n) => (n <= 8 ? Promise.reject(DOWN) : Promise.resolve('up')));
    assert.equal(await clock.run(answer), 'up');
    const ceilings = [50, 100, 200, 400, 800, 1_600, 2_000, 2_000];
    told.forEach(([code, n, delayMs], i) => {
      assert.deepEqual([code, n], ['store-unavailable', i + 1]);
      assert.ok(Math.abs(delayMs - ceilings[i] * share) < 0.01, `wait ${n}: ${delayMs} ms`);
      assert.ok(Math.abs(attemptsAtMs[i + 1] - attemptsAtMs[i] - delayMs) < 0.01);
    });
    assert.equal(told.length, 8);
  }
});

test('there is no last attempt: hours of an outage end with its end', async () => {
  const { clock, attemptsAtMs, run } = start(0.9);
  const answer = run(async () => {
    if (clock.monotonicMs() < 7_200_000) throw DOWN;
    return 'up';
  });
  assert.equal(await clock.run(answer, 8_000_000), 'up');
  assert.ok(attemptsAtMs.length > 3_600);
  assert.ok(attemptsAtMs.every(Number.isFinite));
});

test('what is not a matter of time is thrown at once: other dispositions, and errors that nobody translated', async () => {
  for (const thrown of [
    new SluiceError('store-refused', 'no'),
    new SluiceError('schema-unknown', 'no'),
    new Error('bug'),
  ]) {
    const { clock, told, run } = start(0);
    await assert.rejects(clock.run(run(() => Promise.reject(thrown))), /no|unexpected failure: bug/);
    assert.deepEqual(told, []);
  }
});

test('the signal ends a wait at once with the last failure, and a failure after it is final', async () => {
  const stop = new AbortController();
  const { clock, told, attemptsAtMs, run } = start(0.5, { signal: stop.signal });
  const answer = run(() => Promise.reject(DOWN));
  clock.after(10, () => stop.abort());
  await assert.rejects(clock.run(answer), DOWN);
  assert.deepEqual([clock.monotonicMs(), attemptsAtMs.length, told.length, clock.timers], [10, 1, 1, 0]);

  const again = start(0.5, { signal: stop.signal });
  await assert.rejects(again.clock.run(again.run(() => Promise.reject(DOWN))), DOWN);
  assert.deepEqual([again.attemptsAtMs.length, again.told.length], [1, 0]);
});
