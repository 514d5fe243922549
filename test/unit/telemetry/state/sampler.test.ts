import assert from 'node:assert/strict';
import { test } from 'node:test';
import { shareOf } from '../../../../src/telemetry/merge.ts';
import { createTelemetry } from '../../../../src/telemetry/metrics.ts';
import { POINTS } from '../../../../src/telemetry/state/history.ts';
import { createSampler } from '../../../../src/telemetry/state/sampler.ts';
import { FakeClock } from '../../../fixtures/clock.ts';
import { READY, watch } from './watch.ts';

test('there is no state before the first reading, and none of an instance that is not there', async (context) => {
  const { clock, sampler } = watch(context);
  assert.equal(sampler.state(), undefined);
  await clock.advance(0);
  const state = sampler.state();
  assert.deepEqual([state?.version, state?.topology, state?.instances], [1, 'flights', []]);
  assert.equal(state?.records.settledPerSecond, null, 'one reading tells no rate');
  assert.equal(sampler.state({ instance: '7' }), undefined);
});

test('rates are of the last seconds: by stage, by fate', async (context) => {
  const { clock, stores, state } = watch(context);
  const [telemetry] = stores;
  const published = telemetry.counter('sluice_records_total', { fate: 'published' });
  const dead = telemetry.counter('sluice_records_total', { fate: 'dead-lettered' });
  const decoded = telemetry.counter('sluice_stage_records_total', { stage: 'decode' });
  let inflight = 0;
  telemetry.gauge('sluice_inflight_records', {}, () => inflight);
  published.add(1_000_000);
  for (let second = 0; second < 20; second++) {
    published.add(90);
    dead.add(10);
    decoded.add(120);
    inflight += 20;
    await clock.advance(1_000);
  }
  const { records, path } = state();
  assert.deepEqual(
    [records.settledPerSecond, records.publishedPerSecond, records.deadLetteredPerSecond, records.deadLettered],
    [100, 90, 10, 200],
  );
  const rates = new Map(path.stages.map(({ stage, recordsPerSecond }) => [stage, recordsPerSecond]));
  assert.deepEqual([rates.get('source'), rates.get('decode'), rates.get('commit')], [120, 120, 100]);
  assert.equal(rates.get('encode'), null, 'what nobody counted is not known');
});

test('the bottleneck is the stage that is busiest; none while all are idle', async (context) => {
  const { clock, stores, state } = watch(context);
  const ratios = { decode: 0.004, enrich: 0.002, infer: 0.001 };
  for (const stage of ['decode', 'enrich', 'infer'] as const) {
    stores[0].gauge('sluice_stage_busy_ratio', { stage }, () => ratios[stage]);
  }
  await clock.advance(1_000);
  assert.equal(state().path.bottleneck, '');
  ratios.infer = 0.7;
  await clock.advance(1_000);
  assert.equal(state().path.bottleneck, 'infer');
});

test('quantiles forget what was before the last seconds; what was not seen is null', async (context) => {
  const { clock, stores, state } = watch(context);
  const residence = stores[0].histogram('sluice_residence_seconds');
  residence.observeMany(30, 1_000);
  await clock.advance(7_000);
  assert.deepEqual(state().latency.residence, { p50: null, p99: null });
  residence.observeMany(0.0015, 10);
  await clock.advance(1_000);
  const { p50, p99 } = state().latency.residence;
  assert.ok(p50 !== null && p99 !== null && p50 < p99 && p99 <= 0.002, `${p50} ${p99}`);
});

test('ten minutes of history, a point every five seconds; a reader is told only what is new to it', async (context) => {
  const { clock, stores, sampler, state } = watch(context);
  const rows = stores[0].histogram('sluice_batch_rows');
  rows.observe(1);
  await clock.advance(4_900);
  assert.deepEqual(state().history.points, []);
  rows.observeMany(3, 5);
  await clock.advance(200);
  const [first, ...more] = state().history.points;
  assert.deepEqual(more, []);
  assert.deepEqual(first.rows.counts, [1, 0, 5]);
  await clock.advance(20 * 60_000);
  const { points, bounds } = state().history;
  assert.equal(points.length, POINTS);
  assert.equal(points[POINTS - 1].atMs - points[0].atMs, 595_000);
  assert.deepEqual(points.at(-1)?.rows, { p50: null, p99: null, counts: [] });
  assert.deepEqual(bounds.rows.slice(0, 3), [1, 2, 4]);
  const later = sampler.state({ afterMs: points[POINTS - 3].atMs })?.history.points;
  assert.deepEqual(later, points.slice(-2));
});

test('dead letters: the last fifty with address, reason and stage, the newest first, whatever the log holds back', async (context) => {
  const { clock, stores, state } = watch(context);
  const [telemetry] = stores;
  for (let offset = 0; offset < 70; offset++) {
    telemetry.event('dead-lettered', { source: `in/3/${offset}`, reason: 'feature-missing', value: 'payload' });
  }
  telemetry.event('dead-lettered', { source: 'in/3/9007199254740993', reason: 'model-failed' });
  telemetry.counter('sluice_dead_letters_total', { reason: 'feature-missing' }).add(70);
  await clock.advance(1_000);
  const { recent, byReason } = state().deadLetters;
  assert.equal(recent.length, 50);
  assert.deepEqual(recent[0], {
    atMs: clock.wallMs() - 1_000,
    reason: 'model-failed',
    stage: 'infer',
    topic: 'in',
    partition: 3,
    offset: '9007199254740993',
  });
  assert.deepEqual([recent[1].offset, recent[49].offset], ['69', '21']);
  assert.ok(!JSON.stringify(state()).includes('payload'));
  assert.deepEqual([byReason[0].reason, byReason[0].total], ['feature-missing', 70]);
});

