import assert from 'node:assert/strict';
import { test } from 'node:test';
import { METRICS } from '../../../src/telemetry/catalogue.ts';
import { merge, shareOf } from '../../../src/telemetry/merge.ts';
import { createTelemetry, type Family, type MetricStore } from '../../../src/telemetry/metrics.ts';
import { FakeClock } from '../../fixtures/clock.ts';

const store = (): MetricStore => createTelemetry({ clock: new FakeClock(), log: { log: () => undefined } });
/** As it arrives from another thread. */
const sent = (from: MetricStore) => structuredClone(shareOf(from));

function value(families: readonly Family[], name: string, labels: Readonly<Record<string, string>> = {}): number {
  const found = families
    .find((family) => family.name === name)
    ?.series.filter((one) => JSON.stringify(one.labels) === JSON.stringify(labels));
  assert.equal(found?.length, 1, `${name} once`);
  const [one] = found ?? [];
  return one.kind === 'value' ? one.value : Number.NaN;
}

test('counters add up, label by label', () => {
  const [one, two] = [store(), store()];
  one.counter('sluice_records_total', { fate: 'published' }).add(3);
  two.counter('sluice_records_total', { fate: 'published' }).add(4);
  two.counter('sluice_records_total', { fate: 'dropped' }).add(5);
  const merged = merge([sent(one), sent(two)]);
  assert.equal(value(merged, 'sluice_records_total', { fate: 'published' }), 7);
  assert.equal(value(merged, 'sluice_records_total', { fate: 'dropped' }), 5);
});

test('labels are the same in whatever order they were named', () => {
  const [one, two] = [store(), store()];
  one.counter('sluice_retries_total', { what: 'store', reason: 'x' }).add(1);
  two.counter('sluice_retries_total', { reason: 'x', what: 'store' }).add(1);
  assert.equal(value(merge([sent(one), sent(two)]), 'sluice_retries_total', { what: 'store', reason: 'x' }), 2);
});

test('histograms add up, bucket by bucket', () => {
  const [one, two, whole] = [store(), store(), store()];
  for (const [part, rows] of [
    [one, [1, 2, 3, 9_999]],
    [two, [2, 300]],
  ] as const) {
    for (const n of rows) {
      part.histogram('sluice_batch_rows').observe(n);
      whole.histogram('sluice_batch_rows').observe(n);
    }
  }
  const of = (families: readonly Family[]) => families.find(({ name }) => name === 'sluice_batch_rows')?.series;
  assert.deepEqual(of(merge([sent(one), sent(two)])), of(whole.snapshot()));
});

test('amounts are summed; of ages, ratios and flags the highest is reported', () => {
  const [one, two] = [store(), store()];
  for (const [part, n] of [
    [one, 1],
    [two, 2],
  ] as const) {
    part.gauge('sluice_inflight_records', {}, () => 10 * n);
    part.gauge('sluice_lag_seconds', { topic: 't', partition: '0' }, () => n);
    part.gauge('sluice_stage_busy_ratio', { stage: 'infer' }, () => n / 4);
    part.gauge('sluice_overload_step', { step: 'larger-batches' }, () => n - 1);
    part.gauge('sluice_model_device', { device: 'cpu' }, () => 1);
    part.gauge('sluice_lag_records', { topic: 't', partition: String(n) }, () => n);
  }
  const merged = merge([sent(one), sent(two)]);
  assert.equal(value(merged, 'sluice_inflight_records'), 30);
  assert.equal(value(merged, 'sluice_lag_seconds', { topic: 't', partition: '0' }), 2);
  assert.equal(value(merged, 'sluice_stage_busy_ratio', { stage: 'infer' }), 0.5);
  assert.equal(value(merged, 'sluice_overload_step', { step: 'larger-batches' }), 1);
  assert.equal(value(merged, 'sluice_model_device', { device: 'cpu' }), 1);
  assert.equal(value(merged, 'sluice_lag_records', { topic: 't', partition: '1' }), 1);
  assert.equal(value(merged, 'sluice_lag_records', { topic: 't', partition: '2' }), 2);
});

test('a share is what was counted when it was taken', () => {
  const one = store();
  const records = one.counter('sluice_records_total', { fate: 'published' });
  records.add(1);
  const share = sent(one);
  records.add(1);
  assert.equal(value(merge([share]), 'sluice_records_total', { fate: 'published' }), 1);
  assert.deepEqual(merge([sent(one), sent(one)]).length, Object.keys(METRICS).length);
});

test('the page has every metric of the catalogue, in its order, though nobody has counted', () => {
  assert.deepEqual(
    merge([]).map(({ name }) => name),
    Object.keys(METRICS),
  );
  assert.deepEqual(merge([[{ name: 'of_another_build', series: [] }]]).length, Object.keys(METRICS).length);
});
