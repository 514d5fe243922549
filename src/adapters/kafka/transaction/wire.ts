import type { Kafka } from 'kafkajs';
import { SluiceError } from '../../../kernel/errors.ts';
import type { Coordinator } from '../client/internals.ts';
import { createCluster, type TransactionBroker, type TransactionCluster } from '../produce/cluster.ts';
import { RequestBuffers } from '../produce/request-buffers.ts';
import { type Acknowledged, encodeProduce, errorOfCode, type ProducePart, sendProduce } from '../produce/wire.ts';
import { batchProducer } from '../record-batch/write.ts';

/**
 * The requests of a transaction, one function each, over the client's connections.
 *
 * The client's own transactional producer is not used: after a failed commit its state machine is stuck, and even `abort` throws; its
 * sends retry by themselves, and with several partitions a retry may leave messages out; it looks up the coordinator before each
 * request, and waits 300 ms while the broker still writes the markers of the previous transaction. Here each function makes one
 * attempt at one request, and the caller decides what an error means. Errors are the client's.
 */
export interface TransactionWire {
  /** Connects; rejects with `topology-invalid` where a broker knows no transactions. */
  open(topics: readonly string[]): Promise<void>;
  /** Raises the epoch of the id: older holders are refused from then on, their open transaction is aborted. */
  initProducer(id: string): Promise<Producer>;
  addPartitions(producer: Producer, topics: readonly TopicPartitions[]): Promise<void>;
  addOffsets(producer: Producer, groupId: string): Promise<void>;
  commitOffset(producer: Producer, groupId: string, topic: string, partition: number, offset: number): Promise<void>;
  /** Appends to partitions of several leaders; resolves with what was acknowledged. */
  produce(producer: Producer, parts: readonly ProducePart[]): Promise<readonly Acknowledged[]>;
  /** Commits. */
  end(producer: Producer): Promise<void>;
  /** The group's committed offset, -1 where there is none. */
  committed(groupId: string, topic: string, partition: number): Promise<number>;
  /** After a failure: coordinators and leaders may be others by now. */
  forget(): void;
  close(): Promise<void>;
}

/** One epoch of a transactional id. */
export interface Producer {
  readonly id: string;
  readonly producerId: string;
  readonly producerEpoch: number;
}

export interface TopicPartitions {
  readonly topic: string;
  readonly partitions: readonly number[];
}

export interface WireOptions {
  readonly brokers: readonly string[];
  readonly clientId: string;
  /** A transaction that is open for longer is aborted by its coordinator. */
  readonly transactionTimeoutMs: number;
  readonly replicasMs: number;
  readonly metadataMaxAgeMs: number;
}

const GROUP = 0;
const TRANSACTION = 1;
/** The requests without which there is no transaction, by their keys in the protocol. */
const NEEDED = { InitProducerId: 22, AddPartitionsToTxn: 24, AddOffsetsToTxn: 25, EndTxn: 26, TxnOffsetCommit: 28 };

