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
  /** How long a broker holds a fetch that finds nothing; also the pace while nothing may be fetched. */
  readonly maxWaitMs?: number;
  /** How long a broker may hold a fetch for more records while some come; none if not given. */
  readonly fetchHoldMs?: number;
  /** How often the ends of the partitions are asked for while nothing is fetched. */
  readonly endsEveryMs?: number;
  readonly metadataMaxAgeMs?: number;
  readonly closeMs?: number;
  /** One message per record, as everybody else reads with the client, in place of one per batch; several times as dear. */
  readonly stock?: boolean;
  /** Whether records that end the process again and again are found and dead-lettered; on unless said otherwise. */
  readonly quarantine?: boolean;
}
