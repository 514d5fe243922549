import { murmur2 } from '../kernel/murmur2.ts';

/**
 * A bounded cache of feature rows: key bytes → one row of numbers and one timestamp a view. Slabs and an open-addressing
 * index, no object an entry. Absent rows are entries too (negative), with a life of their own.
 *
 * Eviction is CLOCK (Corbató, 1968): a hit sets one bit; the hand goes round, clears the bit where it is set and evicts the
 * first entry where it is not. A new entry takes that place with its bit clear, so keys that are asked for once leave first.
 * (SIEVE differs in where a new entry goes: that needs a list.) Memory grows with use, up to `entries` rows.
 * Limit: entries whose key was evicted are looked up again; nothing else is promised.
 */
export class FeatureCache {
  readonly rowWidth: number;
  readonly views: number;
  private readonly entries: number;
  private capacity: number;
  private used = 0;
  private hand = 0;
  private values: Float64Array;
  private writtenAt: Float64Array;
  private expiresAt: Float64Array;
  private present: Uint8Array;
  private visited: Uint8Array;
  private hashes: Int32Array;
  private keys: Buffer[];
  private index: Int32Array;

  constructor(options: { readonly entries: number; readonly rowWidth: number; readonly views: number }) {
    this.entries = options.entries;
    this.rowWidth = options.rowWidth;
    this.views = options.views;
    this.capacity = Math.min(this.entries, 1024);
    this.values = new Float64Array(this.capacity * this.rowWidth);
    this.writtenAt = new Float64Array(this.capacity * this.views);
    this.expiresAt = new Float64Array(this.capacity);
    this.present = new Uint8Array(this.capacity);
    this.visited = new Uint8Array(this.capacity);
    this.hashes = new Int32Array(this.capacity);
    this.keys = [];
    this.index = new Int32Array(indexSize(this.capacity)).fill(-1);
  }

  get size(): number {
    return this.used;
  }

  /** The entry of a key that is fresh at `nowMs` (monotonic), or -1. */
  find(bytes: Buffer, start: number, end: number, hash: number, nowMs: number): number {
    const entry = this.locate(bytes, start, end, hash);
    if (entry === -1 || this.expiresAt[entry] <= nowMs) return -1;
    this.visited[entry] = 1;
    return entry;
  }

  /**
   * The entry of a key that is fresh no more, or -1: one that expired after `presentMs`, or after `absentMs` where it says
   * that there is no such row. Tells nothing of when it was read: take its time to live off.
   */
  findStale(bytes: Buffer, start: number, end: number, hash: number, presentMs: number, absentMs: number): number {
    const entry = this.locate(bytes, start, end, hash);
    if (entry === -1 || this.expiresAt[entry] <= (this.present[entry] === 1 ? presentMs : absentMs)) return -1;
    this.visited[entry] = 1;
    return entry;
  }

  /** Apart from `find`, which is small enough to become part of its caller: a time that is handed on is boxed, once a key. */
  private locate(bytes: Buffer, start: number, end: number, hash: number): number {
    const { index, hashes, keys } = this;
    const mask = index.length - 1;
    for (let at = hash & mask; ; at = (at + 1) & mask) {
      const entry = index[at];
      if (entry === -1) return -1;
      if (entry >= 0 && hashes[entry] === hash && isKey(keys[entry], bytes, start, end)) return entry;
    }
  }

  /** False for a negative entry: the store said that there is no such row. */
  isPresent(entry: number): boolean {
    return this.present[entry] === 1;
  }

  /** Copies an entry's row and timestamps to row `row` of the targets. */
  copyTo(entry: number, values: Float64Array, writtenAt: Float64Array, row: number): void {
    copyRow(this.values, entry, values, row, this.rowWidth);
    copyRow(this.writtenAt, entry, writtenAt, row, this.views);
  }

