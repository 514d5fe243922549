import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createBigtableStore } from '../../../../src/adapters/bigtable/store.ts';
import { createBigtableWriter } from '../../../../src/adapters/bigtable/writer.ts';
import { createFeatureFiles } from '../../../../src/adapters/files/feature-files.ts';
import { featuresLoad, type LoadedTable } from '../../../../src/commands/features/load.ts';
import { createBigtable } from '../../../../src/devstack/bigtable.ts';
import type { ViewSpec } from '../../../../src/kernel/cells/views.ts';
import { createSystemClock } from '../../../../src/kernel/system-clock.ts';
import type { EnrichSettings, Topology } from '../../../../src/plan/topology.ts';
import type { FeatureWrite, FeatureWriter } from '../../../../src/ports/feature-store.ts';
import { blank, isSluice, sortedKeys } from '../../../contract/feature-store-parts.ts';
import { FakeClock } from '../../../fixtures/clock.ts';
import { RecordingTelemetry } from '../../../fixtures/telemetry.ts';

const DIR = fileURLToPath(new URL('../../../../examples/flight-delay/features', import.meta.url));

function view(name: string, family: string, ...columns: readonly (readonly [name: string, width: number])[]): ViewSpec {
  let offset = 0;
  const specs = columns.map(([column, width]) => {
    offset += width;
    return { name: column, kind: width === 1 ? 'number' : 'vector', width, offset: offset - width } as const;
  });
  return { name, family, columns: specs };
}

function enrich(table: string, ...views: readonly ViewSpec[]): EnrichSettings {
  const settings = views.map((spec) => ({ ...spec, maxAgeMs: undefined, onStale: 'use' as const }));
  return {
    from: 'bigtable',
    table,
    key: '{k}',
    views: settings,
    onMissing: 'impute',
    layout: 'packed',
    cache: undefined,
  };
}

const SLOTS = view('slots', 'slots', ['n', 96], ['l', 96]);
const TOPOLOGY = {
  enrich: [
    enrich('airport', view('origin', 'dep', ['late_share', 1])),
    enrich('airport', view('dest', 'arr', ['late_share', 1])),
    enrich('route', SLOTS),
  ],
} as unknown as Topology;

interface Recorded {
  readonly ensured: Record<string, readonly string[]>;
  readonly batches: FeatureWrite[];
}

function recordingWriter(): FeatureWriter & Recorded {
  const ensured: Record<string, readonly string[]> = {};
  const batches: FeatureWrite[] = [];
  return {
    ensured,
    batches,
    async ensureTable(table, families) {
      ensured[table] = families;
    },
    async write(write) {
      batches.push({ ...write, values: write.values.slice(), present: write.present.slice() });
    },
    close: async () => {},
  };
}

test('the columns that the topology reads are loaded, one view a family, in batches', async () => {
  const writer = recordingWriter();
  const seen: LoadedTable[] = [];
  const clock = new FakeClock(1_700_000_000_000);
  const progress = (table: LoadedTable): void => void seen.push(table);
  const { tables } = await featuresLoad({ topology: TOPOLOGY, dir: DIR }, { writer, clock, progress });
  assert.deepEqual(writer.ensured, { airport: ['dep', 'arr'], route: ['slots'] });
  assert.deepEqual(
    tables.map(({ table, rows }) => [table, rows]),
    [
      ['airport', 229],
      ['route', 3_196],
    ],
  );
  const [airport] = tables;
  assert.ok(airport.views < 2 * 229, 'some airports lack a family');
  const there = writer.batches
    .slice(0, 2)
    .map(({ present, keys, views }) => present.subarray(0, keys.length * views.length));
  assert.equal(there.flatMap((flags) => [...flags]).filter((flag) => flag === 1).length, airport.views);
  assert.ok(writer.batches.every(({ keys, timestampMs }) => keys.length <= 200 && timestampMs === 1_700_000_000_000));
  assert.equal(
    writer.batches.reduce((rows, { keys }) => rows + keys.length, 0),
    229 + 3_196,
  );
  assert.deepEqual(
    seen.filter(({ table }) => table === 'route').map(({ rows }) => rows),
    [1_000, 2_000, 3_000, 3_196],
  );
});

test('named columns are loaded instead, into the tables that know their family', async () => {
  const writer = recordingWriter();
  const columns = ['dep.late_share', 'dep.per_day', 'slots.n'];
  await featuresLoad({ topology: TOPOLOGY, dir: DIR, columns }, { writer, clock: new FakeClock() });
  assert.deepEqual(writer.ensured, { airport: ['dep'], route: ['slots'] });
  const shape = (table: string) =>
    writer.batches.find((batch) => batch.table === table)?.views[0].columns.map(({ name, width }) => [name, width]);
  assert.deepEqual(shape('airport'), [
    ['late_share', 1],
    ['per_day', 1],
  ]);
  assert.deepEqual(shape('route'), [['n', 96]]);
  const bad = featuresLoad({ topology: TOPOLOGY, dir: DIR, columns: ['dep'] }, { writer, clock: new FakeClock() });
  await assert.rejects(bad, isSluice('usage-invalid'));
});

test('a folder without one of the files is refused before anything is written', async () => {
  const writer = recordingWriter();
  const topology = { enrich: [...TOPOLOGY.enrich, enrich('weather', SLOTS)] } as unknown as Topology;
  await assert.rejects(
    featuresLoad({ topology, dir: DIR }, { writer, clock: new FakeClock() }),
    isSluice('file-missing'),
  );
  assert.deepEqual([writer.ensured, writer.batches], [{}, []]);
});

test('what was loaded into Bigtable reads as the files themselves do', async (t) => {
  const server = await createBigtable();
  const clock = createSystemClock();
  const deps = { clock, telemetry: new RecordingTelemetry(), random: () => 0.5 };
  const options = { project: 'p', instance: 'i', emulatorHost: server.host };
  const writer = createBigtableWriter(deps, options);
  const stores = [createBigtableStore(deps, options), createFeatureFiles({ folder: DIR, reads: TOPOLOGY.enrich })];
  t.after(async () => {
    await Promise.all([writer.close(), ...stores.map((store) => store.close())]);
    await server.close();
  });
  await featuresLoad({ topology: TOPOLOGY, dir: DIR }, { writer, clock });
  const keys = sortedKeys(['ABE#ATL', 'ATL#ORD', 'ORD#LGA', 'XXX#YYY']);
  const read = { table: 'route', layout: 'packed', keys, views: [SLOTS], rowWidth: 192, timeoutMs: 20_000 } as const;
  const answers = await Promise.all(
    stores.map(async (store) => {
      const into = blank(keys.length, 192, 1);
      await store.open(['airport', 'route']);
      await store.read({ ...read, into });
      return into;
    }),
  );
  assert.deepEqual(answers[0].values, answers[1].values);
  assert.deepEqual([...answers[0].writtenAtMs].map(Number.isNaN), [...answers[1].writtenAtMs].map(Number.isNaN));
  assert.ok(answers[0].values.some((value) => value > 0));
});
