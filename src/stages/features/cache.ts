import { murmur2 } from '../../kernel/bytes/murmur2.ts';
import { EXPIRES_AT, FeatureEntries, REFRESH_AT, ROW } from './cache-entries.ts';
import { FeatureQueues } from './cache-queues.ts';

/** When an entry is to be thought of otherwise, ms of the monotonic clock. */
export interface Times {
  /** Fresh until then. */
  readonly expiresAtMs: number;
  /** Asked for after that, it is to be read anew; while that is under way it stays as it is. */
  readonly refreshAtMs: number;
}

/** Keys that are looked up together: key k is bytes[starts[k]..ends[k]). */
export interface Keys {
  readonly bytes: Buffer;
  readonly starts: Int32Array;
  readonly ends: Int32Array;
  readonly hashes: Int32Array;
  /** How many. */
  readonly distinct: number;
}

/**
 * A bounded cache of feature rows: key bytes → one row of numbers and one timestamp per view. Slabs and an open-addressing
 * index, no object per entry. Absent rows are entries too (negative), with a life of their own.
 *
 * Which entry makes room is the queues' to say (cache-queues.ts: S3-FIFO). Memory grows with use, up to `entries` rows.
 * Limit: entries whose key was evicted are looked up again; nothing else is promised.
 */
export class FeatureCache {
  readonly rowWidth: number;
  readonly views: number;
  private readonly entries: number;
  private capacity: number;
  private used = 0;
  private readonly queues: FeatureQueues;
  private readonly slab: FeatureEntries;
  private hashes: Int32Array;
  /** Pairs: a hash, and its entry + 1; 0 ends a chain. Side by side, so that a key of another hash costs no second look. */
  private index: Int32Array;
  /** By key of the last `findAll`: its entry, or -1. */
  found = new Int32Array(1024);
  /** What is read and never used may be left out by the compiler. */
  seen = 0;

  constructor(options: { readonly entries: number; readonly rowWidth: number; readonly views: number }) {
    this.entries = options.entries;
    this.rowWidth = options.rowWidth;
    this.views = options.views;
    this.capacity = Math.min(this.entries, 1024);
    this.queues = new FeatureQueues(this.entries, this.capacity);
    this.slab = new FeatureEntries(this.capacity, this.views, this.rowWidth);
    this.hashes = new Int32Array(this.capacity);
    this.index = new Int32Array(2 * indexSize(this.capacity));
  }

  get size(): number {
    return this.used;
  }

  /**
   * The entries of keys that are fresh at `nowMs` (monotonic), into `found`. Tells how many are not there.
   *
   * One look-up waits for index, key and row, one miss after the other (cause) → with 100,000 rows most of its time is waiting
   * (effect) → loops that do nothing else have the misses of many keys under way at a time (guard).
   */
  findAll(keys: Keys, nowMs: number): number {
    const count = keys.distinct;
    if (count > this.found.length) this.found = new Int32Array(count * 2);
    this.approach(keys.hashes, count);
    const { found, slab, queues } = this;
    const { bytes, starts, ends, hashes } = keys;
    const { numbers, stride } = slab;
    let missing = 0;
    for (let k = 0; k < count; k++) {
      let entry = found[k];
      if (entry !== -1 && !slab.hasKey(entry, bytes, starts[k], ends[k])) {
        entry = this.locate(bytes, starts[k], ends[k], hashes[k]);
      }
      if (entry !== -1 && numbers[entry * stride + EXPIRES_AT] > nowMs) {
        queues.used(entry);
      } else {
        entry = -1;
        missing++;
      }
      found[k] = entry;
    }
    return missing;
  }

  /** The first entry of each hash, into `found`, with what will be read of it fetched to the processor's cache. */
  private approach(hashes: Int32Array, count: number): void {
    const { index, found } = this;
    const { numbers, stride } = this.slab;
    const mask = index.length - 1;
    for (let k = 0; k < count; k++) {
      const hash = hashes[k];
      let at = (hash << 1) & mask;
      while (index[at] !== hash && index[at + 1] !== 0) at = (at + 2) & mask;
      found[k] = index[at + 1] - 1;
    }
    let seen = 0;
    for (let k = 0; k < count; k++) {
      const entry = found[k];
      if (entry === -1) continue;
      const at = entry * stride;
      seen += numbers[at] > 0 ? 1 : 0;
      for (let next = at + LINE; next < at + Math.min(stride, TOUCHED); next += LINE) seen += numbers[next] > 0 ? 1 : 0;
    }
    this.seen = seen;
  }

  /** The entry of a key that is fresh at `nowMs` (monotonic), or -1. */
  find(bytes: Buffer, start: number, end: number, hash: number, nowMs: number): number {
    const entry = this.locate(bytes, start, end, hash);
    if (entry === -1 || this.slab.numbers[entry * this.slab.stride + EXPIRES_AT] <= nowMs) return -1;
    this.queues.used(entry);
    return entry;
  }

  /**
   * The entry of a key that is fresh no more, or -1: one that expired after `presentMs`, or after `absentMs` where it says
   * that there is no such row. Tells nothing of when it was read: take its time to live off.
   */
  findStale(bytes: Buffer, start: number, end: number, hash: number, presentMs: number, absentMs: number): number {
    const entry = this.locate(bytes, start, end, hash);
    if (entry === -1) return -1;
    const { numbers, stride } = this.slab;
    if (numbers[entry * stride + EXPIRES_AT] <= (this.slab.isPresent(entry) ? presentMs : absentMs)) return -1;
    this.queues.used(entry);
    return entry;
  }

