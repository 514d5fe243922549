import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { OUTAGE_MS, StoreHealth } from '../../../../src/stages/features/store-health.ts';
import { FakeClock } from '../../../fixtures/clock.ts';

function watch(): { clock: FakeClock; health: StoreHealth; changes: [atMs: number, out: boolean][] } {
  const clock = new FakeClock();
  const changes: [number, boolean][] = [];
  return { clock, changes, health: new StoreHealth(clock, (out) => changes.push([clock.monotonicMs(), out])) };
}

test('a call that fails is an outage once it has lasted, from its start; one that is answered ends it for all', async () => {
  const { clock, health, changes } = watch();
  const [slow, other] = [{}, {}];
  await clock.advance(1_500);
  health.failed(slow, 0, 'time-out');
  await clock.advance(499);
  assert.deepEqual(changes, []);
  health.failed(slow, 0, 'time-out');
  await clock.advance(1);
  assert.deepEqual(changes, [[OUTAGE_MS, true]]);
  health.ended(other, true);
  assert.equal(health.out, false, 'the store answers, if not for all');
  await clock.advance(OUTAGE_MS);
  assert.equal(health.out, true, 'what still fails has to fail for that long again');
  health.ended(slow, false);
  assert.deepEqual([health.out, health.failing, clock.timers], [false, 0, 0], 'nobody is left who could tell');
});

test('whatever calls do, an outage begins only after a call has failed for that long, and while it lasts one is failing', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.nat(5), fc.constantFrom('failed', 'answered', 'given up'), fc.nat(1_500)), {
        maxLength: 80,
      }),
      async (steps) => {
        const { clock, health, changes } = watch();
        let answeredAtMs = 0;
        const calls = new Map<number, { startedMs: number }>();
        for (const [n, what, waitMs] of steps) {
          const call = calls.get(n) ?? { startedMs: clock.monotonicMs() };
          calls.set(n, call);
          if (what === 'failed') health.failed(call, call.startedMs, what);
          else {
            health.ended(call, what === 'answered');
            calls.delete(n);
            if (what === 'answered') {
              answeredAtMs = clock.monotonicMs();
              assert.equal(health.out, false);
            }
          }
          if (health.out) assert.ok(health.failing > 0);
          await clock.advance(waitMs);
          const [atMs, out] = changes.at(-1) ?? [0, false];
          if (out) assert.ok(atMs - answeredAtMs >= OUTAGE_MS, 'not before the last answer is as old');
        }
        assert.deepEqual(
          changes.map(([, out]) => out),
          changes.map((_, k) => k % 2 === 0),
        );
      },
    ),
    { seed: 11, numRuns: 60 },
  );
});
