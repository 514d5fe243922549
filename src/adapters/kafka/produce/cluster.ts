import type { Kafka } from 'kafkajs';
import { SluiceError } from '../../../kernel/errors.ts';
import type { Coordinator } from '../client/internals.ts';
import type { ProduceBroker } from './wire.ts';

/**
 * Connections of kafkajs without its producer: the non-public parts of 2.2.4 that sending and transactions need. Call `checkClient`
 * (client/internals.ts) before using them.
 */
const CREATE_CLUSTER = 'private:Kafka:createCluster';

/** The part of a broker connection that they need: one request per call, and an error for every error answer. */
export interface TransactionBroker extends Coordinator, ProduceBroker {
  initProducerId(request: Record<string, unknown>): Promise<{
    readonly producerId: string;
    readonly producerEpoch: number;
  }>;
  addPartitionsToTxn(request: Record<string, unknown>): Promise<unknown>;
  addOffsetsToTxn(request: Record<string, unknown>): Promise<unknown>;
  txnOffsetCommit(request: Record<string, unknown>): Promise<unknown>;
  endTxn(request: Record<string, unknown>): Promise<unknown>;
}

export interface TransactionCluster {
  connect(): Promise<void>;
  disconnect(): Promise<void>;
  addMultipleTargetTopics(topics: readonly string[]): Promise<void>;
  refreshMetadata(): Promise<void>;
  refreshMetadataIfNecessary(): Promise<void>;
  findTopicPartitionMetadata(topic: string): readonly { readonly partitionId: number; readonly leader: number }[];
  findControllerBroker(): Promise<TransactionBroker>;
  findBroker(request: { readonly nodeId: string | number }): Promise<TransactionBroker>;
  findGroupCoordinator(request: {
    readonly groupId: string;
    readonly coordinatorType: number;
  }): Promise<TransactionBroker>;
}

/** Connections of a client that belong to none of its consumers or producers. */
export function createCluster(kafka: Kafka, options: { readonly metadataMaxAge: number }): TransactionCluster {
  const symbol = Object.getOwnPropertySymbols(kafka).find(({ description }) => description === CREATE_CLUSTER);
  const create =
    symbol && (kafka as unknown as Record<symbol, (made: Record<string, unknown>) => TransactionCluster>)[symbol];
  if (create === undefined) throw new SluiceError('client-unsupported', 'the Kafka client makes no cluster objects');
  return create({ ...options, allowAutoTopicCreation: false });
}
