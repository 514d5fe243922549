/** Calls of consumer groups: finding the coordinator, membership, offsets, and inspection from outside. */
import { randomUUID } from 'node:crypto';
import type { Cluster } from './cluster.ts';
import type { Group } from './group.ts';
import type { Committed } from './offsets.ts';
import { ERROR, mirror, mirrorPartitions } from './protocol.ts';
import { type Call, HOST } from './server.ts';

const NOTHING: Buffer = Buffer.alloc(0);
const NEVER: Committed = { offset: -1, metadata: '' };

export function findCoordinator({ r, w }: Call, cluster: Cluster): void {
  const { id, port } = cluster.coordinatorOf(r.str());
  w.i16(ERROR.none).str(null).i32(id).str(HOST).i32(port);
}

export function joinGroup(call: Call, cluster: Cluster): Promise<void> {
  const { r, w, clientId } = call;
  const group = cluster.coordinated(call, r.str());
  const [sessionTimeoutMs, rebalanceTimeoutMs, memberId] = [r.i32(), r.i32(), r.str()];
  r.nullableStr(); // group instance id
  const protocolType = r.str();
  const protocols = namedBytes(call);
  const id = memberId || `${clientId}-${randomUUID()}`;
  const profile = { id, clientId, sessionTimeoutMs, rebalanceTimeoutMs, protocolType, protocols };
  return new Promise((resolve) => {
    const onJoined = (errorCode: number, joined?: Group): void => {
      const { generation, protocol, leaderId } = joined ?? { generation: -1, protocol: '', leaderId: '' };
      w.i16(errorCode).i32(generation).str(protocol).str(leaderId);
      w.str(joined || errorCode === ERROR.memberIdRequired ? id : memberId);
      w.array(joined && leaderId === id ? [...joined.members.values()] : [], ({ profile }) => {
        w.str(profile.id).str(null); // group instance id
        w.blob(profile.protocols.get(protocol) ?? NOTHING);
      });
      resolve();
    };
    const refused = typeof group === 'number' ? group : group.join(memberId === '', profile, onJoined);
    if (refused !== ERROR.none) onJoined(refused);
  });
}

/** Copied, because what a group keeps must not retain the request's buffer. */
function namedBytes({ r }: Call): Map<string, Buffer> {
  return new Map(r.array(() => [r.str(), Buffer.from(r.blob())]));
}

export function syncGroup(call: Call, cluster: Cluster): Promise<void> {
  const { r, w } = call;
  const group = cluster.coordinated(call, r.str());
  const [generation, memberId] = [r.i32(), r.str()];
  r.nullableStr(); // group instance id
  const plan = namedBytes(call);
  return new Promise((resolve) => {
    const onSynced = (errorCode: number, assignment = NOTHING): void => {
      w.i16(errorCode).blob(assignment);
      resolve();
    };
    const refused = typeof group === 'number' ? group : group.sync(memberId, generation, plan, onSynced);
    if (refused !== ERROR.none) onSynced(refused);
  });
}

export function heartbeat(call: Call, cluster: Cluster): void {
  const { r, w } = call;
  const group = cluster.coordinated(call, r.str());
  const generation = r.i32();
  w.i16(typeof group === 'number' ? group : group.heartbeat(r.str(), generation));
}

export function leaveGroup(call: Call, cluster: Cluster): void {
  const { r, w } = call;
  const group = cluster.coordinated(call, r.str());
  w.i16(typeof group === 'number' ? group : group.leave(r.str()));
}

export function offsetCommit(call: Call, cluster: Cluster): void {
  const { r, w } = call;
  const group = cluster.coordinated(call, r.str());
  const [generation, memberId] = [r.i32(), r.str()];
  const refused = typeof group === 'number' ? group : group.checkCommit(memberId, generation);
  mirrorPartitions(call, (topic, partition) => {
    const committed = { offset: r.i64(), metadata: r.str() };
    const exists = cluster.topics.get(topic)?.partitions[partition] !== undefined;
    const errorCode = refused || (exists ? ERROR.none : ERROR.unknownTopicOrPartition);
    if (typeof group !== 'number' && errorCode === ERROR.none) group.offsets.commit(topic, partition, committed);
    w.i16(errorCode);
  });
}

export function offsetFetch(call: Call, cluster: Cluster): void {
  const { r, w } = call;
  const group = cluster.coordinated(call, r.str());
  const [refused, offsets] = typeof group === 'number' ? [group] : [ERROR.none, group.offsets.committed];
  const asked = r.nullableArray(() => ({ topic: r.str(), partitions: r.array(() => r.i32()) }));
  const all = [...(offsets ?? [])].map(([topic, partitions]) => ({ topic, partitions: [...partitions.keys()] }));
  w.array(asked ?? all, ({ topic, partitions }) =>
    w.str(topic).array(partitions, (partition) => {
      const { offset, metadata } = offsets?.get(topic)?.get(partition) ?? NEVER;
      w.i32(partition).i64(offset).str(metadata).i16(ERROR.none);
    }),
  );
  w.i16(refused);
}

export function describeGroups(call: Call, cluster: Cluster): void {
  const { r, w } = call;
  mirror(call, () => {
    const groupId = r.str();
    const found = cluster.coordinated(call, groupId);
    const [refused, group] = typeof found === 'number' ? [found] : [ERROR.none, found];
    const protocol = group?.state === 'Stable' ? group.protocol : '';
    w.i16(refused).str(groupId);
    w.str(group?.state ?? 'Dead').str(group?.protocolType ?? '');
    w.str(protocol).array([...(group?.members.values() ?? [])], ({ profile, assignment }) => {
      w.str(profile.id).str(profile.clientId).str('/127.0.0.1');
      w.blob(profile.protocols.get(protocol) ?? NOTHING).blob(assignment);
    });
  });
}
