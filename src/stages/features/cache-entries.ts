/**
 * The entries of a feature cache, one after the other in one slab, each with its key, its times, the timestamps of its views, and its
 * numbers.
 *
 *   [length and flag, 1 byte][key, up to 47 bytes][expires at][refresh at][a timestamp per view][numbers]
 *
 * With a million entries, each place that a look-up reads is a miss of the processor's cache and of its page table cache (cause) →
 * with a slab per column, a look-up mostly waits for memory (effect) → one slab, with the key beside the times (guard).
 *
 * A buffer per key costs three objects and an allocation outside the heap, some 200 bytes for the seven of "BOS#JFK" (cause)
 * → a million entries are three million objects that every major collection walks (effect) → keys of up to INLINE_BYTES, a
 * UUID with a prefix among them, lie in the slab (guard). Limit: a longer key takes memory of its own, as long as it is.
 */
export class FeatureEntries {
  /** float64 of an entry. */
  readonly stride: number;
  numbers: Float64Array;
  private bytes: Uint8Array;
  private readonly long = new Map<number, Uint8Array>();

  constructor(capacity: number, views: number, rowWidth: number) {
    this.stride = ROW + views + rowWidth;
    this.numbers = new Float64Array(capacity * this.stride);
    this.bytes = new Uint8Array(this.numbers.buffer);
  }

  grow(capacity: number): void {
    const { numbers } = this;
    this.numbers = new Float64Array(capacity * this.stride);
    this.numbers.set(numbers);
    this.bytes = new Uint8Array(this.numbers.buffer);
  }

  setKey(entry: number, key: Uint8Array): void {
    const { bytes } = this;
    const at = entry * this.stride * 8;
    if ((bytes[at] & LENGTH) === LONG) this.long.delete(entry);
    if (key.length > INLINE_BYTES) {
      bytes[at] = LONG;
      this.long.set(entry, Uint8Array.from(key));
    } else {
      bytes[at] = key.length;
      bytes.set(key, at + 1);
    }
  }

  /** A few bytes: a loop costs less than the native comparison takes to be called. */
  hasKey(entry: number, key: Uint8Array, start: number, end: number): boolean {
    const { bytes } = this;
    const at = entry * this.stride * 8;
    const length = end - start;
    const known = bytes[at] & LENGTH;
    if (known !== length || known === LONG) return known === LONG && this.hasLongKey(entry, key, start, length);
    for (let k = 0; k < length; k++) if (bytes[at + 1 + k] !== key[start + k]) return false;
    return true;
  }

  isPresent(entry: number): boolean {
    return this.bytes[entry * this.stride * 8] >= PRESENT;
  }

  setPresent(entry: number, present: boolean): void {
    const at = entry * this.stride * 8;
    this.bytes[at] = (this.bytes[at] & LENGTH) | (present ? PRESENT : 0);
  }

  private hasLongKey(entry: number, key: Uint8Array, start: number, length: number): boolean {
    const bytes = this.long.get(entry) as Uint8Array;
    if (bytes.length !== length) return false;
    for (let k = 0; k < length; k++) if (bytes[k] !== key[start + k]) return false;
    return true;
  }
}

export const INLINE_BYTES = 47;
const KEY = (INLINE_BYTES + 1) / 8;
/** Where it is, in float64 from the entry's begin. */
export const EXPIRES_AT = KEY;
export const REFRESH_AT = KEY + 1;
/** Timestamps, and the numbers behind them. */
export const ROW = KEY + 2;

/** Of the first byte: how long the key is, or that it lies elsewhere; whether the row is there. */
const LENGTH = 63;
const LONG = 63;
const PRESENT = 64;
