/** A kafkajs `eachMessage` handler with one model run and one send per record: what most services begin with. */
import { answer, clients, decode, fill, job, loadModel, rowsFor } from './job.ts';

const model = await loadModel();
const { consumer, producer } = await clients();

await consumer.run({
  autoCommitInterval: 1_000,
  partitionsConsumedConcurrently: 16,
  async eachMessage({ partition, message }) {
    if (message.value === null) return;
    const rows = rowsFor(1);
    const event = decode(message.value);
    fill(rows, 0, event);
    const scores = await model(rows, 1);
    await producer.send({ topic: job.output, acks: -1, messages: [answer(event, message, partition, scores)] });
  },
});
