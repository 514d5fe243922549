import { createRequire } from 'node:module';
import type { Admin, Kafka } from 'kafkajs';
import { pause } from '../../../kernel/clock.ts';
import { SluiceError } from '../../../kernel/errors.ts';
import type { Extent } from '../../../ports/topic-log.ts';
import { isTopicMissing, kafkaType, translate } from '../client/errors.ts';
import {
  checkClient,
  type FetchedBatch,
  type Cluster as GroupCluster,
  installedClientVersion,
} from '../client/internals.ts';
import { type ConnectionDeps, createKafkaClient, type KafkaConnection, reach, topicMissing } from '../connection.ts';
import { installCodecs } from '../record-batch/compression.ts';
import { FETCH_MAX_BYTES } from '../record-batch/read.ts';
import { installFetch, keepBatches } from './client-fetch.ts';

/**
 * Fetches without a group, over the client's own cluster object.
 *
 * The client reads only with a group → a look at a topic would create a group, wait for its members and leave it behind → fetches
 * are requested directly. The client's decoder and its filter of aborted transactions are replaced, as for the source
 * (client-fetch.ts). Limits: only committed records; if a leader moves between two fetches, it is looked up again.
 */
export interface LogReader {
  admin(): Promise<Admin>;
  /** Calls `work`, and translates what it throws. */
  asked<T>(topic: string, doing: string, work: () => Promise<T>): Promise<T>;
  extents(topic: string): Promise<readonly Extent[]>;
  /** One fetch from the leader of a partition; undefined if the offset is gone. */
  fetch(topic: string, partition: number, offset: number): Promise<FetchedBatch | undefined>;
  /** Requests in flight are answered or reject; later ones reject. Nothing connects again. */
  close(): Promise<void>;
}

export interface LogReaderOptions extends KafkaConnection {
  readonly fetchMaxBytes?: number;
  /** Whole batches come as columns, instead of one message per record. */
  readonly whole?: boolean;
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
const CLOSED = 'this reader of topics is closed, and reads no more';
const require = createRequire(import.meta.url);

export function createLogReader(deps: ConnectionDeps, options: LogReaderOptions): LogReader {
  const { brokers } = options;
  const maxBytes = options.fetchMaxBytes ?? FETCH_MAX_BYTES;
  const closing = new AbortController();
  let opened: Promise<{ readonly admin: Admin; readonly cluster: Cluster; readonly Batch: BatchClass }> | undefined;

  async function open() {
    checkClient({ version: installedClientVersion(), debugProtocolBuffers: options.debugProtocolBuffers ?? false });
    installCodecs();
    installFetch();
    const kafka = createKafkaClient(options, deps.telemetry, undefined, closing.signal);
    const admin = await reach({ ...deps, closing: closing.signal }, options, kafka);
    const cluster = clusterOf(kafka);
    if (options.whole) keepBatches(cluster as unknown as GroupCluster);
    try {
      await cluster.connect();
    } catch (thrown) {
      await Promise.allSettled([admin.disconnect(), cluster.disconnect()]);
      throw thrown;
    }
    return { admin, cluster, Batch: require('kafkajs/src/consumer/batch') as BatchClass };
  }

  const connected = () => {
    // A reader in the middle of a topic asks again without knowing the end.
    if (closing.signal.aborted) return Promise.reject(new SluiceError('broker-unavailable', CLOSED));
    // A rejected promise stays rejected (cause) → a retry would never connect (effect) → it is forgotten (guard).
    opened ??= open().catch((thrown) => {
      opened = undefined;
      throw thrown;
    });
    return opened;
  };

  async function asked<T>(topic: string, doing: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (thrown) {
      throw isTopicMissing(thrown) ? topicMissing(topic, brokers, thrown) : translate(thrown, doing, brokers);
    }
  }

  async function fetch(topic: string, partition: number, offset: number): Promise<FetchedBatch | undefined> {
    const { cluster, Batch } = await connected();
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
        if (closing.signal.aborted) throw thrown;
        const error = translate(thrown, `read ${topic}/${partition} at offset ${offset}`, brokers);
        if (error.disposition !== 'retry' || attempt === LEADERS_TRIED) throw thrown;
        deps.telemetry.counter('sluice_retries_total', { what: 'kafka-read', reason: error.code }).add(1);
        await pause(deps.clock, 100, closing.signal);
        if (closing.signal.aborted) throw thrown;
        await cluster.refreshMetadata();
      }
    }
  }

  return {
    admin: async () => (await connected()).admin,
    asked,
    async extents(topic) {
      const { admin } = await connected();
      const found = await asked(topic, `find the ends of topic "${topic}"`, () => admin.fetchTopicOffsets(topic));
      const extents: Extent[] = [];
      for (const { partition, low, high } of found) extents[partition] = { start: Number(low), end: Number(high) };
      return extents;
    },
    fetch: (topic, partition, offset) =>
      asked(topic, `read ${topic}/${partition}`, () => fetch(topic, partition, offset)),
    async close() {
      closing.abort();
      // A failed attempt has closed its connections, and the caller hears of the failure.
      const clients = await opened?.catch(() => undefined);
      if (clients !== undefined) await Promise.all([clients.admin.disconnect(), clients.cluster.disconnect()]);
    },
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
