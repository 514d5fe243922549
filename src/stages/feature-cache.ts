import { murmur2 } from '../kernel/murmur2.ts';
import { KeySlab } from './feature-keys.ts';
import { FeatureQueues } from './feature-queues.ts';

/** When an entry is to be thought of otherwise, ms of the monotonic clock. */
export interface Times {
  /** Fresh until then. */
  readonly expiresAtMs: number;
  /** Asked for after that, it is to be read anew; while that is under way it stays as it is. */
  readonly refreshAtMs: number;
}

/**
 * A bounded cache of feature rows: key bytes → one row of numbers and one timestamp a view. Slabs and an open-addressing
 * index, no object an entry. Absent rows are entries too (negative), with a life of their own.
 *
 * Which entry makes room is the queues' to say (feature-queues.ts: S3-FIFO). Memory grows with use, up to `entries` rows.
 * Limit: entries whose key was evicted are looked up again; nothing else is promised.
 */
export class FeatureCache {
  readonly rowWidth: number;
  readonly views: number;
  private readonly entries: number;
  private capacity: number;
  private used = 0;
  private readonly queues: FeatureQueues;
  private readonly keys: KeySlab;
  private readonly stride: number;
  /** A row each: expires at, refresh at, timestamps, numbers. Side by side: far apart, each were a miss of the processor's cache. */
  private rows: Float64Array;
  private present: Uint8Array;
  private hashes: Int32Array;
  /** Pairs: a hash, and its entry + 1; 0 ends a chain. Side by side, so that a key of another hash costs no second look. */
  private index: Int32Array;
  /** By key of `approach`: the entry that it probably has, or -1. */
  private likely = new Int32Array(1024);
  seen = 0;

  constructor(options: { readonly entries: number; readonly rowWidth: number; readonly views: number }) {
    this.entries = options.entries;
    this.rowWidth = options.rowWidth;
    this.views = options.views;
    this.capacity = Math.min(this.entries, 1024);
    this.queues = new FeatureQueues(this.entries, this.capacity);
    this.keys = new KeySlab(this.capacity);
    this.stride = TIMES + this.views + this.rowWidth;
    this.rows = new Float64Array(this.capacity * this.stride);
    this.present = new Uint8Array(this.capacity);
    this.hashes = new Int32Array(this.capacity);
    this.index = new Int32Array(2 * indexSize(this.capacity));
  }

  get size(): number {
    return this.used;
  }

  /**
   * Fetches to the processor's cache what `find` will read for these keys; changes nothing and promises nothing.
   *
   * One look-up waits for index, key and row, one miss after the other (cause) → with 100,000 rows most of its time is waiting
   * (effect) → loops that do nothing else have the misses of many keys under way at a time (guard): two fifths of a frame's time.
   */
  approach(hashes: Int32Array, count: number): void {
    const { index, rows, stride, keys } = this;
    if (count > this.likely.length) this.likely = new Int32Array(count * 2);
    const { likely } = this;
    const mask = index.length - 1;
    for (let k = 0; k < count; k++) likely[k] = index[((hashes[k] << 1) & mask) + 1] - 1;
    let seen = 0;
    for (let k = 0; k < count; k++) {
      const entry = likely[k];
      if (entry !== -1) seen = (seen + keys.first(entry) + (rows[entry * stride] > 0 ? 1 : 0)) | 0;
    }
    // What is read and never used may be left out by the compiler.
    this.seen = seen;
  }

  /** The entry of a key that is fresh at `nowMs` (monotonic), or -1. */
  find(bytes: Buffer, start: number, end: number, hash: number, nowMs: number): number {
    const entry = this.locate(bytes, start, end, hash);
    if (entry === -1 || this.rows[entry * this.stride] <= nowMs) return -1;
    this.queues.used(entry);
    return entry;
  }

  /**
   * The entry of a key that is fresh no more, or -1: one that expired after `presentMs`, or after `absentMs` where it says
   * that there is no such row. Tells nothing of when it was read: take its time to live off.
   */
  findStale(bytes: Buffer, start: number, end: number, hash: number, presentMs: number, absentMs: number): number {
    const entry = this.locate(bytes, start, end, hash);
    if (entry === -1 || this.rows[entry * this.stride] <= (this.present[entry] === 1 ? presentMs : absentMs)) return -1;
    this.queues.used(entry);
    return entry;
  }

