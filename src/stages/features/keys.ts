import { MAX_KEY_BYTES } from '../../codecs/key-template.ts';
import { createKeysWriter, type KeysWriter, type RecordKeys } from '../../codecs/key-writer.ts';
import type { KeyTemplate } from '../../codecs/types.ts';
import { murmur2 } from '../../kernel/bytes/murmur2.ts';
import type { Column } from '../../kernel/columns.ts';
import { OPEN } from '../../kernel/fate.ts';
import type { Frame } from '../../kernel/frame.ts';

/**
 * The distinct keys of a frame, and for each record which one it has. Reused from frame to frame, except `index`, which the frame
 * keeps. No string or object per record.
 *
 * A key that is a single text field is not copied: `bytes` is the frame's memory. All others are written one after the other.
 */
export class KeyTable {
  /** Key k is bytes[starts[k]..ends[k]), until the next `gather`. */
  bytes: Buffer = Buffer.allocUnsafeSlow(64 * 1024);
  /** Distinct keys found by the last `gather`. */
  distinct = 0;
  starts = new Int32Array(1024);
  ends = new Int32Array(1024);
  hashes = new Int32Array(1024);
  private table = new Int32Array(2048);
  private readonly template: KeyTemplate;
  private readonly write: KeysWriter;
  private written: RecordKeys = { bytes: this.bytes, starts: new Int32Array(1024), ends: new Int32Array(1024) };

  constructor(template: KeyTemplate) {
    this.template = template;
    this.write = createKeysWriter(template);
  }

  /** Record → distinct key + 1; 0 where the key is missing (null, empty, too long) or the record is not OPEN. `columns`: what the template's slots count. */
  gather({ count, fate, columns: decoded }: Frame, columns: readonly Column[] = decoded): Int32Array {
    this.begin(count);
    const index = new Int32Array(count);
    const [part, ...others] = this.template.parts;
    const column = others.length === 0 && 'slot' in part ? columns[part.slot] : undefined;
    if (column?.kind === 'string') {
      this.intern(column.bytes, column.start, column.end, fate, index);
    } else {
      this.write(columns, fate, count, this.written);
      const { bytes, starts, ends } = this.written;
      this.intern(bytes, starts, ends, fate, index);
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

  /** Numbers the keys of all records, the same key with the same number. */
  private intern(bytes: Buffer, from: Int32Array, to: Int32Array, fate: Uint8Array, index: Int32Array): void {
    const { table, hashes, starts, ends } = this;
    const mask = table.length - 1;
    let distinct = 0;
    for (let i = 0; i < index.length; i++) {
      const start = from[i];
      const end = to[i];
      if (fate[i] !== OPEN || start < 0 || end <= start || end - start > MAX_KEY_BYTES) continue;
      const hash = murmur2(bytes, start, end);
      let slot = hash & mask;
      let number = table[slot];
      while (
        number !== 0 &&
        !(hashes[number - 1] === hash && sameBytes(bytes, starts[number - 1], ends[number - 1], start, end))
      ) {
        slot = (slot + 1) & mask;
        number = table[slot];
      }
      if (number === 0) {
        hashes[distinct] = hash;
        starts[distinct] = start;
        ends[distinct] = end;
        number = ++distinct;
        table[slot] = number;
      }
      index[i] = number;
    }
    this.bytes = bytes;
    this.distinct = distinct;
  }

  private begin(count: number): void {
    if (count > this.starts.length) {
      const size = 2 ** Math.ceil(Math.log2(count));
      this.starts = new Int32Array(size);
      this.ends = new Int32Array(size);
      this.hashes = new Int32Array(size);
      this.table = new Int32Array(size * 2);
      this.written = { bytes: this.written.bytes, starts: new Int32Array(size), ends: new Int32Array(size) };
    } else {
      this.table.fill(0);
    }
  }
}

function sameBytes(bytes: Buffer, start: number, end: number, otherStart: number, otherEnd: number): boolean {
  if (end - start !== otherEnd - otherStart) return false;
  for (let a = start, b = otherStart; a < end; a++, b++) if (bytes[a] !== bytes[b]) return false;
  return true;
}
