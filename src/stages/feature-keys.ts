/**
 * The key bytes of cache entries, by entry: a place of fixed width each, in one slab that is used again and again.
 *
 * A buffer a key costs three objects and an allocation outside the heap, some 200 bytes for the seven of "BOS#JFK" (cause)
 * → a million entries are three million objects that every major collection walks (effect) → keys of up to INLINE_BYTES, a
 * UUID with a prefix among them, lie in the slab (guard). Limit: a longer key takes memory of its own, as long as it is.
 */
export class KeySlab {
  /** A place each: the length in one byte, LONG where the key lies elsewhere, and the key. */
  private bytes: Uint8Array;
  private readonly long = new Map<number, Uint8Array>();

  constructor(capacity: number) {
    this.bytes = new Uint8Array(capacity * PLACE);
  }

  grow(capacity: number): void {
    const { bytes } = this;
    this.bytes = new Uint8Array(capacity * PLACE);
    this.bytes.set(bytes);
  }

  set(entry: number, key: Uint8Array): void {
    const { bytes } = this;
    const at = entry * PLACE;
    if (bytes[at] === LONG) this.long.delete(entry);
    if (key.length > INLINE_BYTES) {
      bytes[at] = LONG;
      this.long.set(entry, Uint8Array.from(key));
    } else {
      bytes[at] = key.length;
      bytes.set(key, at + 1);
    }
  }

  /** Of its place, so that this is at hand. */
  first(entry: number): number {
    return this.bytes[entry * PLACE];
  }

  /** A few bytes: a loop costs less than the native comparison takes to be called. */
  is(entry: number, key: Uint8Array, start: number, end: number): boolean {
    const { bytes } = this;
    const at = entry * PLACE;
    const length = end - start;
    if (bytes[at] !== length || length > INLINE_BYTES)
      return bytes[at] === LONG && this.isLong(entry, key, start, length);
    for (let k = 0; k < length; k++) if (bytes[at + 1 + k] !== key[start + k]) return false;
    return true;
  }

  private isLong(entry: number, key: Uint8Array, start: number, length: number): boolean {
    const bytes = this.long.get(entry) as Uint8Array;
    if (bytes.length !== length) return false;
    for (let k = 0; k < length; k++) if (bytes[k] !== key[start + k]) return false;
    return true;
  }
}

export const INLINE_BYTES = 47;
const PLACE = INLINE_BYTES + 1;
const LONG = 255;
