/**
 * A Kafka broker in this process, for development and tests: the real wire protocol on 127.0.0.1, any number of nodes, each with its
 * own port, over one shared log. Everything is in memory and is gone after `close`. There are no replicas, TLS or authentication;
 * consumer groups use the classic protocol; record batches are version 2.
 */
import { dispatch } from './calls.ts';
import { Cluster, type ClusterOptions } from './cluster.ts';
import { ERROR } from './protocol.ts';
import { type After, type Call, HOST, type Hooks, listen } from './server.ts';

export type BrokerOptions = Partial<ClusterOptions> & {
  /** Number of nodes; their ids count from 1. */
  readonly brokers?: number;
  /** Port of the first node, with the others following; 0 (the default) lets the system choose. */
  readonly port?: number;
  readonly hooks?: Hooks;
  readonly log?: (line: string) => void;
};

export type EmbeddedBroker = {
  /** host:port of each node. */
  readonly brokers: string[];
  createTopic(name: string, options?: { partitions?: number }): void;
  /** The stored record batches of a partition, one buffer each, including open and aborted ones and transaction markers. */
  read(topic: string, partition: number): Buffer[];
  /** The batches that readers of committed records see. */
  committed(topic: string, partition: number): Buffer[];
  /** Log end offset of each partition. */
  endOffsets(topic: string): number[];
  /** Committed offsets by topic and partition. */
  groupOffsets(groupId: string): Record<string, Record<number, number>>;
  moveLeader(topic: string, partition: number, nodeId: number): void;
  /** For a group or a transactional id. */
  moveCoordinator(name: string, nodeId: number): void;
  close(): Promise<void>;
};

const unrefTimer: After = (delayMs, fire) => {
  const timer = setTimeout(fire, delayMs).unref();
  return { cancel: () => clearTimeout(timer) };
};

export async function createBroker(options: BrokerOptions = {}): Promise<EmbeddedBroker> {
  const { brokers = 1, port = 0, hooks, maxMessageBytes = 1 << 20, after = unrefTimer, without = [] } = options;
  const { log = (line) => process.stderr.write(`kafka devstack: ${line}\n`) } = options;
  const cluster = new Cluster({ maxMessageBytes, after, without });
  const handle = (call: Call): void | Promise<void> => dispatch(call, cluster);
  const close = async (): Promise<void> => {
    for (const group of cluster.groups.values()) group.close();
    cluster.transactions.close();
    await Promise.all(cluster.nodes.map((node) => node.close()));
  };
  for (let nodeId = 1; nodeId <= brokers; nodeId++) {
    const wish = port === 0 ? 0 : port + nodeId - 1;
    try {
      cluster.nodes.push(await listen({ nodeId, port: wish, after, handle, hooks, log }));
    } catch (cause) {
      await close();
      throw new Error(`the embedded broker cannot listen on ${HOST}:${wish}: is another one running?`, { cause });
    }
  }
  const logOf = (topic: string, partition: number) => {
    const found = cluster.topics.get(topic)?.partitions[partition];
    if (!found) throw new Error(`the embedded broker has no partition ${topic}/${partition}: create the topic first`);
    return found;
  };
  return {
    brokers: cluster.nodes.map((node) => `${HOST}:${node.port}`),
    createTopic(name, { partitions = 1 } = {}) {
      const errorCode = cluster.createTopic(name, partitions);
      if (errorCode !== ERROR.none) throw new Error(`topic ${name} cannot be created: Kafka error ${errorCode}`);
    },
    read: (topic, partition) => [...logOf(topic, partition).batches],
    committed: (topic, partition) => logOf(topic, partition).committed(),
    endOffsets: (topic) => cluster.topics.get(topic)?.partitions.map((partition) => partition.endOffset) ?? [],
    groupOffsets(groupId) {
      const topics = [...(cluster.groups.get(groupId)?.offsets.committed ?? [])];
      const plain = (partitions: ReadonlyMap<number, { offset: number }>): Record<number, number> =>
        Object.fromEntries([...partitions].map(([partition, { offset }]) => [partition, offset]));
      return Object.fromEntries(topics.map(([topic, partitions]) => [topic, plain(partitions)]));
    },
    moveLeader: (topic, partition, nodeId) => logOf(topic, partition).lead(nodeId),
    moveCoordinator: (name, nodeId) => cluster.moveCoordinator(name, nodeId),
    close,
  };
}
