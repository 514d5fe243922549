import { Kafka, logLevel } from 'kafkajs';
import { createRegistry } from '../../src/devstack/registry.ts';
import type { Stack } from '../contract/example-bench.ts';
import { until } from '../fixtures/until.ts';
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
      // The client's own wait fails when a broker has not yet heard of the topic → it is waited for here.
      await until(`topic ${topic} has leaders`, async () => {
        try {
          const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
          return topics[0].partitions.filter(({ leader }) => leader >= 0).length === numPartitions;
        } catch (error) {
          if ((error as { type?: string }).type === 'UNKNOWN_TOPIC_OR_PARTITION') return false;
          throw error;
        }
      });
    },
    async stop() {
      await admin.disconnect();
      await registry.close();
      await services.stop();
    },
  };
}
