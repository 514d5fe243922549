/** The calls about the cluster: ApiVersions, Metadata, and topics made, grown, described and deleted. */
import { type Call, type Cluster, mirror, type Topic } from './cluster.ts';
import { ERROR, VERSIONS } from './protocol.ts';

const NO_OPERATIONS = -0x8000_0000; // "authorized operations" were not asked for
const TOPIC = 2;

export function apiVersions({ version, w }: Call): void {
  const known = version <= 3;
  const flexible = known && version === 3;
  w.i16(known ? ERROR.none : ERROR.unsupportedVersion);
  if (flexible) w.uvarint(VERSIONS.size + 1);
  else w.i32(VERSIONS.size);
  for (const [apiKey, [min, max]] of VERSIONS) {
    w.i16(apiKey).i16(min).i16(max);
    if (flexible) w.uvarint(0); // no tagged fields
  }
  if (known && version >= 1) w.i32(0);
  if (flexible) w.uvarint(0);
}

export function metadata(call: Call, cluster: Cluster): void {
  const { r, w, version } = call;
  const asked = r.nullableArray(() => r.str());
  const mayCreate = version < 4 || r.bool();
  const all = asked === null || (version === 0 && asked.length === 0);
  if (version >= 3) w.i32(0);
  w.array(cluster.nodes, ({ id, host, port }) => {
    w.i32(id).str(host).i32(port);
    if (version >= 1) w.str(null); // rack
  });
  if (version >= 2) w.str('sluice-devstack');
  if (version >= 1) w.i32(cluster.nodes[0].id); // controller
  w.array(all ? [...cluster.topics.keys()] : asked, (name) => {
    let errorCode: number = cluster.topics.has(name) ? ERROR.none : ERROR.unknownTopicOrPartition;
    if (errorCode !== ERROR.none && mayCreate && cluster.options.autoCreateTopics)
      errorCode = cluster.createTopic(name, 1);
    w.i16(errorCode).str(name);
    if (version >= 1) w.bool(false); // internal
    writePartitions(call, cluster, cluster.topics.get(name));
    if (version >= 8) w.i32(NO_OPERATIONS);
  });
  if (version >= 8) w.i32(NO_OPERATIONS);
}

function writePartitions({ w, version }: Call, cluster: Cluster, topic: Topic | undefined): void {
  const replicas = cluster.nodes.map((node) => node.id);
  w.array([...(topic?.partitions.entries() ?? [])], ([index, log]) => {
    w.i16(ERROR.none).i32(index).i32(log.leaderId);
    if (version >= 7) w.i32(log.leaderEpoch);
    w.array(replicas, (id) => w.i32(id)).array(replicas, (id) => w.i32(id));
    if (version >= 5) w.i32(0); // offline replicas
  });
}

export function createTopics(call: Call, cluster: Cluster): void {
  const { r, w, version } = call;
  const topics = r.array(() => ({
    name: r.str(),
    partitions: r.i32(),
    replication: r.i16(),
    assigned: r.array(() => [r.i32(), r.array(() => r.i32())]).length,
    configs: new Map(r.array((): [string, string] => [r.str(), r.str()])),
  }));
  r.i32(); // timeout
  const dryRun = version >= 1 && r.bool();
  if (version >= 2) w.i32(0);
  w.array(topics, ({ name, partitions, replication, assigned, configs }) => {
    const count = assigned || (partitions === -1 ? 1 : partitions);
    const tooMany = replication > cluster.nodes.length || replication === 0;
    let errorCode: number = tooMany ? ERROR.invalidReplicationFactor : ERROR.none;
    if (errorCode === ERROR.none) errorCode = cluster.createTopic(name, count, configs);
    if (errorCode === ERROR.none && dryRun) cluster.deleteTopic(name);
    w.str(name).i16(errorCode);
    if (version >= 1) w.str(null);
  });
}

export function deleteTopics(call: Call, cluster: Cluster): void {
  const { r, w, version } = call;
  if (version >= 1) w.i32(0);
  mirror(call, () => {
    const name = r.str();
    w.str(name).i16(cluster.deleteTopic(name));
  });
}

export function createPartitions({ r, w }: Call, cluster: Cluster): void {
  const topics = r.array(() => {
    const wanted = { name: r.str(), count: r.i32() };
    r.array(() => r.array(() => r.i32())); // assignments: leaders follow from the partition number
    return wanted;
  });
  r.i32(); // timeout
  const dryRun = r.bool();
  w.i32(0).array(topics, ({ name, count }) => {
    const errorCode = dryRun ? ERROR.none : cluster.growTopic(name, count);
    w.str(name).i16(errorCode).str(null);
  });
}

/** Answers with what was set when the topic was made, and nothing about brokers. */
export function describeConfigs(call: Call, cluster: Cluster): void {
  const { r, w, version } = call;
  w.i32(0);
  mirror(call, () => {
    const type = r.i8();
    const name = r.str();
    const keys = r.nullableArray(() => r.str());
    const topic = cluster.topics.get(name);
    const errorCode = type === TOPIC && !topic ? ERROR.unknownTopicOrPartition : ERROR.none;
    const entries = [...(type === TOPIC && topic ? topic.configs : [])].filter(([key]) => !keys || keys.includes(key));
    w.i16(errorCode).str(null).i8(type).str(name);
    w.array(entries, ([key, value]) => {
      w.str(key).str(value).bool(false);
      if (version >= 1)
        w.i8(1).bool(false).i32(0); // set on the topic; not secret; no synonyms
      else w.bool(false).bool(false);
      if (version >= 3) w.i8(0).str(null); // type unknown; no documentation
    });
  });
}
