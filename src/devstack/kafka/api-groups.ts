/** The calls of consumer groups: finding the coordinator, membership, offsets, listing. */
import { type Call, type Cluster, mirror } from './cluster.ts';
import type { Committed, Group } from './group.ts';
import { ERROR } from './protocol.ts';

export function findCoordinator({ r, w, version }: Call, cluster: Cluster): void {
  const { id, host, port } = cluster.coordinatorOf(r.str());
  if (version >= 1) w.i32(0);
  w.i16(ERROR.none);
  if (version >= 1) w.str(null);
  w.i32(id).str(host).i32(port);
}

export function joinGroup(call: Call, cluster: Cluster): Promise<void> {
  const { r, w, version } = call;
  const groupId = r.str();
  const sessionTimeoutMs = r.i32();
  const rebalanceTimeoutMs = version >= 1 ? r.i32() : sessionTimeoutMs;
  const memberId = r.str();
  const instanceId = version >= 5 ? r.nullableStr() : null;
  const protocolType = r.str();
  // Copied: what a group keeps must not hold on to the request it came in.
  const protocols = r.array(() => ({ name: r.str(), metadata: Buffer.from(r.blob() ?? []) }));
  const profile = {
    clientId: call.clientId,
    instanceId,
    sessionTimeoutMs,
    rebalanceTimeoutMs,
    protocolType,
    protocols,
  };
  const tooShort = sessionTimeoutMs < cluster.options.minSessionTimeoutMs;
  const refused = cluster.groupError(call, groupId) || (tooShort ? ERROR.invalidSessionTimeout : ERROR.none);
  return new Promise((resolve) => {
    const onJoined = (errorCode: number, id: string): void => {
      const group = cluster.groups.get(groupId);
      const joined = errorCode === ERROR.none && group ? group : null;
      if (version >= 2) w.i32(0);
      w.i16(errorCode).i32(joined?.generation ?? -1);
      w.str(joined?.protocol ?? '')
        .str(joined?.leaderId ?? '')
        .str(id);
      w.array(joined?.leaderId === id ? [...joined.members.values()] : [], (member) => {
        w.str(member.id);
        if (version >= 5) w.str(member.profile.instanceId);
        w.blob(metadataOf(member.profile.protocols, joined?.protocol));
      });
      resolve();
    };
    if (refused !== ERROR.none) return onJoined(refused, memberId);
    const freshId = `${call.clientId}-${cluster.options.newId()}`;
    cluster.groupFor(groupId).join(memberId, freshId, version >= 4 && instanceId === null, profile, onJoined);
  });
}

const metadataOf = (protocols: readonly { name: string; metadata: Buffer }[], name: string | undefined): Buffer =>
  protocols.find((protocol) => protocol.name === name)?.metadata ?? Buffer.alloc(0);

export function syncGroup(call: Call, cluster: Cluster): Promise<void> {
  const { r, w, version } = call;
  const [group, refused] = known(call, cluster, r.str());
  const generation = r.i32();
  const memberId = r.str();
  if (version >= 3) r.nullableStr(); // group instance id
  const plan = new Map(r.array((): [string, Buffer] => [r.str(), Buffer.from(r.blob() ?? [])]));
  return new Promise((resolve) => {
    const onSynced = (errorCode: number, assignment: Buffer): void => {
      if (version >= 1) w.i32(0);
      w.i16(errorCode).blob(assignment);
      resolve();
    };
    if (group) group.sync(memberId, generation, plan, onSynced);
    else onSynced(refused, Buffer.alloc(0));
  });
}

export function heartbeat(call: Call, cluster: Cluster): void {
  const { r, w, version } = call;
  const [group, refused] = known(call, cluster, r.str());
  const generation = r.i32();
  if (version >= 1) w.i32(0);
  w.i16(group ? group.heartbeat(r.str(), generation) : refused);
}

export function leaveGroup(call: Call, cluster: Cluster): void {
  const { r, w, version } = call;
  const [group, refused] = known(call, cluster, r.str());
  if (version >= 1) w.i32(0);
  if (version < 3) return void w.i16(group ? group.leave(r.str()) : refused);
  w.i16(group ? ERROR.none : refused);
  mirror(call, () => {
    const memberId = r.str();
    w.str(memberId).str(r.nullableStr());
    w.i16(group ? group.leave(memberId) : refused);
  });
}