test('warnings say when they last came', async (context) => {
  const { clock, stores, state } = watch(context);
  const [telemetry] = stores;
  telemetry.event('commit-failed', { reason: 'away' });
  await clock.advance(5_000);
  telemetry.event('outage', { what: 'store' });
  await clock.advance(10_000);
  const [latest, earlier] = state().events;
  assert.deepEqual([latest.event, latest.level, latest.total], ['outage', 'warn', 1]);
  assert.match(latest.message, /waiting for a dependency/);
  assert.equal((latest.lastAtMs ?? 0) - (earlier.lastAtMs ?? 0), 5_000);
});

test('cache: hits of the last seconds a view; a view that nobody asked is not there', async (context) => {
  const { clock, stores, state } = watch(context);
  const requests = (view: string, result: string) => stores[0].counter('sluice_cache_requests_total', { view, result });
  requests('never', 'miss');
  requests('route', 'miss').add(1_000);
  await clock.advance(8_000);
  assert.deepEqual(state().caches, [{ view: 'route', requestsPerSecond: 0, hitRatio: 0 }]);
  requests('route', 'hit').add(90);
  requests('route', 'miss').add(10);
  await clock.advance(1_000);
  assert.deepEqual(state().caches, [{ view: 'route', requestsPerSecond: 20, hitRatio: 0.9 }]);
});

test('cache: what its second level had of the rest, and whether it is asked', async (context) => {
  const { clock, stores, state } = watch(context);
  const [telemetry] = stores;
  let up = 1;
  telemetry.gauge('sluice_second_level_up', {}, () => up);
  telemetry.counter('sluice_cache_requests_total', { view: 'route', result: 'miss' }).add(100);
  await clock.advance(8_000);
  assert.equal(state().caches[0].secondLevel, undefined, 'nothing was looked for there');
  telemetry.counter('sluice_second_level_requests_total', { view: 'route', result: 'hit' }).add(20);
  telemetry.counter('sluice_second_level_requests_total', { view: 'route', result: 'negative-hit' }).add(10);
  telemetry.counter('sluice_second_level_requests_total', { view: 'route', result: 'miss' }).add(10);
  telemetry.counter('sluice_second_level_bypasses_total', { view: 'route', reason: 'out' }).add(10);
  up = 0;
  await clock.advance(1_000);
  assert.deepEqual(state().caches[0].secondLevel, { hitRatio: 0.6, up: false });
});

test('several pipelines: together, each by itself, and what waits', async (context) => {
  const waiting = { live: true, ready: false, waits: ['store airport: away'] };
  const { clock, stores, state } = watch(context, 2, ({ parts, ...rest }) => ({
    ...rest,
    health: { live: true, ready: false, waits: ['instance 2: store airport: away'] },
    parts: parts.map((part) => (part.instance === '2' ? { ...part, health: waiting } : part)),
  }));
  stores.forEach((telemetry, i) => {
    telemetry.gauge('sluice_inflight_limit_records', {}, () => 1_000);
    telemetry.gauge('sluice_batch_limit_rows', { model: 'm' }, () => 256);
    telemetry.event('dead-lettered', { source: `in/${i}/5`, reason: 'tombstone' });
  });
  await clock.advance(0);
  stores.forEach((telemetry, i) => {
    telemetry.counter('sluice_records_total', { fate: 'published' }).add(100 * (i + 1));
  });
  await clock.advance(1_000);
  assert.equal(state().records.settledPerSecond, 300);
  assert.equal(state('2').records.settledPerSecond, 200);
  assert.deepEqual([state().credit.limitRecords, state('1').credit.limitRecords], [2_000, 1_000]);
  assert.equal(state().batches.limitRows, 256, 'holds for each');
  assert.deepEqual([state().deadLetters.recent.length, state('1').deadLetters.recent.length], [2, 1]);
  assert.deepEqual(state('2').health, waiting);
  assert.deepEqual(
    state().instances.map(({ instance, ready, reason, settledPerSecond }) => [
      instance,
      ready,
      reason,
      settledPerSecond,
    ]),
    [
      ['1', true, '', 100],
      ['2', false, 'store airport: away', 200],
    ],
  );
});

test('a reading that fails is passed over; the next one counts', async (context) => {
  const clock = new FakeClock();
  const telemetry = createTelemetry({ clock, log: { log: () => undefined } });
  let broken = true;
  const sampler = createSampler(
    {
      clock,
      async read() {
        if (broken) throw new Error('no answer');
        return { process: shareOf(telemetry), parts: [], health: READY };
      },
    },
    { topology: 't' },
  );
  context.after(() => sampler.close());
  await clock.advance(3_000);
  assert.equal(sampler.state(), undefined);
  broken = false;
  await clock.advance(1_000);
  assert.equal(sampler.state()?.topology, 't');
  sampler.close();
  await clock.advance(1_000);
  assert.equal(clock.timers, 0, 'nothing is asked after the end');
});
