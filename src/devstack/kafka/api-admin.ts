/** Calls about the cluster: Metadata, and creating, describing and deleting topics. */
import type { Cluster } from './cluster.ts';
import { ERROR, mirror } from './protocol.ts';
import { type Call, HOST } from './server.ts';

const TOPIC = 2;

export function metadata({ r, w }: Call, cluster: Cluster): void {
  const names = r.nullableArray(() => r.str()) ?? [...cluster.topics.keys()];
  const replicas = cluster.nodes.map((node) => node.id);
  w.array(cluster.nodes, ({ id, port }) => w.i32(id).str(HOST).i32(port).str(null)); // no rack
  w.str('sluice-devstack').i32(cluster.nodes[0].id); // controller
  w.array(names, (name) => {
    const topic = cluster.topics.get(name);
    w.i16(topic ? ERROR.none : ERROR.unknownTopicOrPartition).str(name);
    w.i8(0); // not internal
    w.array([...(topic?.partitions.entries() ?? [])], ([partition, { leaderId }]) => {
      w.i16(ERROR.none).i32(partition).i32(leaderId);
      w.array(replicas, (id) => w.i32(id)).array(replicas, (id) => w.i32(id)); // all of them in sync
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
  const dryRun = r.i8() !== 0;
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

/** Answers with the configuration set when the topic was created; knows nothing about brokers. */
export function describeConfigs(call: Call, cluster: Cluster): void {
  const { r, w } = call;
  mirror(call, () => {
    const [type, name] = [r.i8(), r.str()];
    const keys = r.nullableArray(() => r.str());
    const topic = type === TOPIC ? cluster.topics.get(name) : undefined;
    const entries = [...(topic?.configs ?? [])].filter(([key]) => !keys || keys.includes(key));
    w.i16(type === TOPIC && !topic ? ERROR.unknownTopicOrPartition : ERROR.none).str(null);
    w.i8(type).str(name);
    // Each: writable, set on the topic, not secret, without synonyms.
    w.array(entries, ([key, value]) => w.str(key).str(value).i8(0).i8(1).i8(0).i32(0));
  });
}
