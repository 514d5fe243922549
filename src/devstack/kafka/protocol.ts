/** Error codes of the Kafka protocol, and what every handler of a call gets. */
import type { Cluster } from './cluster.ts';
import type { Reader, Writer } from './wire.ts';

// biome-ignore format: a table
export const ERROR = {
  none: 0, offsetOutOfRange: 1, corruptMessage: 2, unknownTopicOrPartition: 3, notLeaderOrFollower: 6,
  messageTooLarge: 10, notCoordinator: 16, invalidTopic: 17, invalidRequiredAcks: 21, illegalGeneration: 22,
  inconsistentGroupProtocol: 23, invalidGroupId: 24, unknownMemberId: 25, rebalanceInProgress: 27,
  unsupportedVersion: 35, topicAlreadyExists: 36, invalidPartitions: 37, invalidReplicationFactor: 38,
  invalidRequest: 42, outOfOrderSequence: 45, invalidProducerEpoch: 47, nonEmptyGroup: 68, groupIdNotFound: 69,
  memberIdRequired: 79, invalidRecord: 87,
} as const;

/** One request on its way through a handler, which reads as much of `r` as it needs and writes the body to `w`. */
export type Call = {
  readonly apiKey: number;
  readonly version: number;
  readonly clientId: string;
  readonly nodeId: number;
  readonly r: Reader;
  readonly w: Writer;
  /** An error code to answer with instead of doing the work, or 0. */
  readonly fault: number;
  /** Set by the handler: there is no response to this call. */
  silent: boolean;
  /** Set by the handler while it waits: the client has gone. */
  onGone: (() => void) | null;
};
export type Handler = (call: Call, cluster: Cluster) => void | Promise<void>;

/** Reads an array and writes one of the same length: most responses are built like their requests. */
export function mirror({ r, w }: Call, item: () => void): void {
  const items = Math.max(0, r.count());
  w.i32(items);
  for (let i = 0; i < items; i++) item();
}

/** The same for topics and their partitions, each level written under its name or number. */
export function mirrorPartitions(call: Call, item: (topic: string, partition: number) => void): void {
  const { r, w } = call;
  mirror(call, () => {
    const topic = r.str();
    w.str(topic);
    mirror(call, () => {
      const partition = r.i32();
      w.i32(partition);
      item(topic, partition);
    });
  });
}
