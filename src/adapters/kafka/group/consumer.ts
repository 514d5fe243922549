import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Kafka, PartitionAssigners } from 'kafkajs';
import type { Clock } from '../../../kernel/clock.ts';
import { deadlineIn, within } from '../../../kernel/deadline.ts';
import type { SluiceError } from '../../../kernel/errors.ts';
import type { Telemetry } from '../../../ports/telemetry.ts';
import { listenForCrashes } from '../client/crashes.ts';
import { messageOf } from '../client/errors.ts';
import { type FetchedBatch, hookJoins } from '../client/internals.ts';
import { persistently } from '../connection.ts';
import { keepBatches } from '../fetch/client-fetch.ts';
import { FETCH_MAX_BYTES } from '../record-batch/read.ts';
import type { KafkaSourceOptions } from '../source-options.ts';
import type { Membership } from './membership.ts';

/**
 * The life of the client's consumer, from creation to end.
 *
 * Promise: once `closing` is aborted, nothing new begins, and what is in flight ends by itself, without another attempt or restart.
 * The client checks whether it was stopped only before it runs and after it has joined → stopped in between, it takes the end of its
 * own connections for a crash, restarts, and dials brokers that may be gone, for ever, so that the process never exits → it is told
 * not to restart (`restartOnFailure`), and stopped between two turns of the event loop, so that it knows of a start or restart
 * already decided, and ends it.
 */
export interface GroupConsumer {
  /** Resolves when it is running, or was closed first; rejects with the client's error for a permanent failure. */
  run(): Promise<void>;
  /** Leaves the group, within `closeMs`. Never rejects. */
  end(): Promise<void>;
}

export interface GroupConsumerDeps {
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  readonly random: () => number;
  readonly kafka: Kafka;
  readonly membership: Membership;
  readonly closing: AbortSignal;
  readonly eachBatch: (batch: FetchedBatch) => Promise<void>;
  readonly onCrash: () => void;
  readonly onFailed: (error: SluiceError) => void;
}

export interface GroupConsumerTimes {
  readonly sessionTimeoutMs: number;
  readonly rebalanceTimeoutMs: number;
  readonly heartbeatMs: number;
  readonly maxWaitMs: number;
}

export function createGroupConsumer(
  deps: GroupConsumerDeps,
  options: KafkaSourceOptions & GroupConsumerTimes,
): GroupConsumer {
  const { clock, telemetry, kafka, membership, closing } = deps;
  const { groupId, topics, brokers } = options;
  const consumer = kafka.consumer({
    groupId,
    sessionTimeout: options.sessionTimeoutMs,
    rebalanceTimeout: options.rebalanceTimeoutMs,
    heartbeatInterval: options.heartbeatMs,
    maxWaitTimeInMs: options.maxWaitMs,
    maxBytes: options.fetchMaxBytes ?? FETCH_MAX_BYTES,
    maxBytesPerPartition: options.partitionMaxBytes ?? 1024 * 1024,
    metadataMaxAge: options.metadataMaxAgeMs ?? 10_000,
    allowAutoTopicCreation: false,
    retry: {
      initialRetryTime: 100,
      maxRetryTime: 1_000,
      retries: 5,
      restartOnFailure: async () => !closing.aborted,
    },
    partitionAssigners: [
      hookJoins(PartitionAssigners.roundRobin, membership.join, (cluster) => {
        if (!options.stock) keepBatches(cluster, options.fetchHoldMs);
      }),
    ],
  });
  consumer.on(consumer.events.GROUP_JOIN, () => membership.joined());
  listenForCrashes(consumer, { telemetry, onCrash: deps.onCrash, onFailed: deps.onFailed }, { groupId, brokers });

  return {
    async run() {
      await persistently(deps, options, `join group ${groupId}`, async () => {
        await consumer.connect();
        if (!closing.aborted)
          await consumer.subscribe({ topics: [...topics], fromBeginning: options.from !== 'latest' });
      });
      // `end` may have disconnected before there was a connection: then we must close this one.
      if (closing.aborted) return consumer.disconnect();
      await consumer.run({
        // Otherwise the client would commit after every batch, and what was fetched rather than settled.
        autoCommit: false,
        eachBatchAutoResolve: false,
        // The batches of a fetch compete for credit, so that no partition waits for another to finish.
        partitionsConsumedConcurrently: 16,
        eachBatch: ({ batch }) => deps.eachBatch(batch as unknown as FetchedBatch),
      });
    },

    async end() {
      const timeoutMs = options.closeMs ?? 5_000;
      const left = nextTurn()
        .then(() => consumer.disconnect())
        .catch((thrown: unknown) => {
          telemetry.event('kafka-client', { severity: 'warn', component: 'close', message: messageOf(thrown) });
        });
      if (!(await within(clock, deadlineIn(clock, timeoutMs), left))) {
        telemetry.event('source-close-overdue', { group: groupId, timeoutMs });
      }
    },
  };
}
