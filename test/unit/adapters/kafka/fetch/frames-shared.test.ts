import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { BEGINNING, type CutLimits, cut, fill, sharedBytes } from '../../../../../src/adapters/kafka/fetch/frames.ts';
import { singly } from '../../../../../src/adapters/kafka/record-batch/messages.ts';
import { decodeBatches, freshBudget } from '../../../../../src/adapters/kafka/record-batch/read.ts';
import type { Frame } from '../../../../../src/kernel/frame.ts';
import { FramePool } from '../../../../../src/kernel/frame-memory.ts';
import { batchOf } from '../../../../fixtures/kafka/batches.ts';

const ORIGIN = { topic: 't', partition: 3, epoch: 1 };
const AT = { nextOffset: 0, receivedAtMs: 0, receivedMonotonicMs: 0 };
const LIMITS: CutLimits = { maxRecords: 512, maxBytes: 20_000, maxRecordBytes: 30_000 };

/** Batches one behind the other, as a fetch brings them. */
async function fetched(batches: readonly (readonly number[])[], options: object = {}) {
  const buffers: Buffer[] = [];
  let offset = 0;
  for (const sizes of batches) {
    const records = sizes.map((bytes, i) => ({
      key: Buffer.from(`k${offset + i}`),
      value: bytes % 7 === 0 ? null : Buffer.alloc(bytes, offset + i),
      headers: (bytes % 5 === 0 ? { h: Buffer.from('x') } : {}) as Record<string, Buffer>,
    }));
    const buffer = await batchOf(records, options);
    buffer.writeBigInt64BE(BigInt(offset), 0);
    offset += sizes.length;
    buffers.push(buffer);
  }
  return decodeBatches(Buffer.concat(buffers), freshBudget());
}

function contents(frame: Frame): object[] {
  const { arena, offsets, timestamps, keyStart, keyEnd, valueStart, valueEnd, headersStart, headersEnd } = frame;
  const part = (start: number, end: number) => (start < 0 ? null : arena.toString('latin1', start, end));
  return Array.from({ length: frame.count }, (_, i) => ({
    offset: offsets[i],
    at: timestamps[i],
    key: part(keyStart[i], keyEnd[i]),
    value: part(valueStart[i], valueEnd[i]),
    headers: part(headersStart[i], headersEnd[i]),
    bytes: frame.valueBytes[i],
  }));
}

test('a frame that lies in its fetch is the same as one that has a copy', async () => {
  const size = fc.oneof(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 900, max: 6_000 }));
  const batch = fc.array(size, { minLength: 1, maxLength: 12 });
  let shared = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(batch, { minLength: 1, maxLength: 6 }),
      fc.integer({ min: 1_000, max: 40_000 }),
      fc.integer({ min: 1, max: 20 }),
      async (batches, maxBytes, maxRecords) => {
        const messages = await fetched(batches);
        const limits = { ...LIMITS, maxBytes, maxRecords };
        const pool = new FramePool(1 << 20);
        for (let from = BEGINNING; from.message < messages.length; ) {
          const next = cut(messages, from, limits);
          const bytes = sharedBytes(messages, next, limits);
          const copy = fill(ORIGIN, messages, next, limits, AT, pool);
          assert.equal(bytes !== undefined, next.bytes >= 1_024 * next.count);
          if (bytes !== undefined) {
            shared++;
            let back = 0;
            const frame = fill(ORIGIN, messages, next, limits, AT, pool, { bytes, giveBack: () => back++ });
            assert.equal(frame.arena, bytes);
            assert.equal(frame.bytes, next.bytes);
            assert.deepEqual(contents(frame), contents(copy));
            frame.giveBack?.();
            assert.equal(back, 1);
          }
          copy.giveBack?.();
          from = next.to;
        }
      },
    ),
    { numRuns: 60 },
  );
  assert.ok(shared > 0);
});

test('records are copied where they lie in several pieces, one by one, or one of them is too large to be kept', async () => {
  const sizes = [[3_001, 3_001], [3_001]];
  const all = await fetched(sizes);
  const limits = { ...LIMITS, maxBytes: 100_000 };
  assert.notEqual(sharedBytes(all, cut(all, BEGINNING, limits), limits), undefined);
  const single = await singly(all);
  assert.equal(sharedBytes(single, cut(single, BEGINNING, limits), limits), undefined);
  const elsewhere = [...all.slice(0, 1), ...(await fetched(sizes)).slice(1)];
  assert.equal(sharedBytes(elsewhere, cut(elsewhere, BEGINNING, limits), limits), undefined);
  const larger = await fetched([[3_001, 40_001, 3_001, 3_001, 3_001]]);
  assert.equal(sharedBytes(larger, cut(larger, BEGINNING, limits), limits), undefined);
  const between = { ...limits, maxRecordBytes: 5_000 };
  const many = await fetched([[3_001, 3_001, 3_001]]);
  assert.notEqual(sharedBytes(many, cut(many, BEGINNING, between), between), undefined);
});
