/**
 * Values by key that several processes share and that may be gone at any time: what is kept of feature rows beside their
 * store. Everything is bytes; what they mean is kernel/cells/kept-rows.ts.
 */
export interface SharedCache {
  /** Who is asked, for people. */
  readonly where: string;
  /** Reaches it, or rejects; nothing else waits for this. */
  reach(): Promise<void>;
  /** A value a key, null where there is none. Rejects when one of them could not be had. */
  get(keys: readonly Buffer[]): Promise<readonly (Buffer | null)[]>;
  /** Keeps each that is asked later than what is there, and no marked one; gives how many were kept. */
  keep(entries: readonly SharedCacheEntry[]): Promise<number>;
  /** Puts entries there whatever there is. */
  mark(entries: readonly SharedCacheEntry[]): Promise<void>;
  /** What is under way is given up; the next call connects anew. */
  drop(): void;
  close(): void;
}

export interface SharedCacheEntry {
  readonly key: Buffer;
  readonly value: Buffer;
  /** From when it is gone. */
  readonly ttlMs: number;
}
