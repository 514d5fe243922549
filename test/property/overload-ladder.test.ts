import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  BOTTOM,
  CALM_MS,
  HOLD_MS,
  type LadderSettings,
  type LadderState,
  nextRung,
  STEPS,
} from '../../src/overload/ladder.ts';

/** The ladder against what it promises, over arbitrary readings and every choice of steps. */
const settingsOf = fc
  .record({
    steps: fc.subarray([...STEPS]),
    lagMs: fc.integer({ min: 10, max: 60_000 }),
    skipTimes: fc.integer({ min: 2, max: 20 }),
  })
  .map(({ steps, lagMs, skipTimes }): LadderSettings => ({ steps, lagMs, skipLagMs: lagMs * skipTimes }));

const readings = fc.array(
  fc.record({
    afterMs: fc.oneof(fc.integer({ min: 1, max: 1_000 }), fc.integer({ min: 1, max: 30_000 })),
    /** In limits: most readings are near one of the borders. */
    lag: fc.oneof(fc.constantFrom(0, 0.49, 0.5, 0.99, 1, 1.01), fc.double({ min: 0, max: 40, noNaN: true })),
    held: fc.oneof({ weight: 9, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) }),
  }),
  { maxLength: 120 },
);

function settle(settings: LadderSettings, from: LadderState, lagMs: number, nowMs: number, ticks: number): LadderState {
  let state = from;
  for (let n = 1; n <= ticks; n++) state = nextRung(state, { nowMs: nowMs + n * 500, lagMs, held: false }, settings);
  return state;
}

test('only declared steps, one at a time, held for a while; never up when calm, held back or working it off', () => {
  fc.assert(
    fc.property(settingsOf, readings, (settings, list) => {
      let state = BOTTOM;
      let nowMs = 0;
      for (const { afterMs, lag, held } of list) {
        nowMs += afterMs;
        const lagMs = lag * settings.lagMs;
        const before = state;
        state = nextRung(before, { nowMs, lagMs, held }, settings);
        const moved = state.level - before.level;
        assert.ok(state.level >= 0 && state.level <= settings.steps.length, 'no step that is not declared');
        assert.ok(Math.abs(moved) <= 1, 'one at a time');
        if (moved === 0) {
          assert.equal(state.changedAtMs, before.changedAtMs);
          continue;
        }
        assert.ok(!held, 'nothing moves while something else holds the pipeline');
        const heldForMs = nowMs - before.changedAtMs;
        assert.ok(heldForMs >= (moved > 0 ? HOLD_MS : CALM_MS), `changed after ${heldForMs} ms`);
        if (moved < 0) assert.ok(lagMs < settings.lagMs / 2, 'down only when calm');
        else {
          assert.ok(lagMs >= settings.lagMs, 'up only when overloaded');
          assert.ok(lagMs > 0.9 * before.overLagMs, 'not up while the lag shrinks');
          if (settings.steps[before.level] === 'skip-to-latest') assert.ok(lagMs >= settings.skipLagMs);
        }
      }
    }),
    { seed: 7, numRuns: 500 },
  );
});

test('a lag that stays takes every declared step, the last only above its own limit; when the lag is gone, all are taken back', () => {
  fc.assert(
    fc.property(settingsOf, fc.boolean(), (settings, far) => {
      const lagMs = far ? settings.skipLagMs : settings.lagMs;
      const ticks = ((settings.steps.length + 1) * HOLD_MS) / 500 + 2;
      const top = settle(settings, BOTTOM, lagMs, 0, ticks);
      const skips = settings.steps.at(-1) === 'skip-to-latest' && !far;
      assert.equal(top.level, settings.steps.length - (skips ? 1 : 0));
      const back = settle(settings, top, 0, ticks * 500, ((settings.steps.length + 1) * CALM_MS) / 500 + 2);
      assert.equal(back.level, 0);
    }),
    { seed: 8, numRuns: 200 },
  );
});

test('a short burst takes no step; a lag between half and whole changes nothing', () => {
  const settings: LadderSettings = { steps: STEPS, lagMs: 1_000, skipLagMs: 10_000 };
  const burst = settle(settings, BOTTOM, 5_000, 0, HOLD_MS / 500);
  assert.equal(burst.level, 0);
  const up = settle(settings, burst, 5_000, HOLD_MS, 1);
  assert.equal(up.level, 1);
  assert.equal(settle(settings, up, 700, HOLD_MS + 500, 1_000).level, 1);
});

test('time in which something else holds the pipeline does not count; time before it does', () => {
  const settings: LadderSettings = { steps: STEPS, lagMs: 1_000, skipLagMs: 10_000 };
  let state = BOTTOM;
  let looks = 0;
  while (state.level === 0) {
    looks++;
    state = nextRung(state, { nowMs: looks * 500, lagMs: 1_000 + looks, held: looks % 2 === 0 }, settings);
    assert.ok(looks < 100);
  }
  const free = HOLD_MS / 500 + 1;
  assert.ok(looks >= 2 * free - 2 && looks <= 2 * free + 2, `${looks} looks`);
});
