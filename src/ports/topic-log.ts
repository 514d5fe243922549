import type { Header } from '../kernel/headers.ts';

/** Topics as they lie in the broker, read by people and not by a group: nobody's position moves. */
export interface TopicLog {
  /** Where each partition begins and ends; `topic-missing` when there is no such topic. */
  extents(topic: string): Promise<readonly Extent[]>;
  /** By partition, the first offset of a record that is dated so or later; the end where there is none. */
  offsetsAt(topic: string, timestampMs: number): Promise<readonly number[]>;
  /** The names of all topics that may be seen, but the cluster's own. */
  topics(): Promise<readonly string[]>;
  /**
   * Hands over the records in [from, to) of one partition, in order, the next one once `visit` is done; false ends early.
   * Committed records only, neither control records nor what was removed, meanwhile too. A record keeps the memory of all
   * that was fetched with it: copy what is to stay. Resolves with the offset where it ended: less than `to` where it was
   * ended early, or where a transaction that is still open holds back the rest.
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
  /** Key, value and headers are there, and cannot be read: why. */
  readonly unread?: 'too-large' | 'batch-unreadable';
}
