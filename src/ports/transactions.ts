import type { Origin } from '../kernel/frame.ts';
import type { RecordSlab } from '../kernel/record-slab.ts';
import type { Sink } from './sink.ts';

/**
 * Where records go when outputs and the position behind their inputs become durable together, or not at all.
 *
 * Between `take` and `release` of an origin (its ownership period) its partition has one producer, and whoever wrote for
 * that partition before can no longer write.
 */
export interface TransactionalSink extends Pick<Sink, 'open' | 'partitionCount' | 'close'> {
  /**
   * One transaction: all rows and the next offset, visible to read_committed readers from then on. One call at a time per origin.
   *
   * `committed`: it is durable, by this call or by an earlier one with the same content whose outcome was in doubt.
   * `lost`: we may no longer write for the origin; nothing of this call is visible.
   * Rejects with disposition `retry` (the caller sends the same again, and nothing else before that), `dead-letter` (nothing of it was or
   * will be visible: a part is too large, or one of its records is refused) or `fatal`. The slabs must not change until the call settles.
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

/** The source's side: whoever begins an ownership period fences off the previous owners. */
export interface Ownership {
  /**
   * Resolves when nothing begun earlier for these partitions is still open: its transaction is committed or aborted, and its
   * producer fenced. Only then does the committed offset say where to begin.
   */
  take(origins: readonly Origin[]): Promise<void>;
  /** The ownership period is over. */
  release(origin: Origin): void;
}

export function isTransactional(sink: Sink | TransactionalSink): sink is TransactionalSink {
  return 'publish' in sink;
}
