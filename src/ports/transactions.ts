import type { Origin } from '../kernel/frame.ts';
import type { RecordSlab } from '../kernel/record-slab.ts';
import type { Sink } from './sink.ts';

/**
 * Where records go when outputs and the position behind their inputs become durable together, or not at all.
 *
 * Between `take` and `release` of an origin (its ownership period) there is one producer for its partition, and nobody
 * who wrote for that partition before can write any more.
 */
export interface TransactionalSink extends Pick<Sink, 'open' | 'partitionCount' | 'close'> {
  /**
   * One transaction: all rows and the next offset, readable by read_committed readers from then on. One call at a time an origin.
   *
   * `committed`: it is durable; said of a call, or of an earlier one with the same content whose outcome was in doubt.
   * `lost`: the origin is no longer ours to write for; nothing of this call is readable.
   * Rejects with disposition `retry` (the caller sends the same again, and nothing else before that), `dead-letter` (nothing of it was or
   * will be readable: a part is too large, or a record of it is refused) or `fatal`. The slabs must not change until the call settles.
   */
  publish(transaction: Transaction): Promise<Published>;
}

export interface Transaction {
  readonly origin: Origin;
  /** One per partition of an output topic; none where only the position moves. */
  readonly parts: readonly Part[];
  /** The next offset to read of the origin's partition. */
  readonly nextOffset: number;
}

export interface Part {
  readonly topic: string;
  readonly partition: number;
  readonly rows: RecordSlab;
}

export type Published = 'committed' | 'lost';

/** The source's side of it: whoever begins an ownership period shuts out the ones before. */
export interface Ownership {
  /**
   * Resolves when nothing that was begun for these partitions before is open any more: its transaction is committed or
   * aborted, and its producer refused. Only from then on the committed offset says where to begin.
   */
  take(origins: readonly Origin[]): Promise<void>;
  /** The ownership period is over. */
  release(origin: Origin): void;
}

export function isTransactional(sink: Sink | TransactionalSink): sink is TransactionalSink {
  return 'publish' in sink;
}
