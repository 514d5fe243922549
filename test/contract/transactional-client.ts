/** The requests of transactions one by one, as the stock client writes them on the wire; errors are names of the protocol. */
import { setTimeout as pause } from 'node:timers/promises';
import { openReader, stockCluster } from '../faults/read.ts';

/** One epoch of one transactional id. */
export interface Epoch {
  readonly transactionalId: string;
  readonly producerId: string;
  readonly producerEpoch: number;
}

export interface TransactionalClient {
  begin(transactionalId: string, timeoutMs?: number): Promise<Epoch>;
  addPartitions(epoch: Epoch, topic: string, partitions: readonly number[]): Promise<void>;
  addOffsets(epoch: Epoch, groupId: string): Promise<void>;
  /** Appends the values, the first with this sequence. */
  write(epoch: Epoch, to: Place, sequence: number, values: readonly string[]): Promise<void>;
  /** The same producer, outside of a transaction. */
  writePlain(epoch: Epoch, to: Place, sequence: number, values: readonly string[]): Promise<void>;
  commitOffset(epoch: Epoch, groupId: string, of: Place, offset: number): Promise<void>;
  end(epoch: Epoch, outcome: 'commit' | 'abort'): Promise<void>;
  /** What a request is answered with: the name of its error, or none. */
  answer(request: Promise<unknown>): Promise<string>;
  /** By itself, in no transaction and by no member. */
  commitPlain(groupId: string, of: Place, offset: number): Promise<void>;
  committed(groupId: string, topic: string): Promise<number>;
  /** Ends of partition 0, for readers of everything and for those of committed records. */
  ends(topic: string): Promise<readonly [number, number]>;
  /** What readers of committed records find in partition 0. */
  values(topic: string): Promise<string[]>;
  close(): Promise<void>;
}

export interface Place {
  readonly topic: string;
  readonly partition: number;
}

interface Answers {
  readonly responses: readonly { readonly partitions: readonly { readonly offset: string }[] }[];
}
type Requests = Record<
  'addPartitionsToTxn' | 'addOffsetsToTxn' | 'txnOffsetCommit' | 'endTxn' | 'produce' | 'offsetCommit',
  (request: object) => Promise<unknown>
> &
  Record<'listOffsets' | 'offsetFetch', (request: object) => Promise<Answers>> & {
    initProducerId(request: object): Promise<{ producerId: string; producerEpoch: number }>;
  };
interface Cluster {
  connect(): Promise<void>;
  disconnect(): Promise<void>;
  refreshMetadata(): Promise<void>;
  addTargetTopic(topic: string): Promise<void>;
  findTopicPartitionMetadata(topic: string): readonly { readonly partitionId: number; readonly leader: number }[];
  findBroker(request: { readonly nodeId: number }): Promise<Requests>;
  findGroupCoordinator(request: { groupId: string; coordinatorType: number }): Promise<Requests>;
}

const GROUP = 0;
const TRANSACTION = 1;
const LATEST = -1;
const BUSY_MS = 20;
/** By the client's names. */
const NOT_YET: ReadonlySet<string> = new Set([
  'CONCURRENT_TRANSACTIONS',
  'GROUP_COORDINATOR_NOT_AVAILABLE',
  'GROUP_LOAD_IN_PROGRESS',
  'NOT_COORDINATOR_FOR_GROUP',
  'NOT_LEADER_FOR_PARTITION',
]);

