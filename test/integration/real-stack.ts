import { Kafka, logLevel } from 'kafkajs';
import { createRegistry } from '../../src/devstack/registry.ts';
import type { Stack } from '../contract/example-bench.ts';
import { untilLed } from '../fixtures/leaders.ts';
import { startServices } from './services.ts';

/** Apache Kafka and Google's Bigtable emulator; the registry is the embedded one, because no other runs without Docker. */
export async function startRealStack(): Promise<Stack> {
  const services = await startServices();
  const registry = await createRegistry();
  const admin = new Kafka({ brokers: services.brokers.split(','), logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  return {
    env: {
      KAFKA_BROKERS: services.brokers,
      SCHEMA_REGISTRY_URL: registry.url,
      BIGTABLE_EMULATOR_HOST: services.bigtableEmulatorHost,
    },
    async createTopic(topic, numPartitions) {
      await admin.createTopics({ waitForLeaders: false, topics: [{ topic, numPartitions }] });
      await untilLed(admin, topic, numPartitions);
    },
    async stop() {
      await admin.disconnect();
      await registry.close();
      await services.stop();
    },
  };
}
