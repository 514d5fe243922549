/**
 * Three real Kafka brokers (RF 3, min ISR 2) and what fault tests do to them.
 * Promise: every look at the cluster is made with a client of its own and tried again until a broker answers, so that a
 * look never hangs on the broker that was just broken; whatever is down or frozen is up again after `heal`.
 */
import { type Admin, type ITopicConfig, Kafka, logLevel } from 'kafkajs';
import { ended, until } from '../../fixtures/until.ts';
import { type Services, startServices } from '../../integration/services.ts';

export interface KafkaCluster {
  readonly services: Services;
  readonly brokers: string;
  readonly nodes: readonly number[];
  createTopic(topic: string, partitions: number, settings?: Readonly<Record<string, string>>): Promise<void>;
  /** Runs work with an admin client of its own, anew until it succeeds; so it must be repeatable. */
  ask<T>(what: string, work: (admin: Admin) => Promise<T>): Promise<T>;
  /** By partition; -1 where there is none. */
  leaders(topic: string): Promise<number[]>;
  /** The node that coordinates a consumer group. */
  coordinator(group: string): Promise<number>;
  /** Resolves when every partition has a leader and all three replicas in sync. */
  inSync(topic: string): Promise<void>;
  kill(node: number): Promise<void>;
  end(node: number): Promise<void>;
  boot(node: number): Promise<void>;
  freeze(node: number): Promise<void>;
  thaw(node: number): Promise<void>;
  heal(): Promise<void>;
  stop(): Promise<void>;
}

const NODES = [1, 2, 3];
const REPLICAS = 3;
/** Partitions of `__consumer_offsets`, as services/kafka.sh sets them. */
const OFFSETS_PARTITIONS = 8;
/**
 * A dead broker stays leader, and in the in-sync set for which acks=all waits, until the controller's session with it is
 * over: 9 s by default. What the tests show is what Sluice adds to that.
 */
export const BROKER_SESSION_MS = 3_000;
const ATTEMPT_MS = 15_000;

export async function startCluster(): Promise<KafkaCluster> {
  const services = await startServices({
    kafkaNodes: 3,
    kafkaSettings: { 'broker.session.timeout.ms': String(BROKER_SESSION_MS), 'broker.heartbeat.interval.ms': '500' },
  });
  const { brokers } = services;
  const down = new Set<number>();
  const frozen = new Set<number>();

  let asked = 0;
  async function ask<T>(what: string, work: (admin: Admin) => Promise<T>): Promise<T> {
    const addresses = brokers.split(',');
    let last: unknown;
    const answered = until(what, async () => {
      // Each client begins with the first address: not with one that hangs, time after time.
      const first = asked++ % addresses.length;
      const kafka = new Kafka({
        brokers: [...addresses.slice(first), ...addresses.slice(0, first)],
        clientId: 'observer',
        logLevel: logLevel.NOTHING,
        connectionTimeout: 1_000,
        requestTimeout: 1_500,
        retry: { retries: 1, initialRetryTime: 50 },
      });
      const admin = kafka.admin();
      try {
        await ended(`connect, ${what}`, ATTEMPT_MS, admin.connect());
        return { answer: await ended(what, ATTEMPT_MS, work(admin)) };
      } catch (error) {
        last = error;
        return false;
      } finally {
        await Promise.race([admin.disconnect(), new Promise((resolve) => setTimeout(resolve, 1_000).unref())]);
      }
    });
    try {
      return (await answered).answer;
    } catch (error) {
      throw new Error((error as Error).message, { cause: last });
    }
  }

  const partitionsOf = (topic: string) =>
    ask(`metadata of ${topic}`, async (admin) => {
      const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
      return topics[0].partitions.toSorted((a, b) => a.partitionId - b.partitionId);
    });

  const leaders = async (topic: string): Promise<number[]> => (await partitionsOf(topic)).map(({ leader }) => leader);

  async function inSync(topic: string): Promise<void> {
    await until(`${topic} is in sync`, async () =>
      (await partitionsOf(topic)).every(({ leader, isr }) => leader > 0 && isr.length === REPLICAS),
    );
  }

  const cluster: KafkaCluster = {
    services,
    brokers,
    nodes: NODES,
    ask,
    leaders,
    inSync,
    async createTopic(topic, numPartitions, settings = {}) {
      const configEntries = Object.entries(settings).map(([name, value]) => ({ name, value }));
      const wanted: ITopicConfig = { topic, numPartitions, configEntries };
      await ask(`topic ${topic} is made`, async (admin) => {
        const known = await admin.listTopics();
        if (!known.includes(topic)) await admin.createTopics({ waitForLeaders: false, topics: [wanted] });
      });
      await until(`topic ${topic} has ${numPartitions} partitions`, async () => {
        const found = await partitionsOf(topic);
        return (
          found.length === numPartitions && found.every(({ leader, isr }) => leader > 0 && isr.length === REPLICAS)
        );
      });
    },
    async coordinator(group) {
      return (await leaders('__consumer_offsets'))[Math.abs(javaHash(group)) % OFFSETS_PARTITIONS];
    },
    async kill(node) {
      down.add(node);
      await services.killKafkaNode(node);
    },
    async end(node) {
      down.add(node);
      await services.endKafkaNode(node);
    },
    async boot(node) {
      await services.bootKafkaNode(node);
      down.delete(node);
    },
    async freeze(node) {
      frozen.add(node);
      await services.freezeKafkaNode(node);
    },
    async thaw(node) {
      await services.thawKafkaNode(node);
      frozen.delete(node);
    },
    async heal() {
      for (const node of [...frozen]) await cluster.thaw(node);
      for (const node of [...down]) await cluster.boot(node);
    },
    stop: () => services.stop(),
  };
  return cluster;
}

/** String.hashCode of Java, which chooses the partition that a group's offsets are kept in. */
function javaHash(text: string): number {
  let hash = 0;
  for (let i = 0; i < text.length; i++) hash = (Math.imul(31, hash) + text.charCodeAt(i)) | 0;
  return hash;
}
