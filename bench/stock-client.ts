/**
 * The stock client alone, as a child of bench/kafka.ts: `node bench/stock-client.ts BROKERS FROM TO RECORDS plain|headers`.
 * Consumes a topic in batches and produces the same keys and values, with the settings and chunk size of Sluice's sink;
 * `headers` adds headers as large as those that Sluice's outputs carry. Prints the µs of CPU a record between the first tenth
 * and the last twentieth, when everything is warm and nothing waits for records.
 */
import { randomUUID } from 'node:crypto';
import { type IHeaders, Kafka, logLevel } from 'kafkajs';

const [brokers, from, to, count, kind] = process.argv.slice(2);
const records = Number(count);
const CHUNK = 500;
const MODEL = Buffer.from('flight-delay@1#0123456789ab');

const kafka = new Kafka({ brokers: brokers.split(','), clientId: 'stock', logLevel: logLevel.NOTHING });
const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 5 });
const consumer = kafka.consumer({ groupId: `stock-${randomUUID()}`, maxBytes: 4 << 20, maxBytesPerPartition: 1 << 20 });
await Promise.all([producer.connect(), consumer.connect()]);
await consumer.subscribe({ topics: [from], fromBeginning: true });

let done = 0;
let first: { readonly done: number; readonly cpu: number } | undefined;
let last = { done: 0, cpu: 0 };
const finished = new Promise<void>((resolve, reject) => {
  consumer.on(consumer.events.CRASH, ({ payload }) => reject(payload.error));
  void consumer.run({
    autoCommit: false,
    eachBatchAutoResolve: true,
    partitionsConsumedConcurrently: 16,
    async eachBatch({ batch: { messages, partition } }) {
      for (let at = 0; at < messages.length; at += CHUNK) {
        const chunk = messages.slice(at, at + CHUNK).map(({ key, value, offset }) => ({
          key,
          value,
          ...(kind === 'headers' && { headers: headersOf(partition, offset) }),
        }));
        await producer.send({ topic: to, messages: chunk, acks: -1 });
        done += chunk.length;
        mark();
        if (done >= records) resolve();
      }
    },
  });
});

function headersOf(partition: number, offset: string): IHeaders {
  return { 'sluice-source': Buffer.from(`${from}/${partition}/${offset}`), 'sluice-model': MODEL };
}

function mark(): void {
  if (done < records * 0.1 || done > records * 0.95) return;
  const { user, system } = process.cpuUsage();
  last = { done, cpu: user + system };
  first ??= last;
}

await finished;
await Promise.all([consumer.disconnect(), producer.disconnect()]);
if (first === undefined) throw new Error('too few records to measure');
process.stdout.write(`${((last.cpu - first.cpu) / (last.done - first.done)).toFixed(3)}\n`);
process.exit(0);
