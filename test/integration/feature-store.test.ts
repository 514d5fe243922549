/** The conformance suite on Google's emulator; BIGTABLE_EMULATOR_HOST says where it is, without it there is nothing to run. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { test } from 'node:test';
import { createBigtableStore } from '../../src/adapters/bigtable/store.ts';
import { createBigtableWriter } from '../../src/adapters/bigtable/writer.ts';
import { createSystemClock } from '../../src/kernel/system-clock.ts';
import { featureStoreConformance } from '../contract/feature-store.ts';
import { RecordingTelemetry } from '../fixtures/telemetry.ts';

const emulator = process.env.BIGTABLE_EMULATOR_HOST;
let worlds = 0;

if (emulator === undefined) test('the Bigtable emulator', { skip: 'BIGTABLE_EMULATOR_HOST is not set' });
else {
  featureStoreConformance('The Bigtable emulator', async () => {
    const road = await createRoad(emulator);
    const deps = { clock: createSystemClock(), telemetry: new RecordingTelemetry(), random: () => 0.5 };
    const options = { project: `test-${process.pid}-${worlds++}`, instance: 'test', emulatorHost: road.host };
    const store = createBigtableStore(deps, options);
    const writer = createBigtableWriter(deps, { ...options, emulatorHost: emulator });
    await writer.ensureTable('many', ['agg', 'slots']);
    return {
      store,
      writer,
      stall: road.block,
      async stop() {
        await store.close();
        await writer.close();
        road.close();
      },
    };
  });
}

/** A way to HOST:PORT that can be blocked: connections stay, nothing gets through. */
async function createRoad(host: string): Promise<{ host: string; block(): void; close(): void }> {
  const sockets = new Set<Socket>();
  const [, name, port] = /^(.*):(\d+)$/.exec(host)!;
  const server = createServer((near) => {
    const far = connect(Number(port), name);
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      from.pipe(to);
      from.on('error', () => to.destroy());
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    block() {
      for (const socket of sockets) socket.unpipe().pause();
    },
    close() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}
