import assert from 'node:assert/strict';
import { test } from 'node:test';
import { watch } from './watch.ts';

test('a partition that has lag and is not read is told apart from one that is behind and moves', async (context) => {
  const { clock, stores, state } = watch(context);
  const startMs = clock.wallMs();
  const read = { still: 0, moving: 0, idle: 0 };
  const since = (): number => (clock.wallMs() - startMs) / 1000;
  const partitions = {
    // Nothing is handed over, and more arrives.
    still: { records: () => 10 + since(), seconds: () => 60 + since() },
    // Behind for good, at the same distance.
    moving: { records: () => 1_000, seconds: () => 60 },
    idle: { records: () => 0, seconds: () => 0 },
  };
  Object.keys(read).forEach((name, partition) => {
    const labels = { topic: 'in', partition: String(partition) };
    const { records, seconds } = partitions[name as keyof typeof partitions];
    stores[0].gauge('sluice_lag_records', labels, records);
    stores[0].gauge('sluice_lag_seconds', labels, seconds);
  });
  await clock.advance(9_000);
  assert.deepEqual(
    state().lag.partitions.map(({ stuck }) => stuck),
    [false, false, false],
  );
  await clock.advance(25_000);
  const { partitions: told, records } = state().lag;
  assert.deepEqual(
    told.map(({ stuck, stillSeconds }) => [stuck, stillSeconds]),
    [
      [true, 33],
      [false, 0],
      [false, 0],
    ],
  );
  assert.equal(records, 1_044);
});

test('a backlog of one timestamp that shrinks moves', async (context) => {
  const { clock, stores, state } = watch(context);
  const startMs = clock.wallMs();
  const since = (): number => (clock.wallMs() - startMs) / 1000;
  const labels = { topic: 'in', partition: '0' };
  stores[0].gauge('sluice_lag_records', labels, () => 1_000_000 - 100 * since());
  stores[0].gauge('sluice_lag_seconds', labels, () => 3_600 + since());
  await clock.advance(30_000);
  assert.deepEqual([state().lag.partitions[0].stuck, state().lag.partitions[0].stillSeconds], [false, 0]);
});

test('one from which no record has come yet is told apart too', async (context) => {
  const { clock, stores, state } = watch(context);
  const labels = { topic: 'in', partition: '0' };
  stores[0].gauge('sluice_lag_records', labels, () => 5);
  stores[0].gauge('sluice_lag_seconds', labels, () => Number.NaN);
  await clock.advance(12_000);
  assert.deepEqual(state().lag.partitions[0], {
    topic: 'in',
    partition: 0,
    records: 5,
    seconds: null,
    drainSeconds: null,
    neverDrains: true,
    stillSeconds: 11,
    stuck: true,
  });
});

test('drain time is what the metric says; without it, after a while, never', async (context) => {
  const { clock, stores, state } = watch(context);
  const drains = [120, 30, Number.NaN, 0];
  const lags = [2_400, 300, 7, 0];
  lags.forEach((_, partition) => {
    const labels = { topic: 'in', partition: String(partition) };
    stores[0].gauge('sluice_lag_records', labels, () => lags[partition]);
    stores[0].gauge('sluice_lag_drain_seconds', labels, () => drains[partition]);
  });
  const told = () => state().lag.partitions.map(({ drainSeconds, neverDrains }) => [drainSeconds, neverDrains]);
  const known = [
    [120, false],
    [30, false],
  ];
  await clock.advance(2_000);
  assert.deepEqual(told(), [...known, [null, false], [0, false]], 'nothing is known of a rate yet');
  assert.deepEqual([state().lag.drainSeconds, state().lag.neverDrains], [null, false]);
  await clock.advance(6_000);
  assert.deepEqual(told(), [...known, [null, true], [0, false]]);
  assert.deepEqual([state().lag.drainSeconds, state().lag.neverDrains], [null, true], 'one of them is never caught up');
  drains[2] = 45;
  await clock.advance(1_000);
  assert.deepEqual([state().lag.drainSeconds, state().lag.neverDrains], [120, false], 'the longest of all');
});
