/** State shared by all nodes: topics with their leaders, groups with their coordinators, and counters for new ids. */
import { crc32c } from './crc32c.ts';
import { Group } from './group.ts';
import { PartitionLog } from './partition-log.ts';
import { ERROR } from './protocol.ts';
import type { After, Call, Server } from './server.ts';
import { Transactions } from './transactions.ts';

export type Topic = { readonly partitions: readonly PartitionLog[]; readonly configs: ReadonlyMap<string, string> };
export type ClusterOptions = {
  /** Largest record batch, unless the topic sets its own `max.message.bytes`. */
  readonly maxMessageBytes: number;
  readonly after: After;
  /** Keys of calls that are not announced, to imitate an older broker. */
  readonly without: readonly number[];
};

export class Cluster {
  readonly options: ClusterOptions;
  /** In the order in which partitions are spread over them. */
  readonly nodes: Server[] = [];
  readonly topics = new Map<string, Topic>();
  readonly groups = new Map<string, Group>();
  readonly transactions: Transactions;
  nextProducerId = 1000;
  /** Called when the answer to a waiting fetch may have changed. */
  readonly watchers = new Set<() => void>();
  readonly #coordinators = new Map<string, number>();

  constructor(options: ClusterOptions) {
    this.options = options;
    this.transactions = new Transactions(options.after, () => this.nextProducerId++);
  }

  createTopic(name: string, partitions: number, configs: ReadonlyMap<string, string> = new Map()): number {
    if (!/^(?!\.\.?$)[\w.-]{1,249}$/.test(name)) return ERROR.invalidTopic;
    if (this.topics.has(name)) return ERROR.topicAlreadyExists;
    if (!(partitions > 0)) return ERROR.invalidPartitions;
    const logs = Array.from({ length: partitions }, (_, i) => {
      return new PartitionLog(this.nodes[i % this.nodes.length].id, this.changed);
    });
    this.topics.set(name, { partitions: logs, configs });
    return ERROR.none;
  }

  deleteTopic(name: string): number {
    const existed = this.topics.delete(name);
    this.changed();
    return existed ? ERROR.none : ERROR.unknownTopicOrPartition;
  }

  readonly changed = (): void => {
    for (const look of this.watchers) look();
  };

  /** The log, if the called node leads it; otherwise the error code. */
  led(call: Call, topic: string, partition: number): PartitionLog | number {
    if (call.fault !== ERROR.none) return call.fault;
    const log = this.topics.get(topic)?.partitions[partition];
    if (!log) return ERROR.unknownTopicOrPartition;
    return log.leaderId === call.nodeId ? log : ERROR.notLeaderOrFollower;
  }

  /** For a group or a transactional id. */
  coordinatorOf(name: string): Server {
    const index = crc32c(Buffer.from(name)) % this.nodes.length;
    return this.nodes.find(({ id }) => id === this.#coordinators.get(name)) ?? this.nodes[index];
  }

  moveCoordinator(name: string, nodeId: number): void {
    this.#coordinators.set(name, nodeId);
    this.groups.get(name)?.sendAway(ERROR.notCoordinator);
  }

  /** Why this node does not act as coordinator for this name: an injected error, or another node is the coordinator; 0 if it does. */
  refusal(call: Call, name: string): number {
    if (call.fault !== ERROR.none) return call.fault;
    return this.coordinatorOf(name).id === call.nodeId ? ERROR.none : ERROR.notCoordinator;
  }

  /** The group, or an error code. */
  coordinated(call: Call, groupId: string): Group | number {
    if (call.fault !== ERROR.none) return call.fault;
    if (groupId === '') return ERROR.invalidGroupId;
    return this.refusal(call, groupId) || this.group(groupId);
  }

  /** Created if necessary. */
  group(groupId: string): Group {
    const group = this.groups.get(groupId) ?? new Group(this.options.after);
    this.groups.set(groupId, group);
    return group;
  }
}
