import { MAX_KEY_BYTES, writeKey } from '../codecs/key-template.ts';
import type { KeyTemplate, ValueEncoder } from '../codecs/types.ts';
import type { Column } from '../kernel/columns.ts';
import { copyBytes } from '../kernel/copy-bytes.ts';
import { DEAD_LETTERED, OPEN, reasonCode } from '../kernel/fate.ts';
import { decide } from '../kernel/frame.ts';
import { RecordSlab } from '../kernel/record-slab.ts';
import { putVarint, varintBytes } from '../kernel/varints.ts';
import type { Plan } from '../plan/plan.ts';
import { Pool } from './loans.ts';
import type { SyncStage } from './types.ts';

const ENCODE_FAILED = reasonCode('encode-failed');
/** First guess of an output's size; the slab grows where it is short. */
const GUESS_BYTES = 96;
/** Of a part, as a varint. */
const MAX_LENGTH_BYTES = 5;

/**
 * encode: predictions and event columns → output records (key, value, the input's timestamp), one an OPEN record; deliver puts the headers on.
 * Each lies there as in a record batch, from the key on: deliver and sink copy it in one piece.
 * Values that do not fit the output schema dead-letter as `encode-failed`; so does an output key with a missing part.
 */
export function createEncode(plan: Plan, encoder: ValueEncoder): SyncStage {
  const { outputKey } = plan;

  const memory = new Pool((records) => ({
    slab: new RecordSlab(records, records * GUESS_BYTES),
    encodedAs: new Int32Array(records),
  }));

  /** How many bytes a value's length takes is known when the value is there: as many as the last one's, mostly. */
  let lengthBytes = 1;

  return (frame) => {
    const { count, fate, timestamps, keyStart, keyEnd } = frame;
    const lent = memory.lend(frame, count);
    const { slab } = lent;
    slab.clear();
    const encodedAs = lent.encodedAs.length === count ? lent.encodedAs : lent.encodedAs.subarray(0, count);
    encodedAs.fill(-1);
    const value = encoder.bind(frame.columns, frame.predictions);
    const source = new DataView(frame.arena.buffer, frame.arena.byteOffset, frame.arena.byteLength);
    for (let i = 0; i < count; i++) {
      if (fate[i] !== OPEN) continue;
      const body = slab.used;
      let key = -1;
      if (outputKey !== undefined) {
        key = putMadeKey(slab, outputKey, frame.columns, i);
        if (key < 0) {
          fail(body, i);
          continue;
        }
      } else if (keyStart[i] < 0) putNullKey(slab);
      else key = putKey(slab, source, keyStart[i], keyEnd[i]);
      const lengthAt = slab.used;
      slab.used = lengthAt + lengthBytes;
      let isThere = value(i, slab);
      const needed = varintBytes((slab.used - lengthAt - lengthBytes) * 2);
      if (isThere && needed !== lengthBytes) {
        lengthBytes = needed;
        slab.used = lengthAt + needed;
        isThere = value(i, slab);
      }
      if (!isThere) {
        fail(body, i);
        continue;
      }
      const start = lengthAt + lengthBytes;
      putVarint(slab.arena, lengthAt, (slab.used - start) * 2);
      encodedAs[i] = slab.endBody(timestamps[i], body, key, key < 0 ? -1 : lengthAt, start);
    }
    frame.encoded = slab;
    frame.encodedAs = encodedAs;

    function fail(usedBefore: number, i: number): void {
      slab.used = usedBefore;
      decide(frame, i, DEAD_LETTERED, ENCODE_FAILED);
    }
  };
}

/** The length of a key that is null. */
function putNullKey(slab: RecordSlab): void {
  const at = slab.reserve(1);
  slab.arena[at] = 1;
  slab.used = at + 1;
}

/** Returns where the key begins; it ends at `used`. */
function putKey(slab: RecordSlab, source: DataView, from: number, to: number): number {
  const bytes = to - from;
  const at = slab.reserve(MAX_LENGTH_BYTES + bytes);
  const start = putVarint(slab.arena, at, bytes * 2);
  copyBytes(slab.view, start, source, from, bytes);
  slab.used = start + bytes;
  return start;
}

/** As putKey; -1 where a part of it is missing. */
function putMadeKey(slab: RecordSlab, template: KeyTemplate, columns: readonly Column[], i: number): number {
  const at = slab.reserve(MAX_LENGTH_BYTES + MAX_KEY_BYTES);
  // One byte says up to 63.
  for (let lengthBytes = 1; lengthBytes <= 2; lengthBytes++) {
    const start = at + lengthBytes;
    const end = writeKey(template, columns, i, slab.arena, start);
    if (end <= start) return -1;
    if (varintBytes((end - start) * 2) > lengthBytes) continue;
    putVarint(slab.arena, at, (end - start) * 2);
    slab.used = end;
    return start;
  }
  return -1;
}
