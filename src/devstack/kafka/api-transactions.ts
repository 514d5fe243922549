/** Calls of transactions, and for the producer ids that they and idempotent producers need. */
import type { Cluster } from './cluster.ts';
import { ERROR, mirrorPartitions } from './protocol.ts';
import type { Call } from './server.ts';
import type { Epoch } from './transactions.ts';

/** Without a transactional id: a new producer id for an idempotent producer. */
export function initProducerId(call: Call, cluster: Cluster): void {
  const { r, w } = call;
  const id = r.nullableStr();
  const timeoutMs = r.i32();
  const begun =
    id === null
      ? { producerId: cluster.nextProducerId++, producerEpoch: 0 }
      : cluster.refusal(call, id) || cluster.transactions.begin(id, timeoutMs);
  const [errorCode, { producerId, producerEpoch }] =
    typeof begun === 'number' ? [begun, { producerId: -1, producerEpoch: -1 }] : [ERROR.none, begun];
  w.i16(errorCode).i64(producerId).i16(producerEpoch);
}

const readEpoch = ({ r }: Call): Epoch => ({ id: r.str(), producerId: r.i64(), producerEpoch: r.i16() });

/** Adds all partitions or none. */
export function addPartitionsToTxn(call: Call, cluster: Cluster): void {
  const { r, w } = call;
  const epoch = readEpoch(call);
  const topics = r.array(() => ({ name: r.str(), partitions: r.array(() => r.i32()) }));
  const found = (topic: string, partition: number) => cluster.topics.get(topic)?.partitions[partition];
  const logs = topics.flatMap(({ name, partitions }) => partitions.map((partition) => found(name, partition)));
  const known = logs.filter((log) => log !== undefined);
  const refused =
    cluster.refusal(call, epoch.id) ||
    (known.length < logs.length ? ERROR.operationNotAttempted : cluster.transactions.add(epoch, known, []));
  w.array(topics, ({ name, partitions }) =>
    w.str(name).array(partitions, (partition) => {
      const isKnown = refused !== ERROR.operationNotAttempted || found(name, partition) !== undefined;
      w.i32(partition).i16(isKnown ? refused : ERROR.unknownTopicOrPartition);
    }),
  );
}

export function addOffsetsToTxn(call: Call, cluster: Cluster): void {
  const epoch = readEpoch(call);
  const groupId = call.r.str();
  const refused = cluster.refusal(call, epoch.id) || (groupId === '' ? ERROR.invalidGroupId : ERROR.none);
  call.w.i16(refused || cluster.transactions.add(epoch, [], [cluster.group(groupId).offsets]));
}

export function endTxn(call: Call, cluster: Cluster): void {
  const epoch = readEpoch(call);
  const committed = call.r.i8() !== 0;
  call.w.i16(cluster.refusal(call, epoch.id) || cluster.transactions.end(epoch, committed));
}

/** The announced versions do not name the member, so anyone with the epoch may commit. */
export function txnOffsetCommit(call: Call, cluster: Cluster): void {
  const { r, w } = call;
  const id = r.str();
  const group = cluster.coordinated(call, r.str());
  const epoch = { id, producerId: r.i64(), producerEpoch: r.i16() };
  const refused = typeof group === 'number' ? group : cluster.transactions.check(epoch, group.offsets);
  mirrorPartitions(call, (topic, partition) => {
    const committed = { offset: r.i64(), metadata: r.str() };
    const exists = cluster.topics.get(topic)?.partitions[partition] !== undefined;
    const errorCode = refused || (exists ? ERROR.none : ERROR.unknownTopicOrPartition);
    if (typeof group !== 'number' && errorCode === ERROR.none)
      group.offsets.commitWith(epoch.producerId, topic, partition, committed);
    w.i16(errorCode);
  });
}
