/** The calls that this broker answers: versions and handlers. */
import * as admin from './api-admin.ts';
import * as data from './api-data.ts';
import * as groups from './api-groups.ts';
import * as transactions from './api-transactions.ts';
import type { Cluster } from './cluster.ts';
import { ERROR } from './protocol.ts';
import type { Call } from './server.ts';

type Handler = (call: Call, cluster: Cluster) => void | Promise<void>;

const API_VERSIONS = 18;
const PRODUCE = 0;

/**
 * API key → lowest and highest announced version, and the handler. Clients choose the highest version they share with a broker, so only
 * that one is implemented: the highest that both kafkajs 2.2.4 and librdkafka 2.0 speak, none of them flexible. Lower ones are
 * announced because librdkafka infers a broker's features from them: without Produce 0 it does not compress batches, without the
 * first versions of the group calls it has no groups.
 */
// biome-ignore format: a table
const CALLS: ReadonlyMap<number, readonly [min: number, max: number, handler: Handler]> = new Map([
  [PRODUCE, [0, 7, data.produce]],
  [1, [4, 11, data.fetch]],
  [2, [1, 2, data.listOffsets]],
  [3, [0, 4, admin.metadata]],
  [8, [1, 5, groups.offsetCommit]],
  [9, [1, 4, groups.offsetFetch]],
  [10, [0, 2, groups.findCoordinator]],
  [11, [0, 5, groups.joinGroup]],
  [12, [0, 3, groups.heartbeat]],
  [13, [0, 1, groups.leaveGroup]],
  [14, [0, 3, groups.syncGroup]],
  [15, [0, 2, groups.describeGroups]],
  [API_VERSIONS, [0, 2, apiVersions]],
  [19, [2, 3, admin.createTopics]],
  [20, [1, 1, admin.deleteTopics]],
  [21, [0, 1, data.deleteRecords]],
  [22, [0, 1, transactions.initProducerId]],
  [24, [0, 0, transactions.addPartitionsToTxn]],
  [25, [0, 0, transactions.addOffsetsToTxn]],
  [26, [0, 1, transactions.endTxn]],
  [28, [0, 1, transactions.txnOffsetCommit]],
  [32, [1, 2, admin.describeConfigs]],
]);

/** Throws for a call that is not in the table, which closes the connection. */
export function dispatch(call: Call, cluster: Cluster): void | Promise<void> {
  const { apiKey, apiVersion, clientId, w } = call;
  const [, served, handler] = CALLS.get(apiKey) ?? [0, -1, apiVersions];
  // ApiVersions is answered in any version, because clients use it to find out the versions.
  if (apiKey !== API_VERSIONS && apiVersion !== served)
    throw new Error(
      `client "${clientId}" sent call ${apiKey} in version ${apiVersion}, which this broker does not know`,
    );
  if (apiKey !== API_VERSIONS && apiKey !== PRODUCE) w.i32(0); // throttle time; these two end with it
  return handler(call, cluster);
}

function apiVersions({ apiVersion, w }: Call, { options }: Cluster): void {
  const known = apiVersion <= 2; // an unknown version is answered in the first form, whereupon clients ask again
  w.i16(known ? ERROR.none : ERROR.unsupportedVersion);
  const announced = [...CALLS].filter(([apiKey]) => !options.without.includes(apiKey));
  w.array(announced, ([apiKey, [min, max]]) => w.i16(apiKey).i16(min).i16(max));
  if (known && apiVersion >= 1) w.i32(0);
}
