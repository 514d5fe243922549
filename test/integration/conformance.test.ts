/** The suites that the embedded services are held to, on Apache Kafka and Google's Bigtable emulator: so both are held to the same. */
import { after } from 'node:test';
import { createBigtableStore } from '../../src/adapters/bigtable/store.ts';
import { createBigtableWriter } from '../../src/adapters/bigtable/writer.ts';
import { createSystemClock } from '../../src/kernel/system-clock.ts';
import { featureStoreConformance } from '../contract/feature-store.ts';
import { sourceSinkConformance } from '../contract/source-sink.ts';
import { createRoad } from '../fixtures/road.ts';
import { RecordingTelemetry } from '../fixtures/telemetry.ts';
import { type Services, startServices } from './services.ts';

/** One cluster for all suites; topics, groups and tables have names of their own. */
let started: Promise<Services> | undefined;
function services(): Promise<Services> {
  started ??= startServices();
  return started;
}
after(async () => {
  await (await started)?.stop();
});

sourceSinkConformance('Apache Kafka', async () => {
  const { brokers } = await services();
  return { brokers, minSessionMs: 1_000, stop: async () => {} };
});

featureStoreConformance('Google’s Bigtable emulator', async () => {
  const { bigtableEmulatorHost } = await services();
  const road = await createRoad(bigtableEmulatorHost);
  const deps = { clock: createSystemClock(), telemetry: new RecordingTelemetry(), random: () => 0.5 };
  const where = { project: 'conformance', instance: 'test' };
  const store = createBigtableStore(deps, { ...where, emulatorHost: road.host });
  const writer = createBigtableWriter(deps, { ...where, emulatorHost: bigtableEmulatorHost });
  await writer.ensureTable('many', ['agg', 'slots']);
  return {
    store,
    writer,
    stall: road.block,
    crash: async () => road.block(),
    restart: async () => road.open(),
    async stop() {
      await store.close();
      await writer.close();
      await road.close();
    },
  };
});
