import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createExposition } from '../../../../src/adapters/prometheus/exposition.ts';
import { createProcessMetrics, type LoopDelays, moveLoopDelays } from '../../../../src/adapters/prometheus/process.ts';
import { createTelemetry } from '../../../../src/telemetry/metrics.ts';
import { FakeClock } from '../../../fixtures/clock.ts';
import { RecordingTelemetry } from '../../../fixtures/telemetry.ts';

function make() {
  const clock = new FakeClock();
  const telemetry = createTelemetry({ clock, log: { log: () => undefined } });
  return { clock, telemetry, expose: createExposition({ clock, telemetry }) };
}

test('counters, gauges and histograms are rendered in the text format', async () => {
  const { telemetry, expose } = make();
  telemetry.counter('sluice_records_total', { fate: 'published' }).add(41);
  telemetry.gauge('sluice_model_info', { model: 'a"b\\c\nd', version: '1', digest: 'ff' }, () => 1);
  const rows = telemetry.histogram('sluice_batch_rows');
  rows.observeMany(3, 4);
  rows.observe(9000);
  const { contentType, body } = await expose();
  assert.match(contentType, /^text\/plain; version=0\.0\.4/);
  const lines = body.split('\n');
  for (const line of [
    '# HELP sluice_records_total Records that settled, by fate.',
    '# TYPE sluice_records_total counter',
    'sluice_records_total{fate="published"} 41',
    '# TYPE sluice_model_info gauge',
    'sluice_model_info{model="a\\"b\\\\c\\nd",version="1",digest="ff"} 1',
    '# TYPE sluice_batch_rows histogram',
    'sluice_batch_rows_bucket{le="2"} 0',
    'sluice_batch_rows_bucket{le="4"} 4',
    'sluice_batch_rows_bucket{le="4096"} 4',
    'sluice_batch_rows_bucket{le="+Inf"} 5',
    'sluice_batch_rows_sum 9012',
    'sluice_batch_rows_count 5',
  ]) {
    assert.ok(lines.includes(line), `${line} is missing in\n${body}`);
  }
  assert.ok(lines.includes('# TYPE sluice_pauses_total counter'), 'a metric without series is there, without samples');
  assert.ok(!body.includes('sluice_pauses_total{'));
});

test('a page is served again for a second, and series that went away go from the next one', async () => {
  const { clock, telemetry, expose } = make();
  const counter = telemetry.counter('sluice_rebalances_total');
  const labels = { topic: 't', partition: '0' };
  telemetry.gauge('sluice_lag_records', labels, () => 5);
  counter.add(1);
  assert.match((await expose()).body, /sluice_rebalances_total 1\n/);
  counter.add(1);
  telemetry.removeGauge('sluice_lag_records', labels);
  await clock.advance(999);
  assert.match((await expose()).body, /sluice_rebalances_total 1\n/);
  await clock.advance(1);
  const { body } = await expose();
  assert.match(body, /sluice_rebalances_total 2\n/);
  assert.doesNotMatch(body, /sluice_lag_records\{/);
});

test('a reader that throws fails the page, and the next page is tried anew', async () => {
  const { telemetry, expose } = make();
  let broken = true;
  telemetry.gauge('sluice_inflight_records', {}, () => {
    if (broken) throw new Error('no figure');
    return 3;
  });
  await assert.rejects(expose(), /no figure/);
  broken = false;
  assert.match((await expose()).body, /sluice_inflight_records 3\n/);
});

function delays(count: number, percentiles: readonly (readonly [number, number])[]): LoopDelays & { resets: number } {
  return {
    count,
    percentiles: new Map(percentiles),
    resets: 0,
    reset() {
      this.resets++;
    },
    enable: () => true,
    disable: () => true,
  };
}

test('loop delays are moved with every sample counted once, less the resolution of the sampler', () => {
  const from = delays(34, [
    [0, 20_054_016],
    [50, 20_054_016],
    [96.875, 21_000_000],
    [98.4375, 117_440_512],
    [100, 117_440_512],
  ]);
  const telemetry = new RecordingTelemetry();
  moveLoopDelays(from, telemetry.histogram('loop'));
  const observed = telemetry.observed.get('loop') ?? [];
  assert.equal(observed.length, 34);
  assert.ok(Math.abs(observed[33] - 0.0974) < 0.001);
  assert.ok(observed[0] < 0.001);
  assert.equal(from.resets, 1);
  moveLoopDelays(delays(0, []), telemetry.histogram('loop'));
  assert.equal(observed.length, 34);
});

test('figures of the process are there, and processor time only grows', () => {
  const { clock, telemetry } = make();
  const metrics = createProcessMetrics({ clock, telemetry, loopDelays: delays(1, [[100, 25_000_000]]) });
  telemetry.snapshot();
  const cpu = telemetry.counter('process_cpu_seconds_total');
  const before = cpu.value;
  assert.ok(before > 0);
  telemetry.snapshot();
  assert.ok(cpu.value >= before);
  const [rss] = telemetry.series('process_resident_memory_bytes');
  assert.ok(rss.kind === 'value' && rss.value > 1024 * 1024);
  assert.equal(telemetry.histogram('sluice_event_loop_delay_seconds').count, 2);
  metrics.close();
});