export function createTransactionWire(kafka: Kafka, options: WireOptions): TransactionWire {
  const cluster: TransactionCluster = createCluster(kafka, { metadataMaxAge: options.metadataMaxAgeMs });
  const coordinators = new Map<string, Coordinator['nodeId']>();
  const buffers = new RequestBuffers();
  let isStale = false;

  async function coordinator(groupId: string, coordinatorType: number): Promise<TransactionBroker> {
    const key = `${coordinatorType}/${groupId}`;
    const nodeId = coordinators.get(key);
    if (nodeId !== undefined) return cluster.findBroker({ nodeId });
    const found = await cluster.findGroupCoordinator({ groupId, coordinatorType });
    coordinators.set(key, found.nodeId);
    return found;
  }

  async function checkRequests(): Promise<void> {
    const { versions } = await cluster.findControllerBroker();
    const missing = Object.entries(NEEDED).flatMap(([name, key]) => (versions[key] === undefined ? [name] : []));
    if (missing.length === 0) return;
    throw new SluiceError(
      'topology-invalid',
      `flow.delivery: exactly-once needs transactions, which ${options.brokers.join(', ')} does not have (no ${missing.join(', ')}); ` +
        'run against a broker that has them, as Apache Kafka, or write delivery: at-least-once',
    );
  }

  function leaderOf(topic: string, partition: number): number {
    const known = cluster.findTopicPartitionMetadata(topic).find(({ partitionId }) => partitionId === partition);
    if (known === undefined || known.leader < 0) {
      isStale = true;
      throw new SluiceError('broker-unavailable', `${topic}/${partition} has no leader; it is tried again`);
    }
    return known.leader;
  }

  return {
    async open(topics) {
      await cluster.connect();
      await cluster.addMultipleTargetTopics(topics);
      await checkRequests();
    },

    async initProducer(id) {
      const broker = await coordinator(id, TRANSACTION);
      const { producerId, producerEpoch } = await broker.initProducerId({
        transactionalId: id,
        transactionTimeout: options.transactionTimeoutMs,
      });
      return { id, producerId, producerEpoch };
    },

    async addPartitions({ id, producerId, producerEpoch }, topics) {
      const broker = await coordinator(id, TRANSACTION);
      await broker.addPartitionsToTxn({ transactionalId: id, producerId, producerEpoch, topics });
    },

    async addOffsets({ id, producerId, producerEpoch }, groupId) {
      const broker = await coordinator(id, TRANSACTION);
      await broker.addOffsetsToTxn({ transactionalId: id, producerId, producerEpoch, groupId });
    },

    async commitOffset({ id, producerId, producerEpoch }, groupId, topic, partition, offset) {
      const broker = await coordinator(groupId, GROUP);
      const topics = [{ topic, partitions: [{ partition, offset: String(offset), metadata: null }] }];
      await broker.txnOffsetCommit({ transactionalId: id, groupId, producerId, producerEpoch, topics });
    },

    async produce({ id, producerId, producerEpoch }, parts) {
      if (isStale) {
        await cluster.refreshMetadata();
        isStale = false;
      } else await cluster.refreshMetadataIfNecessary();
      const byLeader = Map.groupBy(parts, ({ topic, partition }) => leaderOf(topic, partition));
      const answers = await everyOne(
        [...byLeader].map(async ([nodeId, ofLeader]) => {
          const broker = await cluster.findBroker({ nodeId });
          const head = {
            clientId: options.clientId,
            transactionalId: id,
            timeoutMs: options.replicasMs,
            producer: batchProducer(producerId, producerEpoch, true),
          };
          const inOrder = [...Map.groupBy(ofLeader, ({ topic }) => topic).values()].flat();
          const payload = encodeProduce(head, inOrder, (bytes) => buffers.take(bytes));
          const acknowledged = await sendProduce(broker, () => payload);
          buffers.give(payload.buf);
          const refused = acknowledged.find(({ errorCode }) => errorCode !== 0);
          if (refused !== undefined) throw errorOfCode(refused.errorCode);
          return acknowledged;
        }),
      );
      return answers.flat();
    },

    async end({ id, producerId, producerEpoch }) {
      const broker = await coordinator(id, TRANSACTION);
      await broker.endTxn({ transactionalId: id, producerId, producerEpoch, transactionResult: true });
    },

    async committed(groupId, topic, partition) {
      const broker = await coordinator(groupId, GROUP);
      const { responses } = await broker.offsetFetch({ groupId, topics: [{ topic, partitions: [{ partition }] }] });
      return Number(responses[0].partitions[0].offset);
    },

    forget() {
      coordinators.clear();
      isStale = true;
    },

    close: () => cluster.disconnect(),
  };
}

/** Waits for every call, even if one fails: no request of a failed attempt may still be on its way when the next one begins. */
export async function everyOne<T>(calls: readonly Promise<T>[]): Promise<T[]> {
  const outcomes = await Promise.allSettled(calls);
  const failed = outcomes.find((outcome) => outcome.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
  return outcomes.map((outcome) => (outcome as PromiseFulfilledResult<T>).value);
}
