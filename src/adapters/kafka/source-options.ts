import type { KafkaConnection } from './connection.ts';
import type { FromPolicy } from './group/positions.ts';

export interface KafkaSourceOptions extends KafkaConnection {
  readonly groupId: string;
  readonly topics: readonly string[];
  readonly from: FromPolicy;
  readonly drainMs: number;
  readonly sessionTimeoutMs?: number;
  readonly heartbeatMs?: number;
  readonly rebalanceTimeoutMs?: number;
  readonly frameRecords?: number;
  readonly frameBytes?: number;
  /** One fetch from one broker. */
  readonly fetchMaxBytes?: number;
  readonly partitionMaxBytes?: number;
  /** How long a broker holds a fetch that finds nothing; also the polling interval while nothing may be fetched. */
  readonly maxWaitMs?: number;
  /** How long a broker may hold the next fetch for more records while records keep coming; default not at all. */
  readonly fetchHoldMs?: () => number;
  /** How often the end offsets are requested while nothing is fetched. */
  readonly endsEveryMs?: number;
  readonly metadataMaxAgeMs?: number;
  readonly closeMs?: number;
  /** One message per record, as everybody else reads with the client, instead of one per batch; at several times the cost. */
  readonly stock?: boolean;
  /** Whether records that crash the process again and again are found and dead-lettered; default on. */
  readonly quarantine?: boolean;
}
