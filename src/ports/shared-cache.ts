/**
 * Values by key that several processes share and that may disappear at any time: the second level of a feature cache.
 * Everything is bytes; kernel/cells/kept-rows.ts says what they mean.
 */
export interface SharedCache {
  /** Names the server, for people. */
  readonly where: string;
  /** Resolves once it is reached, else rejects; nothing else waits for this. */
  reach(): Promise<void>;
  /** One value per key, null where there is none. Rejects when any of them could not be read. */
  get(keys: readonly Buffer[]): Promise<readonly (Buffer | null)[]>;
  /** Stores each entry that is newer than the one there, unless that is a mark; resolves to how many were stored. */
  keep(entries: readonly SharedCacheEntry[]): Promise<number>;
  /** Stores entries, whatever is there. */
  mark(entries: readonly SharedCacheEntry[]): Promise<void>;
  /** Abandons the calls in flight; the next call connects again. */
  drop(): void;
  close(): void;
}

export interface SharedCacheEntry {
  readonly key: Buffer;
  readonly value: Buffer;
  /** Time until it expires. */
  readonly ttlMs: number;
}
