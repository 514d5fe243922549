import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createRecentState, type DisplayAbout, readDisplayState } from '../../../../src/commands/display/state.ts';
import { createTelemetry } from '../../../../src/telemetry/metrics.ts';
import { FakeClock } from '../../../fixtures/clock.ts';

const ABOUT: DisplayAbout = {
  topology: 'flight-delay',
  maxInflightRecords: 100,
  maxInflightBytes: 1000,
  startedMonotonicMs: 0,
  phase: () => 'running',
  samples: () => ['one'],
};

function make() {
  const clock = new FakeClock();
  return { clock, telemetry: createTelemetry({ clock, log: { log: () => undefined } }) };
}

test('every figure is taken from the metric of its name', async () => {
  const { clock, telemetry } = make();
  telemetry.counter('sluice_records_total', { fate: 'published' }).add(90);
  telemetry.counter('sluice_records_total', { fate: 'dead-lettered' }).add(7);
  telemetry.counter('sluice_records_total', { fate: 'dropped' }).add(3);
  telemetry.counter('sluice_dead_letters_total', { reason: 'decode-failed' }).add(7);
  telemetry.histogram('sluice_batch_rows').observeMany(16, 6);
  telemetry.histogram('sluice_residence_seconds').observeMany(0.004, 100);
  telemetry.histogram('sluice_record_age_seconds').observeMany(0.04, 100);
  telemetry.counter('sluice_cache_requests_total', { view: 'route', result: 'hit' }).add(5);
  telemetry.counter('sluice_cache_requests_total', { view: 'route', result: 'negative' }).add(2);
  telemetry.counter('sluice_cache_requests_total', { view: 'route', result: 'miss' }).add(1);
  telemetry.gauge('sluice_lag_records', { topic: 't', partition: '0' }, () => 10);
  telemetry.gauge('sluice_lag_records', { topic: 't', partition: '1' }, () => 20);
  telemetry.gauge('sluice_lag_seconds', { topic: 't', partition: '0' }, () => 1.5);
  telemetry.gauge('sluice_lag_seconds', { topic: 't', partition: '1' }, () => Number.NaN);
  telemetry.gauge('sluice_inflight_records', {}, () => 12);
  telemetry.gauge('sluice_inflight_bytes', {}, () => 120);
  telemetry.gauge('sluice_stage_busy_ratio', { stage: 'decode' }, () => 0.2);
  telemetry.gauge('sluice_stage_busy_ratio', { stage: 'infer' }, () => 0.9);
  telemetry.gauge('sluice_model_info', { model: 'flight-delay', version: '1', digest: 'ff' }, () => 1);
  telemetry.gauge('sluice_model_device', { device: 'cpu' }, () => 1);
  await clock.advance(5000);
  const state = readDisplayState({ clock, telemetry }, ABOUT);
  const { p50Ms, p99Ms, ageP50Ms, ageP99Ms, ...figures } = state;
  assert.deepEqual(figures, {
    elapsedMs: 5000,
    topology: 'flight-delay',
    model: 'flight-delay@1',
    device: 'cpu',
    records: 100,
    published: 90,
    deadLettered: { 'decode-failed': 7 },
    dropped: 3,
    batches: 6,
    rows: 96,
    lagRecords: 30,
    lagSeconds: 1.5,
    inflightRecords: 12,
    maxInflightRecords: 100,
    inflightBytes: 120,
    maxInflightBytes: 1000,
    cacheHits: 7,
    cacheMisses: 1,
    busy: [
      { stage: 'decode', ratio: 0.2 },
      { stage: 'infer', ratio: 0.9 },
    ],
    bottleneck: 'infer',
    samples: ['one'],
    phase: 'running',
  });
  assert.ok(p50Ms > 2 && p50Ms < p99Ms && p99Ms <= 5);
  assert.ok(ageP50Ms > 30 && ageP50Ms < ageP99Ms && ageP99Ms <= 50);
});

test('without any metric: zeros, and unknown where zero would be a claim', () => {
  const state = readDisplayState(make(), ABOUT);
  assert.equal(state.records, 0);
  assert.equal(state.bottleneck, '');
  for (const unknown of [state.p50Ms, state.ageP99Ms, state.lagRecords, state.lagSeconds])
    assert.ok(Number.isNaN(unknown));
});

test('recent quantiles forget a slow start; those of the whole run do not', async () => {
  const { clock, telemetry } = make();
  const residence = telemetry.histogram('sluice_residence_seconds');
  const recent = createRecentState({ clock, telemetry }, ABOUT, 10_000);
  residence.observeMany(4, 1000);
  assert.ok(recent().p50Ms > 2500);
  for (let second = 0; second < 20; second++) {
    residence.observeMany(0.0015, 10);
    await clock.advance(1000);
    recent();
  }
  assert.ok(recent().p99Ms <= 2);
  assert.ok(readDisplayState({ clock, telemetry }, ABOUT).p50Ms > 2500);
});
