import type { FeastEntity, Layout, StoreName, ViewSpec } from '../kernel/cells/views.ts';

/** A feature store: rows of numbers by table and key. Adapters hide layout and client. */
export interface FeatureStore {
  /** Connects and makes sure the tables exist (`table-missing` otherwise). */
  open(tables: readonly string[]): Promise<void>;
  /**
   * Reads rows into `read.into`. A key that does not exist leaves its row untouched (all NaN): absence is an answer.
   * Rejects with disposition `retry` when the store could not answer for every key within `timeoutMs` of being
   * asked (never a partial answer; a queue on our side does not count), `fatal` when it refuses (permission, unknown family).
   */
  read(read: FeatureRead): Promise<void>;
  /**
   * These rows have changed or, without keys, any may have: reads that begin from now on no longer get what is cached of them
   * outside the store. Undefined if nothing is cached.
   */
  forget?(of: RowsOf, keys?: readonly Buffer[]): void;
  close(): Promise<void>;
}

export interface FeatureRead {
  /** Tells several stores apart; a store itself ignores it. */
  readonly from?: StoreName;
  readonly table: string;
  readonly layout: Layout;
  /** With layout `feast`. */
  readonly feast?: FeastEntity | undefined;
  /** Distinct, non-empty, sorted bytewise, at most 4,096 bytes each. */
  readonly keys: readonly Buffer[];
  readonly views: readonly ViewSpec[];
  /** Numbers per row: the sum of all column widths. */
  readonly rowWidth: number;
  readonly into: FeatureReadResult;
  readonly timeoutMs: number;
  /** A cached row is accepted if the store was asked for it at most this long ago; undefined: whatever its age. */
  readonly keptWithinMs?: number | undefined;
}

/** Which rows to read, apart from their keys. */
export type RowsOf = Pick<FeatureRead, 'from' | 'table' | 'layout' | 'feast' | 'views' | 'rowWidth'>;

/** Row k belongs to keys[k]. Pre-filled with NaN. */
export interface FeatureReadResult {
  /** keys × rowWidth. */
  readonly values: Float64Array;
  /** keys × views, wall ms of the view's cell; stays NaN where the view is absent. */
  readonly writtenAtMs: Float64Array;
  /** By key: wall ms at which the store was asked for a cached row; stays NaN where this read asked the store. */
  readonly askedAtMs?: Float64Array | undefined;
}

/** Loads rows into a table; used by `features load` and by tests. */
export interface FeatureWriter {
  /** Creates the table and families if they are missing. */
  ensureTable(table: string, families: readonly string[]): Promise<void>;
  write(write: FeatureWrite): Promise<void>;
  close(): Promise<void>;
}

export interface FeatureWrite {
  readonly table: string;
  readonly layout: Layout;
  /** With layout `feast`. */
  readonly feast?: FeastEntity | undefined;
  readonly views: readonly ViewSpec[];
  readonly rowWidth: number;
  readonly keys: readonly Buffer[];
  /** keys × rowWidth; a view whose numbers are all NaN is not written. */
  readonly values: Float64Array;
  /** keys × views: 1 where the view is to be written. */
  readonly present: Uint8Array;
  readonly timestampMs: number;
}
