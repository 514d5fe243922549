import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SluiceError } from '../../src/kernel/errors.ts';
import type { FakeRecord } from '../fixtures/fakes.ts';
import { event, origin, startWorld } from '../fixtures/world.ts';

test('L1 one fate: every admitted record settles exactly once', async () => {
  const world = startWorld({ onTombstone: 'drop' });
  const from = origin();
  world.source.assign(from);
  // Good ones, tombstones (dropped), broken text and a missing x (dead-lettered), and one that the broker will not take.
  const records: FakeRecord[] = [];
  for (let offset = 0; offset < 200; offset++) {
    if (offset % 10 === 3) records.push({ offset, value: null });
    else if (offset % 10 === 5) records.push({ offset, value: '{"id": 1, "x": ' });
    else if (offset % 10 === 7) records.push(event(offset, null));
    else records.push(event(offset));
  }
  world.sink.before = (topic, _partition, rows) => {
    if (topic === 'out' && rows.some(({ key }) => key === '42')) throw new SluiceError('record-too-large', 'too large');
  };
  await world.source.feed(from, records.slice(0, 120));
  await world.source.feed(from, records.slice(120));
  const outcome = await world.finish();

  assert.equal(outcome.result, 'done', outcome.error?.message);
  const published = world.sink.sources('out');
  const dead = world.sink.sources('dead');
  const settled = [...published, ...dead].map((source) => Number(source.split('/')[2]));
  const tombstones = records.filter(({ value }) => value === null).map(({ offset }) => offset);
  assert.deepEqual(
    [...settled, ...tombstones].sort((a, b) => a - b),
    records.map(({ offset }) => offset),
  );
  assert.equal(world.telemetry.count('sluice_records_total', { fate: 'dropped' }), tombstones.length);
  assert.equal(world.telemetry.count('sluice_records_total', { fate: 'dead-lettered' }), 41);
  assert.equal(world.telemetry.count('sluice_dead_letters_total', { reason: 'unpublishable' }), 1);
  assert.equal(world.telemetry.count('sluice_records_total', { fate: 'published' }), 139);
  assert.equal(world.credit.records, 0);
  assert.equal(world.credit.bytes, 0);
});
