import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Breaker } from '../../../../src/kernel/calls/breaker.ts';
import { FakeClock } from '../../../fixtures/clock.ts';

function start() {
  const clock = new FakeClock();
  const said: string[] = [];
  const tries: number[] = [];
  const world = { well: false };
  const breaker = new Breaker(
    {
      clock,
      async tryIt() {
        tries.push(clock.monotonicMs());
        if (!world.well) throw new Error('still away');
      },
      onChange: (open, why) => void said.push(open ? `open: ${(why as Error).message}` : 'closed'),
    },
    { failures: 2, firstPauseMs: 500, maxPauseMs: 4_000 },
  );
  return { clock, said, tries, world, breaker };
}

test('one failure between successes opens nothing; two in a row do, and one that is certain', () => {
  const { breaker, said } = start();
  breaker.failed(new Error('a'));
  breaker.succeeded();
  breaker.failed(new Error('b'));
  assert.equal(breaker.open, false);
  breaker.failed(new Error('c'));
  assert.equal(breaker.open, true);
  breaker.failed(new Error('d'));
  assert.deepEqual(said, ['open: c'], 'told once');
  breaker.close();
  const other = start();
  other.breaker.failed(new Error('gone'), true);
  assert.equal(other.breaker.open, true);
  other.breaker.close();
});

test('while it is open it is tried with pauses that double, and closed by the first try that succeeds', async () => {
  const { clock, breaker, tries, said, world } = start();
  breaker.failed(new Error('gone'), true);
  await clock.advance(12_000);
  assert.deepEqual(tries, [500, 1_500, 3_500, 7_500, 11_500]);
  world.well = true;
  await clock.advance(4_000);
  assert.equal(breaker.open, false);
  assert.deepEqual(said, ['open: gone', 'closed']);
  await clock.advance(100_000);
  assert.equal(tries.length, 6, 'what is asked needs no tries');
});

test('one that answers tries and fails at once again is tried less and less; one that was well for a minute anew', async () => {
  const { clock, breaker, tries, world } = start();
  world.well = true;
  for (let n = 0; n < 3; n++) {
    breaker.failed(new Error('again'), true);
    await clock.advance(4_000);
    assert.equal(breaker.open, false);
  }
  assert.deepEqual(tries, [500, 5_000, 10_000], 'after 500, 1000 and 2000 ms');
  await clock.advance(61_000);
  breaker.failed(new Error('later'), true);
  await clock.advance(500);
  assert.equal(breaker.open, false);
});

test('one that has ended tries nothing more', async () => {
  const { clock, breaker, tries } = start();
  breaker.failed(new Error('gone'), true);
  breaker.close();
  await clock.advance(60_000);
  assert.deepEqual(tries, []);
  assert.equal(clock.timers, 0);
});