  /** Apart from `find`, which is small enough to become part of its caller: a time that is handed on is boxed, once a key. */
  private locate(bytes: Buffer, start: number, end: number, hash: number): number {
    const { index } = this;
    const mask = index.length - 1;
    for (let at = (hash << 1) & mask; ; at = (at + 2) & mask) {
      const entry = index[at + 1] - 1;
      if (entry === -1) return -1;
      if (index[at] === hash && this.keys.is(entry, bytes, start, end)) return entry;
    }
  }

  /** False for a negative entry: the store said that there is no such row. */
  isPresent(entry: number): boolean {
    return this.present[entry] === 1;
  }

  /** Whether the entry is to be read anew by `nowMs`. */
  isDue(entry: number, nowMs: number): boolean {
    return this.rows[entry * this.stride + 1] <= nowMs;
  }

  /** It is read anew; not before `atMs` again, unless that brings it. */
  postpone(entry: number, atMs: number): void {
    this.rows[entry * this.stride + 1] = atMs;
  }

  /** Copies an entry's row and timestamps to row `row` of the targets. */
  copyTo(entry: number, values: Float64Array, writtenAt: Float64Array, row: number): void {
    const { rows, views } = this;
    const at = entry * this.stride + TIMES;
    copy(rows, at, writtenAt, row * views, views);
    copy(rows, at + views, values, row * this.rowWidth, this.rowWidth);
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
    const { rows, views } = this;
    const at = entry * this.stride;
    rows[at] = expiresAtMs;
    rows[at + 1] = refreshAtMs;
    copy(writtenAt, row * views, rows, at + TIMES, views);
    copy(values, row * this.rowWidth, rows, at + TIMES + views, this.rowWidth);
    this.present[entry] = present ? 1 : 0;
  }

  /** What is known of a key is not so any more; false where nothing was. Its place is kept for what comes instead. */
  drop(key: Buffer): boolean {
    const entry = this.locate(key, 0, key.length, murmur2(key, 0, key.length));
    if (entry === -1 || this.rows[entry * this.stride] === DROPPED) return false;
    this.rows[entry * this.stride] = DROPPED;
    return true;
  }

  /** Of every key; tells of how many something was known. */
  dropAll(): number {
    let dropped = 0;
    for (let at = 0; at < this.used * this.stride; at += this.stride) {
      if (this.rows[at] !== DROPPED) dropped++;
      this.rows[at] = DROPPED;
    }
    return dropped;
  }

  private place(key: Buffer): number {
    const hash = murmur2(key, 0, key.length);
    const known = this.locate(key, 0, key.length, hash);
    if (known !== -1) return known;
    if (this.used === this.capacity && this.capacity < this.entries) this.grow();
    const entry = this.used < this.capacity ? this.used++ : this.evict();
    this.keys.set(entry, key);
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
    this.keys.grow(this.capacity);
    this.rows = widened(this.rows, new Float64Array(this.capacity * this.stride));
    this.present = widened(this.present, new Uint8Array(this.capacity));
    this.hashes = widened(this.hashes, new Int32Array(this.capacity));
    this.index = new Int32Array(2 * indexSize(this.capacity));
    for (let entry = 0; entry < this.used; entry++) this.link(this.hashes[entry], entry);
  }
}

const TIMES = 2;
/** Before every time, also those that reach back. */
const DROPPED = Number.NEGATIVE_INFINITY;

/** Copies one row of `width` numbers between slabs. */
export function copyRow(from: Float64Array, fromRow: number, to: Float64Array, toRow: number, width: number): void {
  copy(from, fromRow * width, to, toRow * width, width);
}

function copy(from: Float64Array, source: number, to: Float64Array, target: number, count: number): void {
  for (let k = 0; k < count; k++) to[target + k] = from[source + k];
}

function widened<T extends Float64Array | Uint8Array | Int32Array>(old: T, next: T): T {
  next.set(old);
  return next;
}

function indexSize(entries: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(16, entries * 2)));
}
