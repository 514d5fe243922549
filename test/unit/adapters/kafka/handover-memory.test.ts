import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { fetchMemory } from '../../../../src/adapters/kafka/fetch-memory.ts';
import { type ClientDecoder, decodeMessages } from '../../../../src/adapters/kafka/record-batches.ts';
import type { RecordRange } from '../../../../src/kernel/record-columns.ts';
import { batchOf } from '../../../fixtures/kafka/batches.ts';
import { batch, setUp } from '../../../fixtures/kafka/handover.ts';

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

test('frames have copies: the memory of a fetch is lent again once all of it was handed over, and not before', async () => {
  const { handover, member, frames } = setUp(100, 1_000_000);
  const values = Array.from({ length: 3 }, (_, i) => String(i).repeat(30_000));
  const { response, messages, fetched } = await fetchOf(values);
  const unknown = { ...batch(10, []), partition: 7, rawMessages: [] };
  assert.deepEqual(handover.admit([unknown, fetched]), [fetched]);
  const meanwhile = fetchMemory.response(response.length);
  assert.notEqual(meanwhile.buffer, response.buffer);
  await handover.deliver(member, fetched);
  const again = fetchMemory.response(response.length);
  assert.equal(again.buffer, response.buffer);
  again.fill(0xdb);
  (messages[0].records as RecordRange).columns.valueStart.fill(-1);
  assert.deepEqual(
    frames.flatMap(({ arena, valueStart, valueEnd, count }) =>
      Array.from({ length: count }, (_, i) => arena.toString('latin1', valueStart[i], valueEnd[i])),
    ),
    values,
  );
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
