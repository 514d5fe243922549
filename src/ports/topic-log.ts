import type { Header } from '../kernel/headers.ts';

/** Topics as the broker stores them, read outside any group: nobody's position moves. */
export interface TopicLog {
  /** Where each partition begins and ends; `topic-missing` when there is no such topic. */
  extents(topic: string): Promise<readonly Extent[]>;
  /** By partition, the offset of the first record with this timestamp or a later one; the end if there is none. */
  offsetsAt(topic: string, timestampMs: number): Promise<readonly number[]>;
  /** The names of all visible topics, except the cluster's own. */
  topics(): Promise<readonly string[]>;
  /**
   * Passes the records in [from, to) of one partition to `visit`, in order and one at a time; false ends early. Only committed
   * records: no control records, and nothing that was deleted, even meanwhile. A record keeps the whole fetch that brought it
   * in memory: copy what you keep. Resolves with the offset where it ended, which is less than `to` if it was ended early or
   * an open transaction holds back the rest.
   */
  read(topic: string, partition: number, range: Range, visit: Visit<LogRecord>): Promise<number>;
  /** Deletes everything before `offset` in a partition, for good. */
  truncate(topic: string, partition: number, offset: number): Promise<void>;
  close(): Promise<void>;
}

/** Whether to go on; a promise of it where that takes time. */
export type Visit<T> = (found: T) => boolean | Promise<boolean>;

export interface Extent {
  /** The first offset that is still there. */
  readonly start: number;
  /** The offset that the next record will have. */
  readonly end: number;
}

export interface Range {
  readonly from: number;
  readonly to: number;
}

export interface LogRecord {
  readonly partition: number;
  readonly offset: number;
  readonly timestampMs: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: readonly Header[];
  /** Why key, value and headers cannot be read, although they are there. */
  readonly unread?: 'too-large' | 'batch-unreadable';
}