export async function openTransactionalClient(brokers: string): Promise<TransactionalClient> {
  const cluster = stockCluster(brokers) as unknown as Cluster;
  await cluster.connect();
  /** To who is said to be in charge, over and over while that one has only begun to be, or is at the transaction before. */
  async function ask<T>(find: () => Promise<Requests>, request: (broker: Requests) => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await request(await find());
      } catch (thrown) {
        if (!NOT_YET.has(nameOf(thrown))) throw thrown;
        await pause(BUSY_MS);
        await cluster.refreshMetadata();
      }
    }
  }
  const coordinated = <T>(transactionalId: string, request: (broker: Requests) => Promise<T>): Promise<T> =>
    ask(() => cluster.findGroupCoordinator({ groupId: transactionalId, coordinatorType: TRANSACTION }), request);
  const ofGroup = <T>(groupId: string, request: (broker: Requests) => Promise<T>): Promise<T> =>
    ask(() => cluster.findGroupCoordinator({ groupId, coordinatorType: GROUP }), request);
  const led = <T>({ topic, partition }: Place, request: (broker: Requests) => Promise<T>): Promise<T> =>
    ask(async () => {
      await cluster.addTargetTopic(topic);
      const found = cluster.findTopicPartitionMetadata(topic).find(({ partitionId }) => partitionId === partition);
      return cluster.findBroker({ nodeId: found?.leader ?? -1 });
    }, request);

  async function append(
    { producerId, producerEpoch }: Epoch,
    transactionalId: string | null,
    to: Place,
    firstSequence: number,
    values: readonly string[],
  ): Promise<void> {
    const messages = values.map((value) => ({ key: null, value, headers: {}, timestamp: Date.now() }));
    const topicData = [{ topic: to.topic, partitions: [{ partition: to.partition, firstSequence, messages }] }];
    const request = { transactionalId: transactionalId ?? undefined, producerId, producerEpoch, topicData };
    await led(to, (broker) => broker.produce(request));
  }

  return {
    begin: (transactionalId, transactionTimeout = 60_000) =>
      coordinated(transactionalId, async (broker) => {
        const { producerId, producerEpoch } = await broker.initProducerId({ transactionalId, transactionTimeout });
        return { transactionalId, producerId, producerEpoch };
      }),
    addPartitions: async (epoch, topic, partitions) => {
      await coordinated(epoch.transactionalId, (broker) =>
        broker.addPartitionsToTxn({ ...epoch, topics: [{ topic, partitions }] }),
      );
    },
    addOffsets: async (epoch, groupId) => {
      await coordinated(epoch.transactionalId, (broker) => broker.addOffsetsToTxn({ ...epoch, groupId }));
    },
    write: (epoch, to, sequence, values) => append(epoch, epoch.transactionalId, to, sequence, values),
    writePlain: (epoch, to, sequence, values) => append(epoch, null, to, sequence, values),
    async commitOffset(epoch, groupId, { topic, partition }, offset) {
      const topics = [{ topic, partitions: [{ partition, offset: String(offset), metadata: null }] }];
      await ofGroup(groupId, (broker) => broker.txnOffsetCommit({ ...epoch, groupId, topics }));
    },
    end: async (epoch, outcome) => {
      const transactionResult = outcome === 'commit';
      await coordinated(epoch.transactionalId, (broker) => broker.endTxn({ ...epoch, transactionResult }));
    },
    answer: (request) => request.then(() => 'none', nameOf),
    async commitPlain(groupId, { topic, partition }, offset) {
      const topics = [{ topic, partitions: [{ partition, offset: String(offset), metadata: null }] }];
      const request = { groupId, groupGenerationId: -1, memberId: '', topics };
      await ofGroup(groupId, (broker) => broker.offsetCommit(request));
    },
    async committed(groupId, topic) {
      const request = { groupId, topics: [{ topic, partitions: [{ partition: 0 }] }] };
      const { responses } = await ofGroup(groupId, (broker) => broker.offsetFetch(request));
      return Number(responses[0].partitions[0].offset);
    },
    async ends(topic) {
      const topics = [{ topic, partitions: [{ partition: 0, timestamp: LATEST }] }];
      const at = { topic, partition: 0 };
      const end = async (isolationLevel: number): Promise<number> => {
        const { responses } = await led(at, (broker) => broker.listOffsets({ replicaId: -1, isolationLevel, topics }));
        return Number(responses[0].partitions[0].offset);
      };
      return [await end(0), await end(1)];
    },
    async values(topic) {
      const reader = openReader(brokers, { isolation: 'committed' });
      try {
        return (await reader.readOn(topic)).map(({ value }) => String(value));
      } finally {
        await reader.close();
      }
    },
    close: () => cluster.disconnect(),
  };
}

function nameOf(thrown: unknown): string {
  const { type, cause } = thrown as { type?: string; cause?: unknown };
  return type ?? (cause === undefined ? String(thrown) : nameOf(cause));
}
