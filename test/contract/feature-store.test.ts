import { appendFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import { createBigtableStore } from '../../src/adapters/bigtable/store.ts';
import { createBigtableWriter } from '../../src/adapters/bigtable/writer.ts';
import { createFeatureFiles } from '../../src/adapters/files/feature-files.ts';
import { createBigtable, type ReadFault } from '../../src/devstack/bigtable.ts';
import { createSystemClock } from '../../src/kernel/system-clock.ts';
import type { FeatureWriter } from '../../src/ports/feature-store.ts';
import { RecordingTelemetry } from '../fixtures/telemetry.ts';
import { featureStoreConformance } from './feature-store.ts';
import { CONFORMANCE_READS } from './feature-store-parts.ts';

const deps = { clock: createSystemClock(), telemetry: new RecordingTelemetry(), random: () => 0.5 };
const where = { project: 'test', instance: 'test' };

featureStoreConformance('Bigtable in this process', async () => {
  let fault: ReadFault | undefined;
  const server = await createBigtable({ onRead: () => fault });
  const options = { ...where, emulatorHost: server.host };
  const store = createBigtableStore(deps, options);
  const writer = createBigtableWriter(deps, options);
  await writer.ensureTable('many', ['agg', 'slots']);
  return {
    store,
    writer,
    stall: () => {
      fault = { stall: true };
    },
    crash: async () => {
      fault = { code: status.UNAVAILABLE };
    },
    restart: async () => {
      fault = undefined;
    },
    async stop() {
      await store.close();
      await writer.close();
      await server.close();
    },
  };
});

featureStoreConformance(
  'A folder of feature files',
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'sluice-features-'));
    const store = createFeatureFiles({ folder, reads: CONFORMANCE_READS });
    return {
      store,
      writer: createFileWriter(folder),
      async stop() {
        await store.close();
        rmSync(folder, { recursive: true });
      },
    };
  },
  { cells: false, tables: true },
);

/** Writes rows as lines of feature files. */
function createFileWriter(folder: string): FeatureWriter {
  return {
    ensureTable: async () => {},
    async write({ table, views, keys, values, rowWidth }) {
      keys.forEach((key, k) => {
        const families = views.map(({ family, columns }) => {
          const cells = columns.map(({ name, kind, width, offset }) => {
            const at = k * rowWidth + offset;
            return [name, kind === 'number' ? values[at] : [...values.subarray(at, at + width)]];
          });
          return [family, Object.fromEntries(cells)];
        });
        const row = { key: key.toString('utf8'), ...Object.fromEntries(families) };
        appendFileSync(join(folder, `${table}.jsonl`), `${JSON.stringify(row)}\n`);
      });
    },
    close: async () => {},
  };
}
