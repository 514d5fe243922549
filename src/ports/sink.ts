import type { RecordSlab } from '../kernel/record-slab.ts';

/** Where records go: topics with partitions, or a file. */
export interface Sink {
  /** Connects and makes sure the topics exist (`topic-missing` otherwise: a pipeline never creates topics). */
  open(topics: readonly string[]): Promise<void>;
  /** Partitions of an opened topic, as last known. */
  partitionCount(topic: string): number;
  /**
   * Appends all rows, in order, to one partition; at most one call in flight per partition.
   * Resolves only when the broker has acknowledged exactly these rows for this partition (acks all, law L7).
   * Rejects with disposition `retry` (the caller sends the same rows again), `dead-letter` (`record-too-large`, `record-refused`:
   * the caller splits the rows or dead-letters them) or `fatal`. The slab must not change until the call settles.
   */
  send(topic: string, partition: number, rows: RecordSlab): Promise<void>;
  close(): Promise<void>;
}
