/**
 * Reads topics, their bounds and a group's positions with the stock client's own fetch, without joining any group, as any
 * outsider would. It uses no code of Sluice, so it cannot repeat a mistake of Sluice.
 *
 * Promise: every call keeps trying while brokers restart and leaders and coordinators move, until `withinMs` is over, and
 * then says what it waited for. Limits: a topic of the auditor's own size fits into memory; codecs beyond gzip are not read.
 */
import { createRequire } from 'node:module';
import { setTimeout as pause } from 'node:timers/promises';
import { type IHeaders, logLevel } from 'kafkajs';
import { ended } from '../fixtures/until.ts';
import { type Fetched, visible } from './visible.ts';

const require = createRequire(import.meta.url);
const Cluster = require('kafkajs/src/cluster');
const { createLogger } = require('kafkajs/src/loggers');

/** Fault hooks leave this client's requests alone: the judge sees the real state. */
export const AUDITOR = 'auditor';

export interface Seen {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly timestampMs: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: IHeaders;
}

export interface Bounds {
  /** The first offset that still exists, and the one that the next record gets. */
  readonly low: number;
  readonly end: number;
}

export interface ReaderOptions {
  /** uncommitted (default): records of open and aborted transactions too. */
  readonly isolation?: 'committed' | 'uncommitted';
  /** For each call. */
  readonly withinMs?: number;
}

export interface TopicReader {
  /** By partition. */
  bounds(topic: string): Promise<Bounds[]>;
  /**
   * What was written since the last call, up to the ends that there are when it is called; from the first record at first.
   * Of one partition, where `only` names it: the others may have no leader.
   */
  readOn(topic: string, only?: number): Promise<Seen[]>;
  /** How many there are. */
  partitions(topic: string): Promise<number>;
  /** By partition; -1 where nothing is committed. */
  committed(group: string, topic: string): Promise<number[]>;
  /** Partitions whose end cannot be read because a transaction stays open: `topic/partition`. */
  readonly hanging: ReadonlySet<string>;
  close(): Promise<void>;
}

const AGAIN_MS = 100;
/** The client's own time-outs are below; a call that outlasts this never ends. */
const ATTEMPT_MS = 20_000;
const GOODBYE_MS = 2_000;
/** So many empty answers in front of the end, and what comes next is taken for a batch that compaction emptied. */
const EMPTY_ANSWERS = 30;

/** The stock client's view of a cluster, under everything that has a public name; not connected. */
export function stockCluster(brokers: string): Client {
  return new Cluster({
    logger: createLogger({ level: logLevel.NOTHING, logCreator: () => () => undefined }),
    socketFactory: require('kafkajs/src/network/socketFactory')(),
    brokers: () => brokers.split(','),
    clientId: AUDITOR,
    connectionTimeout: 1_000,
    requestTimeout: 5_000,
    enforceRequestTimeout: true,
    metadataMaxAge: 1_000,
    allowAutoTopicCreation: false,
    retry: { initialRetryTime: 50, maxRetryTime: 200, retries: 3 },
    isolationLevel: 0,
  });
}

