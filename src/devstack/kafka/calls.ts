/** Which calls this broker answers, in which versions, and by what. */
import * as admin from './api-admin.ts';
import * as data from './api-data.ts';
import * as groups from './api-groups.ts';
import type { Cluster } from './cluster.ts';
import { type Call, ERROR, type Handler } from './protocol.ts';

const API_VERSIONS = 18;
const PRODUCE = 0;
const NEVER = 99;

/**
 * API key → lowest and highest version (ending at what kafkajs 2.2.4 speaks, before any flexible version), the version
 * from which a response begins with the throttle time, and the handler. Produce announces 0 to 2, although only record
 * batches pass: without them librdkafka leaves gzip, snappy and LZ4 batches uncompressed.
 */
// biome-ignore format: a table
const CALLS: ReadonlyMap<number, readonly [min: number, max: number, throttleFrom: number, handler: Handler]> = new Map([
  [PRODUCE, [0, 7, NEVER, data.produce]],
  [1, [4, 11, 0, data.fetch]],
  [2, [1, 3, 2, data.listOffsets]],
  [3, [0, 6, 3, admin.metadata]],
  [8, [2, 5, 3, groups.offsetCommit]],
  [9, [1, 4, 3, groups.offsetFetch]],
  [10, [0, 2, 1, groups.findCoordinator]],
  [11, [0, 5, 2, groups.joinGroup]],
  [12, [0, 3, 1, groups.heartbeat]],
  [13, [0, 3, 1, groups.leaveGroup]],
  [14, [0, 3, 1, groups.syncGroup]],
  [15, [0, 2, 1, groups.describeGroups]],
  [16, [0, 2, 1, groups.listGroups]],
  [API_VERSIONS, [0, 3, NEVER, apiVersions]],
  [19, [2, 3, 0, admin.createTopics]],
  [20, [1, 1, 0, admin.deleteTopics]],
  [21, [0, 1, 0, data.deleteRecords]],
  [22, [0, 1, 0, data.initProducerId]],
  [32, [1, 2, 0, admin.describeConfigs]],
  [37, [0, 1, 0, admin.createPartitions]],
  [42, [0, 1, 0, groups.deleteGroups]],
]);

/** Throws for a call that is not in the table: the connection is then closed. */
export function dispatch(call: Call, cluster: Cluster): void | Promise<void> {
  const { apiKey, version, clientId, w } = call;
  const [min, max, throttleFrom, handler] = CALLS.get(apiKey) ?? [0, -1, 0, apiVersions];
  const lowest = apiKey === PRODUCE ? 3 : min;
  // ApiVersions is answered in any version: it is how a client learns what there is.
  if (apiKey !== API_VERSIONS && (version < lowest || version > max))
    throw new Error(`client "${clientId}" sent call ${apiKey} in version ${version}, which this broker does not know`);
  if (version >= throttleFrom) w.i32(0);
  return handler(call, cluster);
}

function apiVersions({ version, w }: Call): void {
  const known = version <= 3;
  const flexible = version === 3;
  w.i16(known ? ERROR.none : ERROR.unsupportedVersion);
  if (flexible)
    w.i8(CALLS.size + 1); // compact length: one more than there are, a single byte below 128
  else w.i32(CALLS.size);
  for (const [apiKey, [min, max]] of CALLS) {
    w.i16(apiKey).i16(min).i16(max);
    if (flexible) w.i8(0); // no tagged fields
  }
  if (known && version >= 1) w.i32(0);
  if (flexible) w.i8(0);
}
