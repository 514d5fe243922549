import type { Kafka } from 'kafkajs';
import { kafkaType } from '../client/errors.ts';
import { batchProducer } from '../record-batch/write.ts';
import { createCluster, type TransactionBroker, type TransactionCluster } from './cluster.ts';
import type { SendRequest, TopicProducer } from './producers.ts';
import type { RequestBuffers } from './request-buffers.ts';
import { RequestMerger } from './request-merging.ts';
import { Sequences } from './sequences.ts';
import { type Acknowledged, errorOfCode, type ProducePart } from './wire.ts';

/**
 * An idempotent producer of one topic: the broker assigns its id, we keep its sequences, and the client's connections carry its requests.
 *
 * Promise: every attempt repeats the same batch, byte for byte, under the same sequence, wherever the leader is by then. The sequence
 * advances only when what was sent under it is acknowledged. What happens after a failed request is not decided here.
 *
 * A producer reads only the metadata of its own topic, so a deleted topic holds up no other.
 */
export interface IdempotentProducerOptions {
  readonly topic: string;
  readonly clientId: string;
  readonly replicasMs: number;
  readonly metadataMaxAgeMs: number;
}

export interface ProducerCluster extends TransactionCluster {
  readonly brokerPool: { findConnectedBroker(): Promise<TransactionBroker> };
}

const LEADER_NOT_AVAILABLE = 5;
/** Asked for, and of no use to a producer without transactions. */
const TRANSACTION_TIMEOUT_MS = 60_000;

export function createIdempotentProducer(
  deps: { readonly kafka: Kafka; readonly cluster?: ProducerCluster; readonly buffers: RequestBuffers },
  options: IdempotentProducerOptions,
): TopicProducer {
  const { topic, clientId } = options;
  const cluster =
    deps.cluster ??
    (createCluster(deps.kafka, { metadataMaxAge: options.metadataMaxAgeMs }) as unknown as ProducerCluster);
  const sequences = new Sequences();
  let gathering: RequestMerger | undefined;
  /** An attempt failed since the metadata was read. */
  let isStale = false;
  /** The client reads the metadata of this topic whenever it reads any. */
  let isKnown = false;

  async function leader(partition: number): Promise<TransactionBroker> {
    if (!isKnown) {
      await cluster.addMultipleTargetTopics([topic]);
      isKnown = true;
      isStale = false;
    } else if (isStale) {
      await cluster.refreshMetadata();
      isStale = false;
    } else await cluster.refreshMetadataIfNecessary();
    const known = cluster.findTopicPartitionMetadata(topic).find(({ partitionId }) => partitionId === partition);
    if (known === undefined || known.leader < 0) throw errorOfCode(LEADER_NOT_AVAILABLE);
    return cluster.findBroker({ nodeId: known.leader });
  }

  async function send(
    through: RequestMerger,
    part: ProducePart,
    onSending: () => void,
  ): Promise<readonly Acknowledged[]> {
    try {
      return await through.send(await leader(part.partition), part, onSending);
    } catch (thrown) {
      isStale = true;
      throw thrown;
    }
  }

  return {
    maxRows: Number.POSITIVE_INFINITY,

    async connect() {
      await cluster.connect();
      // Any broker gives ids. No metadata is asked for: of which topics? Of all of them it fails when any has no leader.
      const broker = await cluster.brokerPool.findConnectedBroker();
      const { producerId, producerEpoch } = await broker.initProducerId({ transactionTimeout: TRANSACTION_TIMEOUT_MS });
      const producer = batchProducer(producerId, producerEpoch, false);
      const head = { clientId, transactionalId: null, timeoutMs: options.replicasMs, producer };
      gathering = new RequestMerger(head, deps.buffers);
    },

    disconnect: () => cluster.disconnect(),

    request(partition, rows, from, to): SendRequest {
      if (gathering === undefined) throw new TypeError('a producer sends before it is connected');
      const through = gathering;
      const sequence = sequences.next(partition);
      const part = { topic, partition, rows, from, to, sequence };
      /** In any attempt, and in the last one. */
      let wasSent = false;
      let isSent = false;
      const onSending = (): void => {
        wasSent = true;
        isSent = true;
      };
      return {
        get isSent() {
          return isSent;
        },
        async attempt() {
          isSent = false;
          const isRepeated = wasSent;
          try {
            const answer = await send(through, part, onSending);
            sequences.passed(partition, sequence, to - from);
            return answer;
          } catch (thrown) {
            if (!isRepeated || kafkaType(thrown) !== 'DUPLICATE_SEQUENCE_NUMBER') throw thrown;
            sequences.passed(partition, sequence, to - from);
            return 'already';
          }
        },
      };
    },
  };
}
