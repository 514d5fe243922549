import { createRequire } from 'node:module';
import type { PartitionAssigner } from 'kafkajs';
import { SluiceError } from '../../../kernel/errors.ts';
import type { RecordRange } from '../../../kernel/record-columns.ts';

/**
 * The non-public parts of kafkajs 2.2.4 that are used here, and the one hook put into them.
 *
 * Promise: nothing is touched unless the installed version is exactly the one from which these types were taken. Readers and group
 * members refuse any other version; writers then use only the public interface (`producerPath`).
 * Limit: the hook sits on a shared prototype; consumers that did not register are passed through unchanged.
 */
export const SUPPORTED_CLIENT = '2.2.4';

/** kafkajs' OffsetManager: one a generation, bound to the member id and generation it was made for. */
export interface OffsetManager {
  coordinator: Coordinator;
  commitOffsets(offsets: { readonly topics: readonly CommitTopic[] }): Promise<void>;
  /** Sets the next fetch to `offset` + 1. */
  resolveOffset(at: { readonly topic: string; readonly partition: number; readonly offset: string }): void;
  /** Where the first fetch of a partition begins; partitions without an entry are not fetched. */
  committedOffsets(): Record<string, Record<number, string>>;
}

export interface CommitTopic {
  readonly topic: string;
  readonly partitions: readonly {
    readonly partition: number;
    readonly offset: string;
    /** Stored with the offset and returned with it; brokers accept up to 4 KiB by default. */
    readonly metadata?: string;
  }[];
}

export interface Coordinator {
  readonly nodeId: number;
  offsetFetch(request: {
    readonly groupId: string;
    readonly topics: readonly {
      readonly topic: string;
      readonly partitions: readonly { readonly partition: number }[];
    }[];
  }): Promise<{ readonly responses: readonly TopicOffsets[] }>;
}

export interface TopicOffsets {
  readonly topic: string;
  readonly partitions: readonly {
    readonly partition: number;
    readonly offset: string;
    readonly metadata?: string | null;
  }[];
}

export interface FetchBroker {
  fetch(request: Record<string, unknown>): Promise<unknown>;
  /** Rejects when one of the topics is unknown or has a partition without a leader. */
  metadata(topics: readonly string[]): Promise<unknown>;
}

export interface Cluster {
  findGroupCoordinator(request: { readonly groupId: string }): Promise<Coordinator>;
  getNodeIds(): readonly string[];
  findBroker(request: { readonly nodeId: string | number }): Promise<FetchBroker>;
  refreshMetadata(): Promise<void>;
  fetchTopicsOffset(
    topics: readonly {
      readonly topic: string;
      readonly partitions: readonly { readonly partition: number }[];
      readonly fromBeginning: boolean;
    }[],
  ): Promise<readonly TopicOffsets[]>;
}

/** What the records of a batch share. The client looks at producer and transaction. */
export interface BatchContext {
  readonly firstOffset: string;
  readonly lastOffsetDelta: number;
  readonly firstTimestamp?: number;
  /** The broker's timestamp for the records; undefined if the producer sets the timestamps. */
  readonly appendedAt?: string | undefined;
  readonly producerId?: string;
  readonly inTransaction?: boolean;
  readonly isControlBatch?: boolean;
}

/** Why a message comes without its content. */
export interface Unread {
  readonly why: 'too-large' | 'batch-unreadable';
  /** Completes "the record batch at … ". */
  readonly text: string;
  /** As far as it is known. */
  readonly bytes: number;
}

/** One record; or, with `records`, all those of a record batch: then key, value and headers are there, and `offset` is the last one's. */
export interface FetchedMessage {
  readonly offset: string;
  readonly timestamp: string;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers?: Readonly<Record<string, unknown>>;
  /** The headers as they lie in the batch, null for none; undefined where only `headers` has them. */
  readonly headerBlock?: Buffer | null;
  readonly isControlRecord?: boolean;
  readonly batchContext?: BatchContext;
  readonly records?: RecordRange;
  /** Set if key, value and headers were dropped: the reason. */
  readonly unread?: Unread;
}

/** What one fetch brought for one partition. */
export interface FetchedBatch {
  readonly topic: string;
  readonly partition: number;
  readonly fetchedOffset: string;
  readonly highWatermark: string;
  readonly rawMessages: readonly FetchedMessage[];
  readonly messages: readonly FetchedMessage[];
  lastOffset(): string;
}

