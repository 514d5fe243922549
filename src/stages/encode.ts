import { putBytes } from '../codecs/avro-writers.ts';
import { MAX_KEY_BYTES, writeKey } from '../codecs/key-template.ts';
import type { ValueEncoder } from '../codecs/types.ts';
import { DEAD_LETTERED, OPEN, reasonCode } from '../kernel/fate.ts';
import { decide } from '../kernel/frame.ts';
import { RecordSlab } from '../kernel/record-slab.ts';
import type { Plan } from '../plan/plan.ts';
import { Pool } from './loans.ts';
import { OutputHeaders } from './output-headers.ts';
import type { SyncStage } from './types.ts';

const ENCODE_FAILED = reasonCode('encode-failed');
/** First guess of an output's size; the slab grows where it is short. */
const GUESS_BYTES = 192;

/**
 * encode: predictions and event columns → output records (key, value, headers, the input's timestamp), one an OPEN record.
 * Values that do not fit the output schema dead-letter as `encode-failed`; so does an output key with a missing part.
 */
export function createEncode(plan: Plan, encoder: ValueEncoder): SyncStage {
  const { outputKey } = plan;

  const headers = new OutputHeaders();
  const memory = new Pool((records) => ({
    slab: new RecordSlab(records, records * GUESS_BYTES),
    encodedAs: new Int32Array(records),
  }));

  return (frame) => {
    const { count, fate } = frame;
    const lent = memory.lend(frame, count);
    const { slab } = lent;
    slab.clear();
    const encodedAs = lent.encodedAs.length === count ? lent.encodedAs : lent.encodedAs.subarray(0, count);
    encodedAs.fill(-1);
    const value = encoder.bind(frame.columns, frame.predictions);
    headers.begin(frame);
    for (let i = 0; i < count; i++) {
      if (fate[i] !== OPEN) continue;
      const before = slab.used;
      const row = slab.begin(frame.timestamps[i]);
      // Headers first, from a whole word on, and the rest right behind them: deliver copies a row in one piece.
      headers.appendTo(slab, row, i);
      if (outputKey === undefined) {
        if (frame.keyStart[i] >= 0) copyKey(slab, row, frame.arena, frame.keyStart[i], frame.keyEnd[i]);
      } else {
        const at = slab.reserve(MAX_KEY_BYTES);
        const end = writeKey(outputKey, frame.columns, i, slab.arena, at);
        if (end <= at) {
          fail(row, before, i);
          continue;
        }
        slab.keyStart[row] = at;
        slab.keyEnd[row] = end;
        slab.used = end;
      }
      const valueStart = slab.used;
      if (!value(i, slab)) {
        fail(row, before, i);
        continue;
      }
      slab.valueStart[row] = valueStart;
      slab.valueEnd[row] = slab.used;
      encodedAs[i] = row;
    }
    frame.encoded = slab;
    frame.encodedAs = encodedAs;

    function fail(row: number, usedBefore: number, i: number): void {
      slab.count = row;
      slab.used = usedBefore;
      decide(frame, i, DEAD_LETTERED, ENCODE_FAILED);
    }
  };
}

function copyKey(slab: RecordSlab, row: number, from: Buffer, start: number, end: number): void {
  const at = slab.reserve(end - start);
  putBytes(slab.arena, at, from, start, end);
  slab.keyStart[row] = at;
  slab.keyEnd[row] = at + end - start;
  slab.used = at + end - start;
}
