import { copyBytes } from '../kernel/bytes/copy-bytes.ts';
import { putVarint, varintBytes } from '../kernel/bytes/varints.ts';
import { OPEN } from '../kernel/fate.ts';
import type { BodiesEncoder, RowEncoder } from './types.ts';

/** Most bytes of a key's or value's length, as a varint. */
export const MAX_LENGTH_BYTES = 5;

/** Bodies by an encoder that is called once for each value; compileAvroEncoder generates a loop for this instead. */
export function bodiesOf(value: RowEncoder): BodiesEncoder {
  /** A value's length is known only after the value is written; usually it takes as many bytes as the last one's. */
  let lengthBytes = 1;
  return (keys, timestamps, fate, slab, rows, from, to) => {
    for (let i = from; i < to; i++) {
      if (fate[i] !== OPEN) continue;
      const body = slab.used;
      const key = keys.starts[i];
      const keyBytes = key < 0 ? 0 : keys.ends[i] - key;
      slab.reserve(2 * MAX_LENGTH_BYTES + keyBytes);
      // The length -1 of a null key is 1 in zigzag.
      const keyAt = putVarint(slab.arena, body, key < 0 ? 1 : keyBytes * 2);
      copyBytes(slab.view, keyAt, keys.bytes, key, keyBytes);
      const lengthAt = keyAt + keyBytes;
      slab.used = lengthAt + lengthBytes;
      let isThere = value(i, slab);
      const needed = varintBytes((slab.used - lengthAt - lengthBytes) * 2);
      if (isThere && needed !== lengthBytes) {
        lengthBytes = needed;
        slab.used = lengthAt + needed;
        isThere = value(i, slab);
      }
      if (!isThere) {
        slab.used = body;
        return i;
      }
      const start = lengthAt + lengthBytes;
      putVarint(slab.arena, lengthAt, (slab.used - start) * 2);
      rows[i] = slab.endBody(timestamps[i], body, key < 0 ? -1 : keyAt, key < 0 ? -1 : lengthAt, start);
    }
    return to;
  };
}
