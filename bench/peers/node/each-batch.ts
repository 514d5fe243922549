/** A kafkajs `eachBatch` loop: one model run and one send per chunk, the offset resolved when the send is acknowledged. */
import type { KafkaMessage, Message } from 'kafkajs';
import { answer, clients, decode, fill, job, loadModel, rowsFor } from './job.ts';

const model = await loadModel();
const { consumer, producer } = await clients();

await consumer.run({
  autoCommitInterval: 1_000,
  eachBatchAutoResolve: false,
  partitionsConsumedConcurrently: 16,
  async eachBatch({ batch, resolveOffset, heartbeat, commitOffsetsIfNecessary, isRunning, isStale }) {
    for (let from = 0; from < batch.messages.length && isRunning() && !isStale(); from += job.batch) {
      const chunk = batch.messages.slice(from, from + job.batch);
      await producer.send({ topic: job.output, acks: -1, messages: await score(chunk, batch.partition) });
      resolveOffset(chunk[chunk.length - 1].offset);
      await commitOffsetsIfNecessary();
      await heartbeat();
    }
  },
});

async function score(chunk: readonly KafkaMessage[], partition: number): Promise<Message[]> {
  const sources = chunk.filter(({ value }) => value !== null);
  const rows = rowsFor(sources.length);
  const events = sources.map(({ value }) => decode(value as Buffer));
  for (let i = 0; i < events.length; i++) fill(rows, i, events[i]);
  const scores = await model(rows, sources.length);
  const each = scores.length / sources.length;
  return events.map((event, i) => answer(event, sources[i], partition, scores.subarray(i * each, (i + 1) * each)));
}
