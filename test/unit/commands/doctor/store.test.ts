import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createBigtableStore } from '../../../../src/adapters/bigtable/store.ts';
import { createBigtableWriter } from '../../../../src/adapters/bigtable/writer.ts';
import { checkStore } from '../../../../src/commands/doctor/store.ts';
import { createBigtable } from '../../../../src/devstack/bigtable.ts';
import { createSystemClock } from '../../../../src/kernel/system-clock.ts';
import { RecordingTelemetry } from '../../../fixtures/telemetry.ts';

const clock = createSystemClock();
const HERE = { project: 'dev', instance: 'dev' };

const read = (table: string, family: string) => ({
  table,
  layout: 'packed' as const,
  rowWidth: 1,
  views: [
    {
      name: family,
      family,
      columns: [{ name: 'x', kind: 'number' as const, width: 1, offset: 0 }],
      maxAgeMs: undefined,
      onStale: 'use' as const,
    },
  ],
});

function look(emulatorHost: string, reads: readonly ReturnType<typeof read>[]) {
  const options = { ...HERE, emulatorHost, openTimeoutMs: 3_000 };
  const store = createBigtableStore({ clock, telemetry: new RecordingTelemetry() }, options);
  return checkStore(reads, store, { timeoutMs: 3_000, where: 'dev/dev', key: 'connections.bigtable' });
}

test('tables and families that are there can be read; those that are not are named', async (t) => {
  const emulator = await createBigtable();
  t.after(() => emulator.close());
  const writer = createBigtableWriter(
    { clock, telemetry: new RecordingTelemetry(), random: () => 0.5 },
    { ...HERE, emulatorHost: emulator.host },
  );
  t.after(() => writer.close());
  await writer.ensureTable('route', ['agg']);
  const found = await look(emulator.host, [read('route', 'agg'), read('route', 'slots'), read('airport', 'dep')]);
  assert.deepEqual(
    found.map(({ status }) => status),
    ['ok', 'problem', 'problem'],
  );
  assert.equal(found[0].what, 'table route of dev/dev with agg can be read');
  assert.match(found[1].what, /table "route" lacks a column family .*"slots" asked for/);
  assert.match(found[2].what, /no table "airport"/);
  assert.match(found[2].remedy ?? '', /sluice features load/);
});

test('a store that is away is one problem, however many tables', async () => {
  const emulator = await createBigtable();
  await emulator.close();
  const found = await look(emulator.host, [read('route', 'agg'), read('route', 'slots')]);
  assert.deepEqual(
    found.map(({ status }) => status),
    ['problem'],
  );
  assert.ok((found[0].remedy ?? '').length > 0);
});
