/** The calls about the cluster: Metadata, and topics made, grown, described and deleted. */
import type { Cluster } from './cluster.ts';
import { type Call, ERROR, mirror } from './protocol.ts';

const TOPIC = 2;

export function metadata({ r, w, version }: Call, cluster: Cluster): void {
  const asked = r.nullableArray(() => r.str());
  const mayCreate = (version < 4 || r.bool()) && cluster.options.autoCreateTopics;
  const all = asked === null || (version === 0 && asked.length === 0);
  const replicas = cluster.nodes.map((node) => node.id);
  w.array(cluster.nodes, ({ id, host, port }) => {
    w.i32(id).str(host).i32(port);
    if (version >= 1) w.str(null); // rack
  });
  if (version >= 2) w.str('sluice-devstack');
  if (version >= 1) w.i32(cluster.nodes[0].id); // controller
  w.array(all ? [...cluster.topics.keys()] : asked, (name) => {
    let errorCode: number = cluster.topics.has(name) ? ERROR.none : ERROR.unknownTopicOrPartition;
    if (errorCode !== ERROR.none && mayCreate) errorCode = cluster.createTopic(name, 1);
    w.i16(errorCode).str(name);
    if (version >= 1) w.bool(false); // internal
    w.array([...(cluster.topics.get(name)?.partitions.entries() ?? [])], ([partition, { leaderId }]) => {
      w.i16(ERROR.none).i32(partition).i32(leaderId);
      w.array(replicas, (id) => w.i32(id)).array(replicas, (id) => w.i32(id)); // all of them in sync
      if (version >= 5) w.i32(0); // offline replicas
    });
  });
}

export function createTopics({ r, w }: Call, cluster: Cluster): void {
  const topics = r.array(() => ({
    name: r.str(),
    partitions: r.i32(),
    replication: r.i16(),
    assigned: r.array(() => [r.i32(), r.array(() => r.i32())]),
    configs: new Map(r.array((): [string, string] => [r.str(), r.str()])),
  }));
  r.i32(); // timeout
  const dryRun = r.bool();
  w.array(topics, ({ name, partitions, replication, assigned, configs }) => {
    const count = assigned.length || (partitions === -1 ? 1 : partitions);
    const possible = replication <= cluster.nodes.length && replication !== 0;
    const errorCode = possible ? cluster.createTopic(name, count, configs) : ERROR.invalidReplicationFactor;
    if (errorCode === ERROR.none && dryRun) cluster.deleteTopic(name);
    w.str(name).i16(errorCode).str(null);
  });
}

export function deleteTopics(call: Call, cluster: Cluster): void {
  mirror(call, () => {
    const name = call.r.str();
    call.w.str(name).i16(cluster.deleteTopic(name));
  });
}

export function createPartitions(call: Call, cluster: Cluster): void {
  const { r, w } = call;
  mirror(call, () => {
    const [name, count] = [r.str(), r.i32()];
    r.array(() => r.array(() => r.i32())); // assignments: leaders follow from the partition's number
    w.str(name).i16(cluster.growTopic(name, count)).str(null);
  });
}

/** Answers with what was set when the topic was made, and nothing about brokers. */
export function describeConfigs(call: Call, cluster: Cluster): void {
  const { r, w } = call;
  mirror(call, () => {
    const [type, name] = [r.i8(), r.str()];
    const keys = r.nullableArray(() => r.str());
    const topic = type === TOPIC ? cluster.topics.get(name) : undefined;
    const entries = [...(topic?.configs ?? [])].filter(([key]) => !keys || keys.includes(key));
    w.i16(type === TOPIC && !topic ? ERROR.unknownTopicOrPartition : ERROR.none).str(null);
    // Each: writable, set on the topic, not secret, without synonyms.
    w.i8(type)
      .str(name)
      .array(entries, ([key, value]) => w.str(key).str(value).bool(false).i8(1).bool(false).i32(0));
  });
}
