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
    stillSeconds: 11,
    stuck: true,
  });
});
