/** The calls of consumer groups: finding the coordinator, membership, offsets, listing. */
import type { Cluster } from './cluster.ts';
import type { Committed, Group } from './group.ts';
import { type Call, ERROR, mirror, mirrorPartitions } from './protocol.ts';

const NOTHING: Buffer = Buffer.alloc(0);
const NEVER: Committed = { offset: -1, metadata: '' };

export function findCoordinator({ r, w, version }: Call, cluster: Cluster): void {
  const { id, host, port } = cluster.coordinatorOf(r.str());
  w.i16(ERROR.none);
  if (version >= 1) w.str(null);
  w.i32(id).str(host).i32(port);
}

export function joinGroup(call: Call, cluster: Cluster): Promise<void> {
  const { r, w, version, clientId } = call;
  const groupId = r.str();
  const sessionTimeoutMs = r.i32();
  const rebalanceTimeoutMs = version >= 1 ? r.i32() : sessionTimeoutMs;
  const memberId = r.str();
  const instanceId = version >= 5 ? r.nullableStr() : null;
  const protocolType = r.str();
  // Copied: what a group keeps must not hold on to the request it came in.
  const protocols = new Map(r.array((): [string, Buffer] => [r.str(), Buffer.from(r.blob())]));
  const id = memberId || `${clientId}-${cluster.options.newId()}`;
  const profile = { id, clientId, instanceId, sessionTimeoutMs, rebalanceTimeoutMs, protocolType, protocols };
  return new Promise((resolve) => {
    const onJoined = (errorCode: number, group?: Group): void => {
      w.i16(errorCode)
        .i32(group?.generation ?? -1)
        .str(group?.protocol ?? '')
        .str(group?.leaderId ?? '');
      w.str(errorCode === ERROR.none || errorCode === ERROR.memberIdRequired ? id : memberId);
      w.array(group?.leaderId === id ? [...group.members.values()] : [], (member) => {
        w.str(member.profile.id);
        if (version >= 5) w.str(member.profile.instanceId);
        w.blob(member.profile.protocols.get(group?.protocol ?? '') ?? NOTHING);
      });
      resolve();
    };
    let refused = cluster.groupError(call, groupId);
    if (refused === ERROR.none) {
      const first = memberId === '' ? (version >= 4 && instanceId === null ? 'introduce' : 'admit') : 'known';
      refused = cluster.groupFor(groupId).join(first, profile, onJoined);
    }
    if (refused !== ERROR.none) onJoined(refused);
  });
}

export function syncGroup(call: Call, cluster: Cluster): Promise<void> {
  const { r, w, version } = call;
  const [group, refused] = known(call, cluster, r.str());
  const [generation, memberId] = [r.i32(), r.str()];
  if (version >= 3) r.nullableStr(); // group instance id
  const plan = new Map(r.array((): [string, Buffer] => [r.str(), Buffer.from(r.blob())]));
  return new Promise((resolve) => {
    const onSynced = (errorCode: number, assignment = NOTHING): void => {
      w.i16(errorCode).blob(assignment);
      resolve();
    };
    const errorCode = group ? group.sync(memberId, generation, plan, onSynced) : refused;
    if (errorCode !== ERROR.none) onSynced(errorCode);
  });
}

export function heartbeat(call: Call, cluster: Cluster): void {
  const [group, refused] = known(call, cluster, call.r.str());
  const generation = call.r.i32();
  call.w.i16(group ? group.heartbeat(call.r.str(), generation) : refused);
}

export function leaveGroup(call: Call, cluster: Cluster): void {
  const { r, w, version } = call;
  const [group, refused] = known(call, cluster, r.str());
  const leave = (memberId: string): number => (group ? group.leave(memberId) : refused);
  w.i16(version < 3 ? leave(r.str()) : refused === ERROR.unknownMemberId ? ERROR.none : refused);
  if (version < 3) return;
  mirror(call, () => {
    const memberId = r.str();
    w.str(memberId).str(r.nullableStr()).i16(leave(memberId));
  });
}