  /** Stores row `row` of the sources under a key, replacing what it had. Keeps `key`: hand over bytes of its own. */
  put(
    key: Buffer,
    values: Float64Array,
    writtenAt: Float64Array,
    row: number,
    present: boolean,
    expiresAtMs: number,
  ): void {
    const hash = murmur2(key, 0, key.length);
    const entry = this.place(key, hash);
    copyRow(values, row, this.values, entry, this.rowWidth);
    copyRow(writtenAt, row, this.writtenAt, entry, this.views);
    this.present[entry] = present ? 1 : 0;
    this.expiresAt[entry] = expiresAtMs;
  }

  private place(key: Buffer, hash: number): number {
    const mask = this.index.length - 1;
    for (let at = hash & mask; this.index[at] !== -1; at = (at + 1) & mask) {
      const entry = this.index[at];
      if (entry >= 0 && this.hashes[entry] === hash && this.keys[entry].equals(key)) return entry;
    }
    if (this.used === this.capacity && this.capacity < this.entries) this.grow();
    const entry = this.used < this.capacity ? this.used++ : this.evict();
    this.keys[entry] = key;
    this.hashes[entry] = hash;
    this.visited[entry] = 0;
    this.link(hash, entry);
    return entry;
  }

  private link(hash: number, entry: number): void {
    const mask = this.index.length - 1;
    let at = hash & mask;
    while (this.index[at] >= 0) at = (at + 1) & mask;
    this.index[at] = entry;
  }

  private evict(): number {
    while (this.visited[this.hand] === 1) {
      this.visited[this.hand] = 0;
      this.hand = (this.hand + 1) % this.capacity;
    }
    const entry = this.hand;
    this.hand = (this.hand + 1) % this.capacity;
    this.unlink(entry);
    return entry;
  }

  /** Removes an entry from the index by shifting later ones of its chain back, so that no tombstones pile up. */
  private unlink(entry: number): void {
    const { index, hashes } = this;
    const mask = index.length - 1;
    let hole = hashes[entry] & mask;
    while (index[hole] !== entry) hole = (hole + 1) & mask;
    for (let at = (hole + 1) & mask; index[at] !== -1; at = (at + 1) & mask) {
      const home = hashes[index[at]] & mask;
      if (((at - home) & mask) >= ((at - hole) & mask)) {
        index[hole] = index[at];
        hole = at;
      }
    }
    index[hole] = -1;
  }

  private grow(): void {
    this.capacity = Math.min(this.entries, this.capacity * 2);
    this.values = widened(this.values, new Float64Array(this.capacity * this.rowWidth));
    this.writtenAt = widened(this.writtenAt, new Float64Array(this.capacity * this.views));
    this.expiresAt = widened(this.expiresAt, new Float64Array(this.capacity));
    this.present = widened(this.present, new Uint8Array(this.capacity));
    this.visited = widened(this.visited, new Uint8Array(this.capacity));
    this.hashes = widened(this.hashes, new Int32Array(this.capacity));
    this.index = new Int32Array(indexSize(this.capacity)).fill(-1);
    for (let entry = 0; entry < this.used; entry++) this.link(this.hashes[entry], entry);
  }
}

/** Keys are a few bytes: a loop costs less than the native comparison takes to be called. */
function isKey(key: Buffer, bytes: Buffer, start: number, end: number): boolean {
  if (key.length !== end - start) return false;
  for (let k = 0; k < key.length; k++) if (key[k] !== bytes[start + k]) return false;
  return true;
}

/** Copies one row of `width` numbers between slabs. */
export function copyRow(from: Float64Array, fromRow: number, to: Float64Array, toRow: number, width: number): void {
  let source = fromRow * width;
  let target = toRow * width;
  for (const end = source + width; source < end; source++) to[target++] = from[source];
}

function widened<T extends Float64Array | Uint8Array | Int32Array>(old: T, next: T): T {
  next.set(old);
  return next;
}

function indexSize(entries: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(16, entries * 2)));
}
