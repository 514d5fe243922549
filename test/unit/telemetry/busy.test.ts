import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createStageTimers } from '../../../src/telemetry/busy.ts';
import { FakeClock } from '../../fixtures/clock.ts';
import { RecordingTelemetry } from '../../fixtures/telemetry.ts';

function make() {
  const clock = new FakeClock();
  const telemetry = new RecordingTelemetry();
  return { clock, telemetry, timers: createStageTimers(telemetry, clock, ['decode', 'infer']) };
}

function near(actual: number, expected: number): void {
  assert.ok(Math.abs(actual - expected) < 1e-9, `${actual} is not ${expected}`);
}

test('work added is a share of the window, each stage apart, and goes into the histogram in seconds', async () => {
  const { clock, telemetry, timers } = make();
  for (let i = 0; i < 50; i++) {
    await clock.advance(100);
    timers.add(timers.indexOf('infer'), 75);
    timers.add(timers.indexOf('decode'), 10);
  }
  near(timers.ratio(1), 0.75);
  near(timers.ratio(0), 0.1);
  assert.equal(timers.bottleneck(), 'infer');
  near(telemetry.gauges.get('sluice_stage_busy_ratio{stage=infer}')?.() ?? Number.NaN, 0.75);
  assert.deepEqual(telemetry.observed.get('sluice_stage_seconds{stage=infer}')?.slice(0, 2), [0.075, 0.075]);
});

test('the window forgets, and an idle pipeline has no bottleneck', async () => {
  const { clock, timers } = make();
  await clock.advance(1000);
  timers.add(1, 1000);
  assert.equal(timers.bottleneck(), 'infer');
  await clock.advance(4000);
  near(timers.ratio(1), 0.2);
  await clock.advance(3000);
  assert.equal(timers.ratio(1), 0);
  assert.equal(timers.bottleneck(), '');
});

test('work that overlaps with itself counts once, and counts while it is under way', async () => {
  const { clock, timers } = make();
  const first = timers.enter(0);
  await clock.advance(1000);
  const second = timers.enter(0);
  await clock.advance(1000);
  near(timers.ratio(0), 1);
  timers.leave(0, first);
  await clock.advance(500);
  timers.leave(0, second);
  await clock.advance(1500);
  near(timers.ratio(0), 2500 / 4000);
});

test('work longer than the window is busy all of it, never more', async () => {
  const { clock, timers } = make();
  const entered = timers.enter(1);
  await clock.advance(60_000);
  near(timers.ratio(1), 1);
  timers.leave(1, entered);
  await clock.advance(2_500);
  near(timers.ratio(1), 3000 / 5500);
  timers.add(0, 20_000);
  near(timers.ratio(0), 1);
});

test('an unknown stage throws', () => {
  assert.throws(() => make().timers.indexOf('encode'), /no stage encode among decode, infer/);
});
