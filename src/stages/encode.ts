import { createKeysWriter, type RecordKeys } from '../codecs/key-writer.ts';
import type { BodyKeys, ValueEncoder } from '../codecs/types.ts';
import { DEAD_LETTERED, OPEN, reasonCode } from '../kernel/fate.ts';
import { decide, type Frame } from '../kernel/frame.ts';
import { RecordSlab } from '../kernel/record-slab.ts';
import type { Plan } from '../plan/plan.ts';
import { Pool } from './pool.ts';
import type { SyncStage } from './types.ts';

const ENCODE_FAILED = reasonCode('encode-failed');
/** First guess of an output's size; the slab grows where it is short. */
const GUESS_BYTES = 96;

/**
 * encode: predictions and event columns → output records (key, value, the input's timestamp), one per OPEN record; deliver adds the
 * headers. Each is laid out as in a record batch, from the key on: deliver and sink copy it in one piece.
 * Values that do not fit the output schema dead-letter as `encode-failed`, and so do records whose output key has a missing part.
 */
export function createEncode(plan: Plan, encoder: ValueEncoder): SyncStage {
  const { outputKey } = plan;
  const writeKeys = outputKey && createKeysWriter(outputKey);

  const memory = new Pool((records) => ({
    slab: new RecordSlab(records, records * GUESS_BYTES),
    encodedAs: new Int32Array(records),
    made: writeKeys && {
      bytes: Buffer.alloc(0),
      starts: new Int32Array(records),
      ends: new Int32Array(records),
    },
  }));

  /** The keys of the outputs. A record whose key has a missing part gets its fate here. */
  function keysOf(frame: Frame, made: RecordKeys | undefined): BodyKeys {
    if (made === undefined || writeKeys === undefined) {
      return { bytes: viewOf(frame.arena), starts: frame.keyStart, ends: frame.keyEnd };
    }
    const { count, fate } = frame;
    const { starts, ends } = made;
    writeKeys(frame.columns, fate, count, made);
    for (let i = 0; i < count; i++) {
      if (fate[i] === OPEN && (starts[i] < 0 || ends[i] === starts[i])) decide(frame, i, DEAD_LETTERED, ENCODE_FAILED);
    }
    return { bytes: viewOf(made.bytes), starts, ends };
  }

  return (frame) => {
    const { count, fate, timestamps } = frame;
    const lent = memory.lend(frame, count);
    const { slab } = lent;
    slab.clear();
    const encodedAs = lent.encodedAs.length === count ? lent.encodedAs : lent.encodedAs.subarray(0, count);
    encodedAs.fill(-1);
    const keys = keysOf(frame, lent.made);
    const bodies = encoder.bindBodies(frame.columns, frame.predictions);
    for (let from = 0; from < count; from++) {
      from = bodies(keys, timestamps, fate, slab, encodedAs, from, count);
      if (from < count) decide(frame, from, DEAD_LETTERED, ENCODE_FAILED);
    }
    frame.encoded = slab;
    frame.encodedAs = encodedAs;
  };
}

function viewOf({ buffer, byteOffset, byteLength }: Buffer): DataView {
  return new DataView(buffer, byteOffset, byteLength);
}
