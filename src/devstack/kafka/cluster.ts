/** What all nodes share: topics with their leaders, groups with their coordinators, the numbers handed out. */
import { type After, Group } from './group.ts';
import { PartitionLog } from './partition-log.ts';
import { ERROR } from './protocol.ts';
import type { Reader, Writer } from './wire.ts';

export type Node = { readonly id: number; readonly host: string; readonly port: number };
export type Topic = { readonly partitions: PartitionLog[]; readonly configs: ReadonlyMap<string, string> };
export type ClusterOptions = {
  readonly maxMessageBytes: number;
  readonly retentionBytes: number;
  readonly autoCreateTopics: boolean;
  readonly minSessionTimeoutMs: number;
  readonly after: After;
  readonly newId: () => string;
};

/** One request on its way through a handler, which reads `r` to the end of what it needs and writes the body to `w`. */
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
  const items = r.count();
  w.i32(Math.max(0, items));
  for (let i = 0; i < items; i++) item();
}

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
    if (!/^[\w.-]{1,249}$/.test(name) || /^\.\.?$/.test(name)) return ERROR.invalidTopic;
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

  /** The log, where the node leads it in the epoch the client believes in (-1: any); else the error code. */
  led(call: Call, topic: string, partition: number, epoch = -1): PartitionLog | number {
    if (call.fault !== ERROR.none) return call.fault;
    const log = this.topics.get(topic)?.partitions[partition];
    if (!log) return ERROR.unknownTopicOrPartition;
    if (log.leaderId !== call.nodeId) return ERROR.notLeaderOrFollower;
    if (epoch >= 0 && epoch !== log.leaderEpoch)
      return epoch < log.leaderEpoch ? ERROR.fencedLeaderEpoch : ERROR.unknownLeaderEpoch;
    return log;
  }

  coordinatorOf(groupId: string): Node {
    let hash = 0;
    for (let i = 0; i < groupId.length; i++) hash = (31 * hash + groupId.charCodeAt(i)) | 0;
    const id = this.#coordinators.get(groupId);
    return this.nodes.find((node) => node.id === id) ?? this.nodes[(hash >>> 0) % this.nodes.length];
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
    let group = this.groups.get(groupId);
    if (!group) this.groups.set(groupId, (group = new Group(this.options.after)));
    return group;
  }
}
