import { createBigtableWriter } from '../../adapters/bigtable/writer.ts';
import { createBigtable } from '../../devstack/bigtable.ts';
import { createBroker, type EmbeddedBroker } from '../../devstack/kafka/broker.ts';
import { createRegistry } from '../../devstack/registry.ts';
import { SluiceError } from '../../kernel/errors.ts';
import type { Topology } from '../../plan/topology.ts';
import type { Telemetry } from '../../ports/telemetry.ts';
import { featuresLoad } from '../features-load.ts';
import type { Io } from '../io.ts';

/** The embedded services of a demo, and the settings by which a topology finds them. */
export interface Services {
  readonly broker: EmbeddedBroker;
  readonly env: Readonly<Record<string, string>>;
  close(): Promise<void>;
}

export const PARTITIONS = 4;

/** Starts Kafka, registry and Bigtable in this process, on the real wire protocols; in memory, gone at the end. */
export async function startServices(options: { readonly port: number }): Promise<Services> {
  const broker = await createBroker({ port: options.port }).catch((thrown: NodeJS.ErrnoException) => {
    if (thrown.code !== 'EADDRINUSE' && thrown.code !== 'EACCES') throw thrown;
    throw new SluiceError(
      'port-taken',
      `port ${options.port} is not to be had (${thrown.code}): choose another with --port`,
      thrown,
    );
  });
  const registry = await createRegistry();
  const bigtable = await createBigtable();
  return {
    broker,
    env: {
      KAFKA_BROKERS: broker.brokers.join(','),
      SCHEMA_REGISTRY_URL: registry.url,
      BIGTABLE_EMULATOR_HOST: bigtable.host,
    },
    async close() {
      await Promise.all([broker.close(), registry.close(), bigtable.close()]);
    },
  };
}

/** What an operator does once before a topology runs: topics, and the feature tables. */
export async function provision(
  topology: Topology,
  services: Services,
  featuresDir: string,
  io: Io,
  telemetry: Telemetry,
): Promise<readonly { readonly table: string; readonly rows: number }[]> {
  for (const topic of [...topology.source.topics, topology.output.topic, topology.deadLetter.topic]) {
    services.broker.createTopic(topic, { partitions: PARTITIONS });
  }
  const { bigtable } = topology.connections;
  if (topology.enrich.length === 0 || bigtable === undefined) return [];
  const { clock, random } = io;
  const writer = createBigtableWriter(
    { clock, telemetry, random },
    { ...bigtable, emulatorHost: services.env.BIGTABLE_EMULATOR_HOST },
  );
  try {
    const { tables } = await featuresLoad({ topology, dir: featuresDir }, { writer, clock });
    return tables;
  } finally {
    await writer.close();
  }
}
