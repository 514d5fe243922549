import { createRequire } from 'node:module';
import type { Admin, Kafka } from 'kafkajs';
import { pause } from '../../kernel/clock.ts';
import { SluiceError } from '../../kernel/errors.ts';
import { decodeHeaders } from '../../kernel/headers.ts';
import type { Extent, LogRecord, TopicLog } from '../../ports/topic-log.ts';
import { installFetch } from './client-fetch.ts';
import { installCodecs } from './codecs.ts';
import { type ConnectionDeps, createKafkaClient, type KafkaConnection, reach, topicMissing } from './connection.ts';
import { isTopicMissing, kafkaType, translate } from './errors.ts';
import { endOf, headersOf } from './frames.ts';
import { checkClient, type FetchedBatch, type FetchedMessage, installedClientVersion } from './internals.ts';
import { FETCH_MAX_BYTES } from './record-batches.ts';

/**
 * Topics read without a group, over the client's own cluster and fetch.
 *
 * The client reads by groups only → a look at a topic would make a group, wait for its members and leave it behind →
 * fetches are asked for directly. The client's own decoder and its filter of aborted transactions are replaced, as for the
 * source (client-fetch.ts): a dead letter of a transaction that was aborted is none, and must not be replayed.
 * Promise: the port's (src/ports/topic-log.ts). Limits: one fetch at a time; a batch that nobody can read comes as records
 * without a body; a leader that moves between two fetches is looked up anew.
 */
export interface TopicLogOptions extends KafkaConnection {
  readonly fetchMaxBytes?: number;
}

/** kafkajs' Cluster and Broker, as far as they are used here. */
interface Cluster {
  connect(): Promise<void>;
  disconnect(): Promise<void>;
  refreshMetadata(): Promise<void>;
  addTargetTopic(topic: string): Promise<void>;
  findLeaderForPartitions(topic: string, partitions: readonly number[]): Record<string, number[]>;
  findBroker(request: { readonly nodeId: string }): Promise<FetchBroker>;
}

interface FetchBroker {
  fetch(request: Record<string, unknown>): Promise<{
    readonly responses: readonly { readonly partitions: readonly { readonly highWatermark: string }[] }[];
  }>;
}

type BatchClass = new (topic: string, fetchedOffset: string, partition: object) => FetchedBatch;
type ClusterMaker = (options: { readonly allowAutoTopicCreation: boolean; readonly isolationLevel: number }) => Cluster;

const READ_COMMITTED = 1;
const LEADERS_TRIED = 20;
const require = createRequire(import.meta.url);