/** The group, or else the error code for a call that only members make. */
function known(call: Call, cluster: Cluster, groupId: string): [Group | undefined, number] {
  const refused = cluster.groupError(call, groupId);
  return refused === ERROR.none ? [cluster.groups.get(groupId), ERROR.unknownMemberId] : [undefined, refused];
}

export function offsetCommit(call: Call, cluster: Cluster): void {
  const { r, w, version } = call;
  const [groupId, generation, memberId] = [r.str(), r.i32(), r.str()];
  if (version <= 4) r.i64(); // retention
  let refused = cluster.groupError(call, groupId);
  if (refused === ERROR.none && generation >= 0 && !cluster.groups.has(groupId)) refused = ERROR.illegalGeneration;
  if (refused === ERROR.none) refused = cluster.groupFor(groupId).checkCommit(memberId, generation);
  mirrorPartitions(call, (topic, partition) => {
    const committed = { offset: r.i64(), metadata: r.str() };
    const exists = cluster.topics.get(topic)?.partitions[partition] !== undefined;
    const errorCode = refused || (exists ? ERROR.none : ERROR.unknownTopicOrPartition);
    if (errorCode === ERROR.none) cluster.groupFor(groupId).commit(topic, partition, committed);
    w.i16(errorCode);
  });
}

export function offsetFetch(call: Call, cluster: Cluster): void {
  const { r, w, version } = call;
  const groupId = r.str();
  const refused = cluster.groupError(call, groupId);
  const offsets = refused === ERROR.none ? cluster.groups.get(groupId)?.offsets : undefined;
  const asked = r.nullableArray(() => ({ topic: r.str(), partitions: r.array(() => r.i32()) }));
  const all = [...(offsets ?? [])].map(([topic, partitions]) => ({ topic, partitions: [...partitions.keys()] }));
  w.array(asked ?? all, ({ topic, partitions }) =>
    w.str(topic).array(partitions, (partition) => {
      const { offset, metadata } = offsets?.get(topic)?.get(partition) ?? NEVER;
      w.i32(partition)
        .i64(offset)
        .str(metadata)
        .i16(version === 1 ? refused : ERROR.none);
    }),
  );
  if (version >= 2) w.i16(refused);
}

export function describeGroups(call: Call, cluster: Cluster): void {
  const { r, w } = call;
  mirror(call, () => {
    const groupId = r.str();
    const refused = cluster.groupError(call, groupId);
    const group = refused === ERROR.none ? cluster.groups.get(groupId) : undefined;
    const protocol = group?.state === 'Stable' ? group.protocol : '';
    w.i16(refused)
      .str(groupId)
      .str(group?.state ?? 'Dead')
      .str(group?.protocolType ?? '')
      .str(protocol);
    w.array([...(group?.members.values() ?? [])], ({ profile, assignment }) => {
      w.str(profile.id).str(profile.clientId).str('/127.0.0.1');
      w.blob(profile.protocols.get(protocol) ?? NOTHING).blob(assignment);
    });
  });
}

export function listGroups({ w, nodeId }: Call, cluster: Cluster): void {
  const here = [...cluster.groups].filter(([groupId]) => cluster.coordinatorOf(groupId).id === nodeId);
  w.i16(ERROR.none).array(here, ([groupId, group]) => w.str(groupId).str(group.protocolType));
}

export function deleteGroups(call: Call, cluster: Cluster): void {
  mirror(call, () => {
    const groupId = call.r.str();
    const state = cluster.groups.get(groupId)?.state;
    const misfit = state === undefined ? ERROR.groupIdNotFound : state === 'Empty' ? ERROR.none : ERROR.nonEmptyGroup;
    const errorCode = cluster.groupError(call, groupId) || misfit;
    if (errorCode === ERROR.none) cluster.groups.delete(groupId);
    call.w.str(groupId).i16(errorCode);
  });
}