  private locate(bytes: Buffer, start: number, end: number, hash: number): number {
    const { index } = this;
    const mask = index.length - 1;
    for (let at = (hash << 1) & mask; ; at = (at + 2) & mask) {
      const entry = index[at + 1] - 1;
      if (entry === -1) return -1;
      if (index[at] === hash && this.slab.hasKey(entry, bytes, start, end)) return entry;
    }
  }

  /** False for a negative entry: the store said that there is no such row. */
  isPresent(entry: number): boolean {
    return this.slab.isPresent(entry);
  }

  /** Whether the entry is to be read anew by `nowMs`. */
  isDue(entry: number, nowMs: number): boolean {
    return this.slab.numbers[entry * this.slab.stride + REFRESH_AT] <= nowMs;
  }

  /** It is read anew; not before `atMs` again, unless that brings it. */
  postpone(entry: number, atMs: number): void {
    this.slab.numbers[entry * this.slab.stride + REFRESH_AT] = atMs;
  }

  /** Copies an entry's row and timestamps to row `row` of the targets. */
  copyTo(entry: number, values: Float64Array, writtenAt: Float64Array, row: number): void {
    const { views, rowWidth } = this;
    const { numbers, stride } = this.slab;
    const at = entry * stride + ROW;
    copy(numbers, at, writtenAt, row * views, views);
    copy(numbers, at + views, values, row * rowWidth, rowWidth);
  }

  /** Stores row `row` of the sources under a key, replacing what it had. */
  put(
    key: Buffer,
    values: Float64Array,
    writtenAt: Float64Array,
    row: number,
    present: boolean,
    { expiresAtMs, refreshAtMs }: Times,
  ): void {
    const entry = this.place(key);
    const { views, slab } = this;
    const { numbers, stride } = slab;
    const at = entry * stride;
    numbers[at + EXPIRES_AT] = expiresAtMs;
    numbers[at + REFRESH_AT] = refreshAtMs;
    copy(writtenAt, row * views, numbers, at + ROW, views);
    copy(values, row * this.rowWidth, numbers, at + ROW + views, this.rowWidth);
    slab.setPresent(entry, present);
  }

  /** What is known of a key is not so any more; false where nothing was. Its place is kept for what comes instead. */
  drop(key: Buffer): boolean {
    const entry = this.locate(key, 0, key.length, murmur2(key, 0, key.length));
    if (entry === -1) return false;
    const { numbers, stride } = this.slab;
    const known = numbers[entry * stride + EXPIRES_AT] !== DROPPED;
    numbers[entry * stride + EXPIRES_AT] = DROPPED;
    return known;
  }

  /** Of every key; tells of how many something was known. */
  dropAll(): number {
    const { numbers, stride } = this.slab;
    let dropped = 0;
    for (let at = EXPIRES_AT; at < this.used * stride; at += stride) {
      if (numbers[at] !== DROPPED) dropped++;
      numbers[at] = DROPPED;
    }
    return dropped;
  }

  private place(key: Buffer): number {
    const hash = murmur2(key, 0, key.length);
    const known = this.locate(key, 0, key.length, hash);
    if (known !== -1) return known;
    if (this.used === this.capacity && this.capacity < this.entries) this.grow();
    const entry = this.used < this.capacity ? this.used++ : this.evict();
    this.slab.setKey(entry, key);
    this.hashes[entry] = hash;
    this.queues.admit(entry, hash);
    this.link(hash, entry);
    return entry;
  }

  private link(hash: number, entry: number): void {
    const mask = this.index.length - 1;
    let at = (hash << 1) & mask;
    while (this.index[at + 1] !== 0) at = (at + 2) & mask;
    this.index[at] = hash;
    this.index[at + 1] = entry + 1;
  }

  private evict(): number {
    const entry = this.queues.evict(this.hashes);
    this.unlink(entry);
    return entry;
  }

  /** Removes an entry from the index by shifting later ones of its chain back, so that no tombstones pile up. */
  private unlink(entry: number): void {
    const { index } = this;
    const mask = index.length - 1;
    let hole = (this.hashes[entry] << 1) & mask;
    while (index[hole + 1] !== entry + 1) hole = (hole + 2) & mask;
    for (let at = (hole + 2) & mask; index[at + 1] !== 0; at = (at + 2) & mask) {
      const home = (index[at] << 1) & mask;
      if (((at - home) & mask) >= ((at - hole) & mask)) {
        index[hole] = index[at];
        index[hole + 1] = index[at + 1];
        hole = at;
      }
    }
    index[hole + 1] = 0;
  }

  private grow(): void {
    this.capacity = Math.min(this.entries, this.capacity * 2);
    this.queues.grow(this.capacity);
    this.slab.grow(this.capacity);
    const { hashes } = this;
    this.hashes = new Int32Array(this.capacity);
    this.hashes.set(hashes);
    this.index = new Int32Array(2 * indexSize(this.capacity));
    for (let entry = 0; entry < this.used; entry++) this.link(this.hashes[entry], entry);
  }
}

/** float64 of a line of the processor's cache; wide rows are fetched by the processor itself from some lines on. */
const LINE = 8;
const TOUCHED = 4 * LINE;
/** Before every time, also those that reach back. */
const DROPPED = Number.NEGATIVE_INFINITY;

/** Copies one row of `width` numbers between slabs. */
export function copyRow(from: Float64Array, fromRow: number, to: Float64Array, toRow: number, width: number): void {
  copy(from, fromRow * width, to, toRow * width, width);
}

function copy(from: Float64Array, source: number, to: Float64Array, target: number, count: number): void {
  for (let k = 0; k < count; k++) to[target + k] = from[source + k];
}

function indexSize(entries: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(16, entries * 2)));
}