export function createTopicLog(deps: ConnectionDeps, options: TopicLogOptions): TopicLog {
  const { brokers } = options;
  const maxBytes = options.fetchMaxBytes ?? FETCH_MAX_BYTES;
  let opened: Promise<{ readonly admin: Admin; readonly cluster: Cluster; readonly Batch: BatchClass }> | undefined;

  async function open() {
    checkClient({ version: installedClientVersion(), debugProtocolBuffers: options.debugProtocolBuffers ?? false });
    installCodecs();
    installFetch();
    const kafka = createKafkaClient(options, deps.telemetry);
    const admin = await reach(deps, options, kafka);
    const cluster = clusterOf(kafka);
    await cluster.connect();
    return { admin, cluster, Batch: require('kafkajs/src/consumer/batch') as BatchClass };
  }

  async function asked<T>(topic: string, doing: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (thrown) {
      throw isTopicMissing(thrown) ? topicMissing(topic, brokers, thrown) : translate(thrown, doing, brokers);
    }
  }

  async function extentsOf(topic: string): Promise<readonly Extent[]> {
    opened ??= open();
    const { admin } = await opened;
    const found = await asked(topic, `find the ends of topic "${topic}"`, () => admin.fetchTopicOffsets(topic));
    const extents: Extent[] = [];
    for (const { partition, low, high } of found) extents[partition] = { start: Number(low), end: Number(high) };
    return extents;
  }

  /** One fetch from the leader; leaders that have moved are looked up again. Undefined where the offset is gone. */
  async function fetch(topic: string, partition: number, offset: number): Promise<FetchedBatch | undefined> {
    opened ??= open();
    const { cluster, Batch } = await opened;
    await cluster.addTargetTopic(topic);
    for (let attempt = 1; ; attempt++) {
      try {
        const [nodeId] = Object.keys(cluster.findLeaderForPartitions(topic, [partition]));
        const broker = await cluster.findBroker({ nodeId });
        const { responses } = await broker.fetch({
          replicaId: -1,
          isolationLevel: READ_COMMITTED,
          maxWaitTime: 100,
          minBytes: 1,
          maxBytes,
          topics: [{ topic, partitions: [{ partition, fetchOffset: String(offset), maxBytes }] }],
        });
        return new Batch(topic, String(offset), responses[0].partitions[0]);
      } catch (thrown) {
        if (kafkaType(thrown) === 'OFFSET_OUT_OF_RANGE') return undefined;
        const error = translate(thrown, `read ${topic}/${partition} at offset ${offset}`, brokers);
        if (error.disposition !== 'retry' || attempt === LEADERS_TRIED) throw thrown;
        deps.telemetry.counter('sluice_retries_total', { what: 'kafka-read', reason: error.code }).add(1);
        await pause(deps.clock, 100);
        await cluster.refreshMetadata();
      }
    }
  }

  return {
    extents: extentsOf,

    async offsetsAt(topic, timestampMs) {
      opened ??= open();
      const { admin } = await opened;
      const found = await asked(topic, `find offsets of topic "${topic}" by time`, () =>
        admin.fetchTopicOffsetsByTimestamp(topic, timestampMs),
      );
      const offsets: number[] = [];
      for (const { partition, offset } of found) offsets[partition] = Number(offset);
      return offsets;
    },

    async topics() {
      opened ??= open();
      const { admin } = await opened;
      const names = await asked('', 'list the topics', () => admin.listTopics());
      return names.filter((name) => !name.startsWith('__')).sort();
    },

    async read(topic, partition, { from, to }, visit) {
      let offset = from;
      while (offset < to) {
        const batch = await asked(topic, `read ${topic}/${partition}`, () => fetch(topic, partition, offset));
        if (batch === undefined) {
          // Retention, or a purge, was faster: what is left begins later. Or the topic is another one by now.
          const start = (await extentsOf(topic))[partition]?.start ?? to;
          offset = start > offset ? start : to;
          continue;
        }
        for (const message of batch.messages) {
          if (Number(message.offset) >= to) return to;
          const record = recordOf(partition, message);
          const goesOn = visit(record);
          // Most visits wait for nothing: a promise each would cost more than the visit.
          if (!(typeof goesOn === 'boolean' ? goesOn : await goesOn)) return record.offset + 1;
        }
        // Below the end there is always something to fetch, unless an open transaction holds it back.
        if (batch.rawMessages.length === 0) return offset;
        offset = Math.max(offset + 1, endOf(batch));
      }
      return to;
    },

    async truncate(topic, partition, offset) {
      opened ??= open();
      const { admin } = await opened;
      // The client deletes only where it has looked at the topic before.
      await extentsOf(topic);
      await asked(topic, `delete ${topic}/${partition} before offset ${offset}`, () =>
        admin.deleteTopicRecords({ topic, partitions: [{ partition, offset: String(offset) }] }),
      );
    },

    async close() {
      if (opened === undefined) return;
      const { admin, cluster } = await opened;
      await Promise.all([admin.disconnect(), cluster.disconnect()]);
    },
  };
}

function recordOf(partition: number, message: FetchedMessage): LogRecord {
  const { offset, timestamp, key, value, headerBlock, unread } = message;
  return {
    partition,
    offset: Number(offset),
    timestampMs: Number(timestamp),
    key,
    value,
    // The block has them in their order; message sets of old brokers have none.
    headers: headerBlock ? decodeHeaders(headerBlock) : headersOf(message.headers),
    ...(unread !== undefined && { unread: unread.why }),
  };
}

/** The client keeps the maker of its clusters under a symbol. */
function clusterOf(kafka: Kafka): Cluster {
  const found = Object.getOwnPropertySymbols(kafka).find(
    (symbol) => symbol.description === 'private:Kafka:createCluster',
  );
  const make = found && (kafka as unknown as Record<symbol, ClusterMaker>)[found];
  if (make === undefined) throw new SluiceError('client-unsupported', 'the Kafka client makes no cluster');
  return make({ allowAutoTopicCreation: false, isolationLevel: READ_COMMITTED });
}
