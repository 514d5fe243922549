/** Error codes of the Kafka protocol, and the structure common to most of its responses. */
import type { Call } from './server.ts';

// biome-ignore format: a table
export const ERROR = {
  none: 0, offsetOutOfRange: 1, corruptMessage: 2, unknownTopicOrPartition: 3, notLeaderOrFollower: 6,
  messageTooLarge: 10, notCoordinator: 16, invalidTopic: 17, invalidRequiredAcks: 21, illegalGeneration: 22,
  inconsistentGroupProtocol: 23, invalidGroupId: 24, unknownMemberId: 25, rebalanceInProgress: 27,
  unsupportedVersion: 35, topicAlreadyExists: 36, invalidPartitions: 37, invalidReplicationFactor: 38,
  invalidRequest: 42, outOfOrderSequence: 45, invalidProducerEpoch: 47, invalidTransactionState: 48,
  invalidProducerIdMapping: 49, invalidTransactionTimeout: 50, operationNotAttempted: 55, memberIdRequired: 79,
  invalidRecord: 87,
} as const;

/** Reads an array and writes one of the same length: most responses are built like their requests. */
export function mirror({ r, w }: Call, item: () => void): void {
  const items = Math.max(0, r.i32());
  w.i32(items);
  for (let i = 0; i < items; i++) item();
}

/** The same for topics and their partitions; writes each level's name or number first. */
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
