/**
 * The client's types as far as the peer uses them, because this repository's types are also checked where the client is not installed.
 * Where it is installed, these still replace its own; they were compared with those of the version in package.json.
 */
declare module '@platformatic/kafka' {
  interface Base {
    readonly clientId: string;
    readonly bootstrapBrokers: string[];
    readonly timeout?: number;
    readonly metadataMaxAge?: number;
  }

  interface Message {
    readonly topic: string;
    readonly partition: number;
    readonly key?: Buffer;
    readonly value?: Buffer;
    readonly headers: Map<Buffer, Buffer>;
  }

  interface Position {
    readonly topic: string;
    readonly partition: number;
    readonly offset: bigint;
    readonly leaderEpoch: number;
  }

  interface Wanted {
    readonly partition: number;
    readonly fetchOffset: bigint;
    readonly partitionMaxBytes: number;
    readonly currentLeaderEpoch: number;
    readonly lastFetchedEpoch: number;
  }

  interface RecordsBatch {
    readonly firstOffset: bigint;
    readonly attributes: number;
    readonly lastOffsetDelta: number;
    readonly records: readonly {
      readonly offsetDelta: number;
      readonly key: Buffer | null;
      readonly value: Buffer | null;
    }[];
  }

  interface FetchedPartition {
    readonly partitionIndex: number;
    readonly records?: readonly RecordsBatch[] | null;
  }

  export class Consumer {
    readonly topics: { track(topic: string): boolean };
    readonly assignments: readonly { readonly topic: string; readonly partitions: number[] }[] | null;
    constructor(options: Base & { groupId: string });
    on(event: 'consumer:group:rebalance', listener: () => void): this;
    joinGroup(): Promise<string>;
    metadata(options: { topics: string[] }): Promise<{
      readonly topics: ReadonlyMap<string, { readonly id: string; readonly partitions: readonly { leader: number }[] }>;
    }>;
    listOffsets(options: { topics: string[]; timestamp: bigint }): Promise<ReadonlyMap<string, readonly bigint[]>>;
    listCommittedOffsets(options: {
      topics: { topic: string; partitions: number[] }[];
    }): Promise<ReadonlyMap<string, readonly bigint[]>>;
    fetch(options: {
      node: number;
      topics: { topicId: string; partitions: Wanted[] }[];
      minBytes: number;
      maxBytes: number;
      maxWaitTime: number;
    }): Promise<{ readonly responses: readonly { readonly partitions: readonly FetchedPartition[] }[] }>;
    commit(options: { offsets: Position[] }): Promise<void>;
    close(force: boolean): Promise<void>;
  }

  export class Producer {
    constructor(options: Base & { idempotent: boolean });
    initIdempotentProducer(options: object): Promise<unknown>;
    send(options: { messages: Message[]; acks: number }): Promise<unknown>;
    close(): Promise<void>;
  }

  export const ListOffsetTimestamps: { readonly EARLIEST: bigint };
  export const ProduceAcks: { readonly ALL: number };
}
