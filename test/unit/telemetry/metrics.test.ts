import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SluiceError } from '../../../src/kernel/errors.ts';
import type { Log } from '../../../src/ports/telemetry.ts';
import type { MetricSpec } from '../../../src/telemetry/catalogue.ts';
import { METRICS } from '../../../src/telemetry/catalogue.ts';
import { EVENTS } from '../../../src/telemetry/events.ts';
import { createTelemetry, type TelemetryOptions, type ValueSeries } from '../../../src/telemetry/metrics.ts';
import { FakeClock } from '../../fixtures/clock.ts';

interface Written {
  readonly level: string;
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

function make(options: TelemetryOptions = {}) {
  const lines: Written[] = [];
  const log: Log = { log: (level, message, fields) => void lines.push({ level, message, fields }) };
  const clock = new FakeClock();
  return { clock, lines, telemetry: createTelemetry({ clock, log }, options) };
}

function spec(type: MetricSpec['type'], labels: MetricSpec['labels'], maxSeries: number): MetricSpec {
  return { type, help: 'for a test', labels, maxSeries };
}

test('a counter is one per name and labels, whatever the order of the labels', () => {
  const { telemetry } = make();
  telemetry.counter('sluice_retries_total', { what: 'store', reason: 'broker-unavailable' }).add(2);
  telemetry.counter('sluice_retries_total', { reason: 'broker-unavailable', what: 'store' }).add(3);
  telemetry.counter('sluice_retries_total', { what: 'sink', reason: 'broker-unavailable' }).add(1);
  assert.deepEqual(
    telemetry.series('sluice_retries_total').map((series) => series.kind === 'value' && series.value),
    [5, 1],
  );
});

test('what the catalogue does not know throws when the handle is made', () => {
  const { telemetry } = make();
  const refused = (make: () => unknown, why: RegExp): void => {
    assert.throws(
      make,
      (error) => error instanceof SluiceError && error.code === 'invariant-broken' && why.test(error.message),
    );
  };
  refused(() => telemetry.counter('sluice_nothing_total'), /sluice_nothing_total is not in the catalogue/);
  refused(() => telemetry.counter('sluice_batch_rows'), /is a histogram, not a counter/);
  refused(() => telemetry.counter('sluice_records_total'), /needs the label fate/);
  refused(() => telemetry.counter('sluice_records_total', { fate: 'lost' }), /knows no fate "lost"/);
  refused(() => telemetry.counter('sluice_records_total', { fate: 'open' }), /knows no fate "open"/);
  refused(() => telemetry.counter('sluice_records_total', { fate: 'dropped', key: 'x' }), /has no label key/);
  refused(() => telemetry.counter('sluice_records_total', { fate: 'dropped', constructor: 'x' }), /has no label/);
  refused(() => telemetry.histogram('sluice_stage_seconds', { stage: 'x'.repeat(257) }), /257 characters/);
  refused(() => telemetry.event('nothing'), /event nothing is not in the catalogue/);
  refused(() => telemetry.series('nothing'), /nothing is not in the catalogue/);
});

test('a value lands in the first bucket whose bound is not below it, also at the ends', () => {
  const { telemetry } = make();
  const rows = telemetry.histogram('sluice_batch_rows');
  rows.observe(0);
  rows.observe(1);
  rows.observe(1.5);
  rows.observe(4096);
  rows.observe(4097);
  rows.observeMany(300, 10);
  rows.observe(Number.NaN);
  const [series] = telemetry.series('sluice_batch_rows');
  assert.ok(series.kind === 'histogram');
  assert.deepEqual([...series.bounds], [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096]);
  assert.deepEqual([...series.counts], [2, 1, 0, 0, 0, 0, 0, 0, 0, 10, 0, 0, 1, 1]);
  assert.equal(series.count, 15);
  assert.equal(series.sum, 0 + 1 + 1.5 + 4096 + 4097 + 3000);
  assert.equal(rows.count, 15);
});

test('gauges are read when somebody looks, can be replaced and removed, and NaN is absent', () => {
  const { telemetry } = make();
  const labels = { topic: 'flights', partition: '0' };
  let lag = 7;
  telemetry.gauge('sluice_lag_records', labels, () => 1);
  telemetry.gauge('sluice_lag_records', labels, () => lag);
  lag = 9;
  assert.deepEqual(telemetry.series('sluice_lag_records'), [{ kind: 'value', labels, value: 9 }]);
  lag = Number.NaN;
  assert.deepEqual(telemetry.series('sluice_lag_records'), []);
  lag = 1;
  telemetry.removeGauge('sluice_lag_records', labels);
  assert.deepEqual(telemetry.series('sluice_lag_records'), []);
});

test('beyond the budget of a metric, series are counted together as overflow and people are told once', () => {
  const { telemetry, lines } = make({ metrics: { test_total: spec('counter', { who: 'any' }, 2) } });
  for (const who of ['a', 'b', 'c', 'd']) telemetry.counter('test_total', { who }).add(1);
  telemetry.counter('test_total', { who: 'a' }).add(1);
  const shown = telemetry
    .series('test_total')
    .map((series) => [series.labels.who, series.kind === 'value' && series.value]);
  assert.deepEqual(shown, [
    ['a', 2],
    ['b', 1],
    ['overflow', 2],
  ]);
  const [overflow] = telemetry.series('sluice_series_overflow_total');
  assert.equal(overflow.kind === 'value' && overflow.value, 2);
  assert.deepEqual(
    lines.map(({ level, fields }) => [level, fields.event, fields.metric]),
    [['warn', 'series-overflow', 'test_total']],
  );
});

test('the budget of all metrics together holds, and a removed gauge makes room', () => {
  const { telemetry } = make({ maxSeries: 3 });
  for (const partition of ['0', '1', '2', '3']) {
    telemetry.gauge('sluice_lag_records', { topic: 't', partition }, () => Number(partition) + 1);
  }
  const values = () =>
    telemetry.series('sluice_lag_records').map((series) => [series.labels.partition, (series as ValueSeries).value]);
  // One series is the overflow counter's own.
  assert.deepEqual(
    values(),
    [
      ['0', 1],
      ['1', 2],
      ['overflow', 4],
    ],
    'of what is beyond the budget, the highest',
  );
  telemetry.removeGauge('sluice_lag_records', { topic: 't', partition: '0' });
  telemetry.gauge('sluice_lag_records', { topic: 't', partition: '5' }, () => 6);
  assert.deepEqual(values(), [
    ['1', 2],
    ['5', 6],
    ['overflow', 4],
  ]);
  for (const partition of ['2', '3']) telemetry.removeGauge('sluice_lag_records', { topic: 't', partition });
  assert.deepEqual(values().length, 2, 'nothing is beyond any more');
});

test('a snapshot runs the hooks first and has every metric of the catalogue, in its order', () => {
  const { telemetry } = make();
  const counter = telemetry.counter('process_cpu_seconds_total');
  telemetry.beforeSnapshot(() => counter.add(2));
  const families = telemetry.snapshot();
  assert.deepEqual(
    families.map(({ name }) => name),
    Object.keys(METRICS),
  );
  assert.deepEqual(
    families.filter(({ series }) => series.length > 0).map(({ name }) => name),
    ['sluice_series_overflow_total', 'process_cpu_seconds_total'],
  );
  assert.equal(counter.value, 2);
});

test('an event is written with its level, message and component, its fields beside them', () => {
  const { telemetry, lines } = make();
  telemetry.event('assigned', { topic: 'flights', partition: 3 });
  assert.deepEqual(lines, [
    {
      level: 'info',
      message: 'partition assigned',
      fields: { topic: 'flights', partition: 3, component: 'pipeline', event: 'assigned' },
    },
  ]);
});

test('a flood becomes one line a window and reason, and nothing held back is lost', async () => {
  const { telemetry, lines, clock } = make();
  const dead = (reason: string, records: number): void => telemetry.event('dead-lettered', { reason, records });
  for (let i = 0; i < 100; i++) dead('decode-failed', 5);
  dead('feature-missing', 1);
  assert.deepEqual(
    lines.map(({ fields }) => [fields.reason, fields.records, fields.suppressed]),
    [
      ['decode-failed', 5, undefined],
      ['feature-missing', 1, undefined],
    ],
  );

  await clock.advance(10_000);
  dead('decode-failed', 7);
  dead('decode-failed', 7);
  // What was held back is told as soon as its window is over, with the next event of whatever kind.
  assert.deepEqual(
    lines.slice(2).map(({ fields }) => [fields.reason, fields.records, fields.suppressed]),
    [['decode-failed', 495, 98]],
  );
  telemetry.flush();
  assert.deepEqual(
    lines.slice(3).map(({ fields }) => [fields.reason, fields.records, fields.suppressed]),
    [['decode-failed', 14, 1]],
  );
  const records = lines
    .filter(({ fields }) => fields.reason === 'decode-failed')
    .map(({ fields }) => Number(fields.records));
  assert.equal(
    records.reduce((sum, one) => sum + one, 0),
    5 * 100 + 2 * 7,
  );
  telemetry.flush();
  assert.equal(lines.length, 4);
});

test('what was held back is also told when metrics are read, and kinds beyond the bound share one window', async () => {
  const { telemetry, lines, clock } = make();
  for (let i = 0; i < 1000; i++) telemetry.event('outage', { what: `thing ${i}` });
  assert.ok(lines.length <= 257, `${lines.length} lines`);
  const before = lines.length;
  await clock.advance(10_000);
  telemetry.snapshot();
  assert.deepEqual(
    lines.slice(before).map(({ fields }) => Number(fields.suppressed) + 1),
    [1000 - before],
  );
});

test('every warning is also a metric, even if its line is suppressed; info events are not', () => {
  const { telemetry } = make();
  for (let n = 0; n < 5; n++) telemetry.event('outage', { what: 'store airport' });
  telemetry.event('started');
  const counted = telemetry.series('sluice_events_total').map((one) => [one.labels.event, (one as ValueSeries).value]);
  assert.deepEqual(counted, [['outage', 5]]);
  const warnings = Object.values(EVENTS).filter(({ level }) => level === 'warn' || level === 'error');
  assert.ok(warnings.length <= METRICS.sluice_events_total.maxSeries);
});