export function openReader(brokers: string, options: ReaderOptions = {}): TopicReader {
  const { withinMs = 60_000 } = options;
  const isolationLevel = options.isolation === 'committed' ? 1 : 0;
  const positions = new Map<string, number[]>();
  const known = new Set<string>();
  const hanging = new Set<string>();
  let cluster: Client | undefined;

  async function connected(): Promise<Client> {
    if (cluster !== undefined) return cluster;
    const made = stockCluster(brokers);
    await made.connect();
    cluster = made;
    return made;
  }

  async function drop(): Promise<void> {
    const old = cluster;
    cluster = undefined;
    known.clear();
    // A failed disconnect from brokers that are gone does not matter.
    if (old !== undefined) await ended('disconnect', GOODBYE_MS, old.disconnect()).then(undefined, () => undefined);
  }

  async function persist<T>(what: string, work: (client: Client) => Promise<T>): Promise<T> {
    const deadlineMs = performance.now() + withinMs;
    for (let attempt = 1; ; attempt++) {
      try {
        return await ended(what, Math.min(withinMs, ATTEMPT_MS), connected().then(work));
      } catch (cause) {
        if (performance.now() > deadlineMs)
          throw new Error(`not within ${withinMs / 1000} s: ${what}: ${cause}`, { cause });
        if (attempt % 3 === 0) await drop();
        else await cluster?.refreshMetadata().then(undefined, drop);
        await pause(AGAIN_MS);
      }
    }
  }

  async function partitionsOf(client: Client, topic: string): Promise<number[]> {
    if (!known.has(topic)) {
      await client.addTargetTopic(topic);
      known.add(topic);
    } else await client.refreshMetadata();
    const found = client.findTopicPartitionMetadata(topic);
    if (found.length === 0) throw new Error(`topic ${topic} has no partitions`);
    return found.map(({ partitionId }) => partitionId).sort((a, b) => a - b);
  }

  async function boundsOf(client: Client, topic: string, only?: number): Promise<Bounds[]> {
    const partitions = (await partitionsOf(client, topic))
      .filter((partition) => only === undefined || partition === only)
      .map((partition) => ({ partition }));
    const ask = async (fromBeginning: boolean): Promise<Map<number, number>> => {
      const [found] = await client.fetchTopicsOffset([{ topic, partitions, fromBeginning }]);
      return new Map(found.partitions.map(({ partition, offset }) => [partition, Number(offset)]));
    };
    const [low, end] = [await ask(true), await ask(false)];
    return partitions.map(({ partition }) => ({ low: low.get(partition) ?? 0, end: end.get(partition) ?? 0 }));
  }

  /** One fetch of one partition; undefined when the position is no longer there. */
  async function fetchFrom(
    client: Client,
    topic: string,
    partition: number,
    from: number,
  ): Promise<Fetched | undefined> {
    const [leader] = Object.keys(client.findLeaderForPartitions(topic, [partition]));
    const broker = await client.findBroker({ nodeId: leader });
    try {
      const { responses } = await broker.fetch({
        replicaId: -1,
        isolationLevel,
        maxWaitTime: 50,
        minBytes: 1,
        maxBytes: 8 << 20,
        topics: [{ topic, partitions: [{ partition, fetchOffset: String(from), maxBytes: 8 << 20 }] }],
        rackId: '',
      });
      return responses[0].partitions[0];
    } catch (error) {
      if ((error as { type?: string }).type === 'OFFSET_OUT_OF_RANGE') return undefined;
      throw error;
    }
  }

  async function readPartition(topic: string, partition: number, end: number, into: Seen[]): Promise<void> {
    const at = positions.get(topic) as number[];
    let empty = 0;
    while (at[partition] < end) {
      const from = at[partition];
      const data = await persist(`records of ${topic}/${partition} from ${from} to ${end}`, async (client) => {
        if (!known.has(topic)) await partitionsOf(client, topic);
        return fetchFrom(client, topic, partition, from);
      });
      if (data === undefined) {
        const bounds = await persist(`bounds of ${topic}`, (client) => boundsOf(client, topic));
        // Recreated or cut off in front: what is left is what there is.
        if (bounds[partition].end < from) return;
        at[partition] = Math.max(from, bounds[partition].low);
        if (at[partition] === from) await pause(AGAIN_MS);
        continue;
      }
      for (const { offset, timestamp, key, value, headers = {} } of visible(data, from)) {
        into.push({
          topic,
          partition,
          offset: Number(offset),
          timestampMs: Number(timestamp),
          key,
          value,
          headers,
        });
      }
      let next = from;
      for (const { offset, batchContext } of data.messages) {
        next = Math.max(next, Number(offset) + 1);
        if (batchContext) next = Math.max(next, Number(batchContext.firstOffset) + batchContext.lastOffsetDelta + 1);
      }
      at[partition] = next;
      if (next > from) empty = 0;
      else if (isolationLevel === 1 && Number(data.lastStableOffset) <= from) {
        if (++empty < EMPTY_ANSWERS) continue;
        hanging.add(`${topic}/${partition}`);
        return;
      } else if (++empty > EMPTY_ANSWERS) at[partition]++;
    }
    hanging.delete(`${topic}/${partition}`);
  }

  return {
    hanging,
    bounds: (topic) => persist(`bounds of ${topic}`, (client) => boundsOf(client, topic)),

    async readOn(topic, only) {
      const bounds = await persist(`bounds of ${topic}`, (client) => boundsOf(client, topic, only));
      const at = positions.get(topic) ?? [];
      const before = [...at];
      positions.set(topic, at);
      const found: Seen[] = [];
      const readings = await Promise.allSettled(
        bounds.map(({ low, end }, index) => {
          const partition = only ?? index;
          at[partition] = Math.max(at[partition] ?? 0, low);
          return readPartition(topic, partition, end, found);
        }),
      );
      const failed = readings.find((reading) => reading.status === 'rejected');
      if (failed === undefined) return found;
      // A failure discards what the other partitions returned → those records would never be seen → all are read again.
      positions.set(topic, before);
      throw failed.reason;
    },

    partitions: (topic) =>
      persist(`partitions of ${topic}`, async (client) => (await partitionsOf(client, topic)).length),

    committed: (group, topic) =>
      persist(`positions of group ${group}`, async (client) => {
        const partitions = (await partitionsOf(client, topic)).map((partition) => ({ partition }));
        const coordinator = await client.findGroupCoordinator({ groupId: group });
        const { responses } = await coordinator.offsetFetch({ groupId: group, topics: [{ topic, partitions }] });
        const offsets = partitions.map(() => -1);
        for (const { partition, offset } of responses[0].partitions) offsets[partition] = Number(offset);
        return offsets;
      }),

    close: drop,
  };
}

/** The parts of the stock client that have no public name, as far as they are used here. */
export interface Client {
  connect(): Promise<void>;
  disconnect(): Promise<void>;
  refreshMetadata(): Promise<void>;
  addTargetTopic(topic: string): Promise<void>;
  findTopicPartitionMetadata(topic: string): { partitionId: number }[];
  findLeaderForPartitions(topic: string, partitions: number[]): Record<string, number[]>;
  findBroker(request: { nodeId: string }): Promise<{
    fetch(request: object): Promise<{ responses: { partitions: Fetched[] }[] }>;
  }>;
  fetchTopicsOffset(request: object[]): Promise<{ partitions: { partition: number; offset: string }[] }[]>;
  findGroupCoordinator(request: { groupId: string }): Promise<{
    offsetCommit(request: object): Promise<unknown>;
    offsetFetch(request: object): Promise<{ responses: { partitions: { partition: number; offset: string }[] }[] }>;
  }>;
}