export interface ConsumerGroup {
  readonly cluster: Cluster;
  readonly groupId: string;
  memberId: string | null;
  generationId: number | null;
  coordinator: Coordinator;
  /** When the last heartbeat was answered, wall ms. */
  readonly lastRequest: number;
  readonly offsetManager: OffsetManager;
  /** Partitions of each subscribed topic, as known at the last join. */
  readonly partitionsPerSubscribedTopic: ReadonlyMap<string, readonly number[]> | null;
  assigned(): readonly { readonly topic: string; readonly partitions: readonly number[] }[];
  joinAndSync(): Promise<void>;
  leave(): Promise<void>;
  heartbeat(options: { readonly interval: number }): Promise<void>;
  fetch(nodeId: string): Promise<FetchedBatch[]>;
  recoverFromFetch(error: unknown): Promise<void>;
  recoverFromOffsetOutOfRange(error: { readonly topic: string; readonly partition: number }): Promise<void>;
}

/** Called in place of every (re-)join of a group; `join` is the client's own. */
export type JoinHook = (group: ConsumerGroup, join: () => Promise<void>) => Promise<void>;

const require = createRequire(import.meta.url);
const hooks = new WeakMap<Cluster, JoinHook>();
let installed = false;

/** Throws `client-unsupported` unless the client is the one that was read, and does not write payloads to its log. */
export function checkClient(client: { readonly version: string; readonly debugProtocolBuffers: boolean }): void {
  if (client.version !== SUPPORTED_CLIENT) {
    throw new SluiceError(
      'client-unsupported',
      `kafkajs ${client.version} is installed, but what joins groups, commits and reads was written for ${SUPPORTED_CLIENT} only, and might lose records with another one: install exactly kafkajs@${SUPPORTED_CLIENT}`,
    );
  }
  // KAFKAJS_DEBUG_PROTOCOL_BUFFERS → the client logs whole payloads → they end up wherever logs do → refuse.
  if (client.debugProtocolBuffers) {
    throw new SluiceError(
      'client-unsupported',
      'KAFKAJS_DEBUG_PROTOCOL_BUFFERS is set, with which the Kafka client writes record payloads to its log: unset it',
    );
  }
}

/** `columnar`: our own producer, on non-public parts of the client. `stock`: the client's own producer. */
export type ProducerPath = 'columnar' | 'stock';

/**
 * Which producer goes with the client that is installed. Throws `client-unsupported` where it writes payloads to its log.
 *
 * The client's own producer is used only through its public interface, and each acknowledgement is compared with what was sent, so
 * another version costs time and headers, but no records. So it is used, and reported (`onOther`).
 */
export function producerPath(
  client: { readonly version: string; readonly debugProtocolBuffers: boolean; readonly stock: boolean },
  onOther: () => void,
): ProducerPath {
  const isKnown = client.version === SUPPORTED_CLIENT;
  checkClient({ ...client, version: SUPPORTED_CLIENT });
  if (!isKnown) onOther();
  return isKnown && !client.stock ? 'columnar' : 'stock';
}

export function installedClientVersion(): string {
  return (require('kafkajs/package.json') as { version: string }).version;
}

/**
 * Registers `hook` for the consumer that is made with the returned assigner: an assigner is the one place where
 * the client hands out the cluster object that its consumer groups (a new one after each crash) keep. `onCluster` is given it.
 */
export function hookJoins(
  roundRobin: PartitionAssigner,
  hook: JoinHook,
  onCluster: (cluster: Cluster) => void = () => undefined,
): PartitionAssigner {
  install();
  return (config) => {
    const { cluster } = config as unknown as { cluster: Cluster };
    hooks.set(cluster, hook);
    onCluster(cluster);
    return roundRobin(config);
  };
}

function install(): void {
  if (installed) return;
  installed = true;
  const { prototype } = require('kafkajs/src/consumer/consumerGroup') as { prototype: ConsumerGroup };
  const join = prototype.joinAndSync;
  prototype.joinAndSync = function (this: ConsumerGroup): Promise<void> {
    const hook = hooks.get(this.cluster);
    return hook === undefined ? join.call(this) : hook(this, () => join.call(this));
  };
}