/** The group, or else the error code for a call that only members make. */
function known(call: Call, cluster: Cluster, groupId: string): [Group | undefined, number] {
  const refused = cluster.groupError(call, groupId);
  return refused === ERROR.none ? [cluster.groups.get(groupId), ERROR.unknownMemberId] : [undefined, refused];
}

export function offsetCommit(call: Call, cluster: Cluster): void {
  const { r, w, version } = call;
  const groupId = r.str();
  const generation = r.i32();
  const memberId = r.str();
  if (version >= 7) r.nullableStr(); // group instance id
  if (version <= 4) r.i64(); // retention
  let refused = cluster.groupError(call, groupId);
  if (refused === ERROR.none && generation >= 0 && !cluster.groups.has(groupId)) refused = ERROR.illegalGeneration;
  if (refused === ERROR.none) refused = cluster.groupFor(groupId).checkCommit(memberId, generation);
  if (version >= 3) w.i32(0);
  mirror(call, () => {
    const topic = r.str();
    w.str(topic);
    mirror(call, () => {
      const partition = r.i32();
      const committed = { offset: r.i64(), leaderEpoch: version >= 6 ? r.i32() : -1, metadata: r.str() };
      const exists = cluster.topics.get(topic)?.partitions[partition] !== undefined;
      const errorCode = refused || (exists ? ERROR.none : ERROR.unknownTopicOrPartition);
      if (errorCode === ERROR.none) cluster.groupFor(groupId).commit(topic, partition, committed);
      w.i32(partition).i16(errorCode);
    });
  });
}

const NEVER: Committed = { offset: -1, leaderEpoch: -1, metadata: '' };

export function offsetFetch(call: Call, cluster: Cluster): void {
  const { r, w, version } = call;
  const groupId = r.str();
  const refused = cluster.groupError(call, groupId);
  const offsets = refused === ERROR.none ? cluster.groups.get(groupId)?.offsets : undefined;
  const asked = r.nullableArray(() => ({ topic: r.str(), partitions: r.array(() => r.i32()) }));
  const all = [...(offsets ?? [])].map(([topic, partitions]) => ({ topic, partitions: [...partitions.keys()] }));
  if (version >= 3) w.i32(0);
  w.array(asked ?? all, ({ topic, partitions }) =>
    w.str(topic).array(partitions, (partition) => {
      const { offset, leaderEpoch, metadata } = offsets?.get(topic)?.get(partition) ?? NEVER;
      w.i32(partition).i64(offset);
      if (version >= 5) w.i32(leaderEpoch);
      w.str(metadata).i16(version === 1 ? refused : ERROR.none);
    }),
  );
  if (version >= 2) w.i16(refused);
}

export function describeGroups(call: Call, cluster: Cluster): void {
  const { r, w, version } = call;
  if (version >= 1) w.i32(0);
  mirror(call, () => {
    const groupId = r.str();
    const refused = cluster.groupError(call, groupId);
    const group = refused === ERROR.none ? cluster.groups.get(groupId) : undefined;
    const protocol = group?.state === 'Stable' ? group.protocol : '';
    w.i16(refused).str(groupId);
    w.str(group?.state ?? (refused === ERROR.none ? 'Dead' : ''))
      .str(group?.protocolType ?? '')
      .str(protocol);
    w.array([...(group?.members.values() ?? [])], ({ id, profile, assignment }) => {
      w.str(id);
      if (version >= 4) w.str(profile.instanceId);
      w.str(profile.clientId).str('/127.0.0.1').blob(metadataOf(profile.protocols, protocol)).blob(assignment);
    });
    if (version >= 3) w.i32(-0x8000_0000); // authorized operations were not asked for
  });
}

export function listGroups(call: Call, cluster: Cluster): void {
  const here = [...cluster.groups].filter(([groupId]) => cluster.coordinatorOf(groupId).id === call.nodeId);
  if (call.version >= 1) call.w.i32(0);
  call.w.i16(ERROR.none).array(here, ([groupId, group]) => call.w.str(groupId).str(group.protocolType));
}

export function deleteGroups(call: Call, cluster: Cluster): void {
  const { r, w } = call;
  w.i32(0);
  mirror(call, () => {
    const groupId = r.str();
    const group = cluster.groups.get(groupId);
    let errorCode = cluster.groupError(call, groupId) || (group ? ERROR.none : ERROR.groupIdNotFound);
    if (errorCode === ERROR.none && group && group.state !== 'Empty') errorCode = ERROR.nonEmptyGroup;
    if (errorCode === ERROR.none) cluster.groups.delete(groupId);
    w.str(groupId).i16(errorCode);
  });
}
