import { MAX_KEY_BYTES, writeKey } from '../codecs/key-template.ts';
import type { KeyTemplate } from '../codecs/types.ts';
import { OPEN } from '../kernel/fate.ts';
import type { Frame } from '../kernel/frame.ts';
import { murmur2 } from '../kernel/murmur2.ts';

/**
 * The distinct keys of a frame, as bytes in one slab, and for each record which one it has. Reused from frame to frame;
 * `index` alone is made anew, because the frame keeps it. No string or object a record.
 */
export class KeyTable {
  bytes = Buffer.allocUnsafeSlow(64 * 1024);
  /** Distinct keys found by the last `gather`. */
  distinct = 0;
  starts = new Int32Array(1024);
  ends = new Int32Array(1024);
  hashes = new Int32Array(1024);
  private table = new Int32Array(2048);

  /** Record → distinct key + 1; 0 where the key is missing (null, empty, too long) or the record is not OPEN. */
  gather(frame: Frame, template: KeyTemplate): Int32Array {
    const { count, fate, columns } = frame;
    const index = new Int32Array(count);
    this.begin(count);
    let at = 0;
    for (let i = 0; i < count; i++) {
      if (fate[i] !== OPEN) continue;
      if (at + MAX_KEY_BYTES > this.bytes.length) this.growBytes(at);
      const end = writeKey(template, columns, i, this.bytes, at);
      if (end <= at) continue;
      const known = this.intern(at, end);
      index[i] = known + 1;
      if (known === this.distinct - 1 && this.starts[known] === at) at = end;
    }
    return index;
  }

  /** A copy of distinct key `k`, to keep. */
  copyKey(k: number): Buffer {
    // A small Buffer.from is a slice of a pool that everybody shares → a key that is kept keeps 8 KiB → memory of its own.
    const key = Buffer.allocUnsafeSlow(this.ends[k] - this.starts[k]);
    this.bytes.copy(key, 0, this.starts[k], this.ends[k]);
    return key;
  }

  /** The distinct key whose bytes are bytes[at..end), adding it when it is new. */
  private intern(at: number, end: number): number {
    const { table, hashes, starts, ends, bytes } = this;
    const hash = murmur2(bytes, at, end);
    const mask = table.length - 1;
    let slot = hash & mask;
    for (; table[slot] !== 0; slot = (slot + 1) & mask) {
      const k = table[slot] - 1;
      if (hashes[k] === hash && sameBytes(bytes, starts[k], ends[k], at, end)) return k;
    }
    const k = this.distinct++;
    table[slot] = k + 1;
    hashes[k] = hash;
    starts[k] = at;
    ends[k] = end;
    return k;
  }

  private begin(count: number): void {
    this.distinct = 0;
    if (count > this.starts.length) {
      const size = 2 ** Math.ceil(Math.log2(count));
      this.starts = new Int32Array(size);
      this.ends = new Int32Array(size);
      this.hashes = new Int32Array(size);
      this.table = new Int32Array(size * 2);
    } else {
      this.table.fill(0);
    }
  }

  private growBytes(used: number): void {
    const larger = Buffer.allocUnsafeSlow(Math.max(this.bytes.length * 2, used + MAX_KEY_BYTES));
    this.bytes.copy(larger, 0, 0, used);
    this.bytes = larger;
  }
}

function sameBytes(bytes: Buffer, start: number, end: number, otherStart: number, otherEnd: number): boolean {
  if (end - start !== otherEnd - otherStart) return false;
  for (let a = start, b = otherStart; a < end; a++, b++) if (bytes[a] !== bytes[b]) return false;
  return true;
}
