import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PartitionLag } from '../../../src/ports/source.ts';
import { bare } from '../../fixtures/bare-runner.ts';
import { Gate } from '../../fixtures/fakes.ts';
import { origin } from '../../fixtures/world.ts';

const LABELS = '{partition=0,topic=in}';

/** A partition that is ours, whose lag tests set; `read` is what a scrape a second later tells. */
async function watched() {
  const gate = new Gate();
  const run = bare({ path: () => gate.through() });
  const { clock, telemetry, source, runner } = run;
  const outcome = runner.run();
  await clock.advance(0);
  const from = origin();
  const behind = { records: 0, seconds: 0 };
  source.lag = (): PartitionLag[] => [{ topic: 'in', partition: 0, ...behind }];
  source.assign(from);
  const gauge = (name: string): number => telemetry.gauges.get(`${name}${LABELS}`)?.() ?? Number.NaN;
  let offset = 0;
  return {
    ...run,
    gate,
    behind,
    gauge,
    feed: () => source.feed(from, [{ offset: offset++, value: '{}' }]),
    async after(seconds: number, name: string): Promise<number> {
      for (let n = 0; n < seconds; n++) {
        await clock.advance(1_000);
        gauge('sluice_lag_records');
        gauge('sluice_partition_still_seconds');
      }
      return gauge(name);
    },
    waiting: () =>
      [...telemetry.gauges]
        .filter(([name, value]) => name.startsWith('sluice_waiting') && value() === 1)
        .map(([name]) => /what=([\w-]+)/.exec(name)?.[1]),
    async end(): Promise<void> {
      gate.open();
      source.listener.onRevoked(from);
      runner.stop();
      await clock.run(outcome);
    },
  };
}

test('an empty partition is not behind, does not stand still, and needs no time to drain', async () => {
  const { after, gauge, end } = await watched();
  assert.equal(await after(600, 'sluice_partition_still_seconds'), 0);
  assert.equal(gauge('sluice_lag_seconds'), 0);
  assert.equal(gauge('sluice_lag_drain_seconds'), 0);
  await end();
});

test('drain time is what is left over how fast the lag shrank in the last minute; none where it does not', async () => {
  const { after, behind, end } = await watched();
  behind.records = 10_000;
  behind.seconds = 60;
  assert.ok(Number.isNaN(await after(1, 'sluice_lag_drain_seconds')), 'one look knows no rate');
  for (let n = 0; n < 50; n++) {
    behind.records -= 100;
    await after(1, 'sluice_lag_drain_seconds');
  }
  assert.equal(await after(0, 'sluice_lag_drain_seconds'), 50);
  assert.ok(Number.isNaN(await after(120, 'sluice_lag_drain_seconds')), 'it stands still: never');
  behind.records += 1;
  assert.ok(Number.isNaN(await after(1, 'sluice_lag_drain_seconds')), 'it grows: never');
  behind.records = 0;
  assert.equal(await after(1, 'sluice_lag_drain_seconds'), 0);
  await end();
});

test('records that wait and do not settle are told in seconds; one that settles begins anew', async () => {
  const { after, behind, feed, gate, end } = await watched();
  assert.equal(await after(30, 'sluice_partition_still_seconds'), 0);
  gate.close();
  await feed();
  assert.equal(await after(40, 'sluice_partition_still_seconds'), 40, 'one under way, none behind it');
  behind.records = 5;
  assert.equal(await after(10, 'sluice_partition_still_seconds'), 50);
  gate.open();
  assert.ok((await after(1, 'sluice_partition_still_seconds')) <= 1, 'it settled');
  assert.equal(
    await after(20, 'sluice_partition_still_seconds'),
    21,
    'five wait, and none is taken in: a pause, or a credit used up',
  );
  behind.records = 0;
  assert.equal(await after(1, 'sluice_partition_still_seconds'), 0);
  await end();
});

test('a slow partition is behind, however far, and does not stand still', async () => {
  const { after, behind, feed, end } = await watched();
  behind.records = 1_000_000;
  behind.seconds = 7_200;
  for (let n = 0; n < 20; n++) {
    await feed();
    assert.ok((await after(9, 'sluice_partition_still_seconds')) <= 9);
  }
  assert.equal(await after(0, 'sluice_lag_seconds'), 7_200, 'it was never seen caught up');
  await end();
});

test('an unknown end does not hide a standstill, and is reported as no number', async () => {
  const { after, behind, gauge, end } = await watched();
  behind.records = Number.NaN;
  behind.seconds = Number.NaN;
  assert.equal(await after(15, 'sluice_partition_still_seconds'), 15);
  for (const name of ['records', 'seconds', 'drain_seconds'])
    assert.ok(Number.isNaN(gauge(`sluice_lag_${name}`)), name);
  await end();
});

test('a record in a partition that was quiet for hours is not a lag of hours', async () => {
  const { after, behind, gauge, end } = await watched();
  await after(60, 'sluice_lag_seconds');
  behind.records = 1;
  behind.seconds = 10_000;
  assert.equal(await after(3, 'sluice_lag_seconds'), 3);
  behind.seconds = 0.5;
  assert.equal(await after(1, 'sluice_lag_seconds'), 0.5, 'never more than the record says');
  behind.seconds = Number.NaN;
  assert.ok(Number.isNaN(await after(1, 'sluice_lag_seconds')), 'no record yet');
  assert.equal(gauge('sluice_lag_records'), 1);
  await end();
});

test('what it waits for is told, and that it is nothing known', async () => {
  const { after, conditions, feed, gate, waiting, source, end } = await watched();
  assert.deepEqual(waiting(), []);
  for (const [name, what] of [
    ['store airport', 'store'],
    ['schema registry', 'registry'],
    ['broker flights.delay-risk/3', 'sink'],
    ['broker, transaction of flights.departed/3', 'sink'],
    ['dead letters', 'dead-letters'],
    ['model', 'model'],
    ['something new', 'unknown'],
  ]) {
    conditions().set(name, 'away');
    assert.deepEqual(waiting(), [what], name);
    conditions().clear(name);
  }
  source.health = () => ({ ready: false, reason: 'no member of the group', live: true });
  assert.deepEqual(waiting(), ['source']);
  source.health = () => ({ ready: true, reason: '', live: true });
  gate.close();
  await feed();
  await after(59, 'sluice_lag_records');
  assert.deepEqual(waiting(), []);
  await after(1, 'sluice_lag_records');
  assert.deepEqual(waiting(), ['unknown'], 'a stall that nothing explains');
  await end();
});
