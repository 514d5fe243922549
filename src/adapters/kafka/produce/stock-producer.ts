import type { Kafka, Producer, RecordMetadata } from 'kafkajs';
import { SUPPORTED_CLIENT } from '../client/internals.ts';
import type { TopicProducer } from './producers.ts';
import { toMessages } from './stock-messages.ts';
import type { Acknowledged } from './wire.ts';

/**
 * The client's own idempotent producer: a baseline for our producer (idempotent-producer.ts), and a substitute for it. The client
 * keeps the sequences. With an unknown version of the client, only its public interface is used.
 *
 * Limits: header order across names is the client's; a null header value is sent empty, and `onNullHeader` is called; if the metadata
 * cannot be read after a failed attempt, only that failure is reported.
 */
export interface StockProducerOptions {
  readonly topic: string;
  readonly replicasMs: number;
  readonly metadataMaxAgeMs: number;
}

/** The client groups messages in quadratic time. */
const MAX_ROWS = 1_000;

export function createStockProducer(
  deps: { readonly kafka: Kafka; readonly version: string; readonly onNullHeader: () => void },
  { topic, replicasMs, metadataMaxAgeMs }: StockProducerOptions,
): TopicProducer {
  const isKnown = deps.version === SUPPORTED_CLIENT;
  const producer: Producer = deps.kafka.producer({
    idempotent: true,
    allowAutoTopicCreation: false,
    metadataMaxAge: metadataMaxAgeMs,
    createPartitioner:
      () =>
      ({ message }) =>
        message.partition as number,
    // The client retries with no word to us → an answer that reads "duplicate" could be either of two things →
    // each attempt is ours. It refuses `retries: 0` for idempotent producers; NaN passes its check and means none. What NaN
    // means to another version, nobody knows: there it retries once, and rows that it calls duplicates are sent again.
    retry: { retries: isKnown ? Number.NaN : 1 },
  });

  return {
    connect: () => producer.connect(),
    disconnect: () => producer.disconnect(),
    maxRows: MAX_ROWS,
    request(partition, rows, from, to) {
      const list = toMessages(rows, from, to, partition, deps.onNullHeader);
      // The copy is an array like any other, without the short-cut through what the known version does with it.
      const messages = isKnown ? list : [...list];
      return {
        isSent: true,
        attempt: async () =>
          (await producer.send({ topic, messages, acks: -1, timeout: replicasMs })).map(acknowledged),
      };
    },
  };
}

function acknowledged({ topicName, partition, errorCode, baseOffset, logAppendTime }: RecordMetadata): Acknowledged {
  return { topicName, partition, errorCode, baseOffset: baseOffset ?? '-1', logAppendTime: logAppendTime ?? '-1' };
}
