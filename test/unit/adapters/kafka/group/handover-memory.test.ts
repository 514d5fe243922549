import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { fetchMemory } from '../../../../../src/adapters/kafka/client/fetch-memory.ts';
import { type ClientDecoder, decodeMessages } from '../../../../../src/adapters/kafka/record-batch/read.ts';
import type { Frame } from '../../../../../src/kernel/frame.ts';
import type { RecordRange } from '../../../../../src/kernel/record-columns.ts';
import { batchOf } from '../../../../fixtures/kafka/batches.ts';
import { batch, setUp } from '../../../../fixtures/kafka/handover.ts';

const Decoder = createRequire(import.meta.url)('kafkajs/src/protocol/decoder') as new (bytes: Buffer) => ClientDecoder;

/** A response in memory that is lent, as the client decodes it: one batch, from offset 10 on. */
async function fetchOf(values: readonly string[]) {
  const one = await batchOf(values.map((text) => ({ value: Buffer.from(text) })));
  one.writeBigInt64BE(10n, 0);
  const response = fetchMemory.response(4 + one.length);
  response.writeInt32BE(one.length);
  one.copy(response, 4);
  const messages = await decodeMessages(new Decoder(response), async () => assert.fail());
  return { response, messages, fetched: { ...batch(10, []), messages, rawMessages: messages } };
}

const textsOf = (frames: readonly Frame[]): string[] =>
  frames.flatMap(({ arena, valueStart, valueEnd, count }) =>
    Array.from({ length: count }, (_, i) => arena.toString('latin1', valueStart[i], valueEnd[i])),
  );

/** What is lent next is this memory; it is not kept. */
function isFree({ buffer, length }: Buffer): boolean {
  const next = fetchMemory.response(length);
  return next.buffer === buffer;
}

test('frames of small records have copies: a fetch is lent again once all of it was handed over, and not before', async () => {
  const { handover, member, frames } = setUp(100, 1_000_000);
  const values = Array.from({ length: 100 }, (_, i) => String(i % 10).repeat(900));
  const { response, messages, fetched } = await fetchOf(values);
  const unknown = { ...batch(10, []), partition: 7, rawMessages: [] };
  assert.deepEqual(handover.admit([unknown, fetched]), [fetched]);
  assert.ok(!isFree(response));
  await handover.deliver(member, fetched);
  const again = fetchMemory.response(response.length);
  assert.equal(again.buffer, response.buffer);
  again.fill(0xdb);
  (messages[0].records as RecordRange).columns.valueStart.fill(-1);
  assert.deepEqual(textsOf(frames), values);
});

test('frames of large records lie in the fetch, which is lent again once the last of them is settled', async () => {
  const { handover, member, frames } = setUp(100, 1_000_000);
  const values = Array.from({ length: 5 }, (_, i) => String(i).repeat(30_000));
  const { response, messages, fetched } = await fetchOf(values);
  handover.admit([fetched]);
  await handover.deliver(member, fetched);
  assert.ok(frames.length > 1);
  for (const frame of frames) assert.equal(frame.arena.buffer, response.buffer, 'no copy');
  // Of the fetch; that of the frames is their own.
  (messages[0].records as RecordRange).columns.valueStart.fill(-1);
  for (const frame of frames) {
    assert.ok(!isFree(response), 'a frame lies in it still');
    assert.deepEqual(textsOf(frames), values);
    frame.giveBack?.();
  }
  assert.ok(isFree(response));
});

test('what frames take of a fetch is what the credit was asked for, wherever they lie', async () => {
  const { handover, member, frames, credit } = setUp(100, 1_000_000);
  const { fetched } = await fetchOf(Array.from({ length: 5 }, () => 'x'.repeat(30_000)));
  handover.admit([fetched]);
  await handover.deliver(member, fetched);
  const taken = frames.reduce((sum, { bytes }) => sum + bytes, 0);
  assert.ok(taken > 150_000 && taken < 151_000, String(taken));
  assert.equal(credit.bytes, taken);
});

test('a fetch whose hand-over failed is left to the garbage collector', async () => {
  const { handover, member, lane, group, credit, clock } = setUp(100, 1_000_000);
  const { response, fetched } = await fetchOf(['x'.repeat(100_000)]);
  handover.admit([fetched]);
  const rebalance = Object.assign(new Error('again'), { type: 'REBALANCE_IN_PROGRESS' });
  group.beat = () => Promise.reject(rebalance);
  credit.tryTake(credit.maxRecords, 0);
  await assert.rejects(clock.run(handover.deliver(member, fetched)), rebalance);
  assert.equal(lane.position, 10);
  assert.notEqual(fetchMemory.response(response.length).buffer, response.buffer);
});
