/** What all nodes share: topics with their leaders, groups with their coordinators, the numbers handed out. */
import { type After, Group } from './group.ts';
import { PartitionLog } from './partition-log.ts';
import { type Call, ERROR } from './protocol.ts';

export type Node = { readonly id: number; readonly host: string; readonly port: number };
export type Topic = { readonly partitions: PartitionLog[]; readonly configs: ReadonlyMap<string, string> };
export type ClusterOptions = {
  /** Largest record batch, unless the topic has its own `max.message.bytes`. */
  readonly maxMessageBytes: number;
  /** Above this a partition forgets its oldest records. */
  readonly retentionBytes: number;
  readonly autoCreateTopics: boolean;
  readonly after: After;
  readonly newId: () => string;
};

export class Cluster {
  readonly options: ClusterOptions;
  /** In the order in which partitions are spread over them. */
  readonly nodes: Node[] = [];
  readonly topics = new Map<string, Topic>();
  readonly groups = new Map<string, Group>();
  nextProducerId = 1000;
  readonly #coordinators = new Map<string, number>();

  constructor(options: ClusterOptions) {
    this.options = options;
  }

  createTopic(name: string, partitions: number, configs: ReadonlyMap<string, string> = new Map()): number {
    if (!/^(?!\.\.?$)[\w.-]{1,249}$/.test(name)) return ERROR.invalidTopic;
    if (this.topics.has(name)) return ERROR.topicAlreadyExists;
    if (!(partitions > 0)) return ERROR.invalidPartitions;
    this.topics.set(name, { partitions: [], configs });
    return this.growTopic(name, partitions);
  }

  growTopic(name: string, count: number): number {
    const partitions = this.topics.get(name)?.partitions;
    if (!partitions) return ERROR.unknownTopicOrPartition;
    if (count <= partitions.length) return ERROR.invalidPartitions;
    while (partitions.length < count) {
      const leader = this.nodes[partitions.length % this.nodes.length];
      partitions.push(new PartitionLog(leader.id, this.options.retentionBytes));
    }
    return ERROR.none;
  }

  deleteTopic(name: string): number {
    const topic = this.topics.get(name);
    if (!topic) return ERROR.unknownTopicOrPartition;
    this.topics.delete(name);
    for (const log of topic.partitions) log.wake();
    return ERROR.none;
  }

  /** The log, if the node that was asked leads it; else the error code. */
  led(call: Call, topic: string, partition: number): PartitionLog | number {
    if (call.fault !== ERROR.none) return call.fault;
    const log = this.topics.get(topic)?.partitions[partition];
    if (!log) return ERROR.unknownTopicOrPartition;
    return log.leaderId === call.nodeId ? log : ERROR.notLeaderOrFollower;
  }

  coordinatorOf(groupId: string): Node {
    let hash = 0;
    for (let i = 0; i < groupId.length; i++) hash = (31 * hash + groupId.charCodeAt(i)) >>> 0;
    const id = this.#coordinators.get(groupId);
    return this.nodes.find((node) => node.id === id) ?? this.nodes[hash % this.nodes.length];
  }

  moveCoordinator(groupId: string, nodeId: number): void {
    this.#coordinators.set(groupId, nodeId);
    this.groups.get(groupId)?.sendAway(ERROR.notCoordinator);
  }

  /** The error code for a call about a group: an injected one, or that this node does not coordinate it. */
  groupError(call: Call, groupId: string): number {
    if (call.fault !== ERROR.none) return call.fault;
    if (groupId === '') return ERROR.invalidGroupId;
    return this.coordinatorOf(groupId).id === call.nodeId ? ERROR.none : ERROR.notCoordinator;
  }

  groupFor(groupId: string): Group {
    const group = this.groups.get(groupId) ?? new Group(this.options.after);
    this.groups.set(groupId, group);
    return group;
  }
}
