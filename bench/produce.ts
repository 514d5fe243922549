import { createRequire } from 'node:module';
import { Kafka, logLevel } from 'kafkajs';
import { toMessages } from '../src/adapters/kafka/produce/stock-messages.ts';
import { batchBound, writeBatch } from '../src/adapters/kafka/record-batch/write.ts';
import { createKafkaSink } from '../src/adapters/kafka/sink.ts';
import { encodeHeaders } from '../src/kernel/headers.ts';
import { RecordSlab } from '../src/kernel/record-slab.ts';
import { createSystemClock } from '../src/kernel/system-clock.ts';
import { RecordingTelemetry } from '../test/fixtures/telemetry.ts';
import { startServices } from '../test/integration/services.ts';
import { positive, readOptions } from './harness/options.ts';

/**
 * CPU per record from the rows of a slab to the bytes of a Produce request: our writer, and the client's encoder, on the same
 * rows in the same process: `node bench/produce.ts [--rows 1000] [--value 24] [--no-headers]`. CPU time, best of several rounds.
 *
 * With `--kafka`, also through the sink to a real broker and back to the acknowledgement, including socket and client: four partitions at a
 * time, ours and the stock client in turns.
 */
const USAGE = `node bench/produce.ts [--rows N] [--value BYTES] [--no-headers] [--kafka]

CPU a record from the rows of a slab to the bytes of a Produce request, by Sluice's writer and by the client's.

  --rows N        rows per request (1000)
  --value BYTES   size of each value (24)
  --no-headers    without the two headers
  --kafka         also to a real broker and back to the acknowledgement; starts one, as the integration tests do`;
const { options } = readOptions(USAGE, {
  rows: { type: 'string', default: '1000' },
  value: { type: 'string', default: '24' },
  headers: { type: 'boolean', default: true },
  kafka: { type: 'boolean', default: false },
});
const ROWS = positive('rows', options.rows);
const VALUE_BYTES = positive('value', options.value);
const ROUNDS = 9;
const PARTITIONS = 4;
const RECORDS_A_ROUND = 400_000;

const PRODUCER = { idHigh: 0, idLow: 4711, epoch: 0, isTransactional: false };
const require = createRequire(import.meta.url);
const stockRequest = require('kafkajs/src/protocol/requests/produce/v7/request') as (made: Record<string, unknown>) => {
  encode(): Promise<{ readonly buffer: Buffer }>;
};

function slab(): RecordSlab {
  const rows = new RecordSlab(ROWS, ROWS * 160);
  for (let i = 0; i < ROWS; i++) {
    const headers = encodeHeaders([
      { name: 'sluice-source', value: Buffer.from(`sensor-readings/3/${1_000_000 + i}`) },
      { name: 'sluice-model', value: Buffer.from('light@1#0123456789ab') },
    ]);
    const value = Buffer.alloc(VALUE_BYTES, i);
    rows.append(
      1_700_000_000_000 + (i >> 3),
      Buffer.from(`device-${i % 5000}`),
      value,
      options.headers ? headers : null,
    );
  }
  return rows;
}

/** µs of CPU a record. */
async function cost(round: () => Promise<number> | number): Promise<number> {
  const before = process.cpuUsage();
  const records = await round();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / records;
}

const rows = slab();
let sink = 0;

function ours(): number {
  const into = Buffer.allocUnsafeSlow(batchBound(rows, 0, rows.count));
  const times = Math.ceil(RECORDS_A_ROUND / ROWS);
  for (let k = 0; k < times; k++) {
    batchBound(rows, 0, rows.count);
    sink += writeBatch(into, 0, rows, 0, rows.count, PRODUCER, k);
  }
  return times * ROWS;
}

async function stock(): Promise<number> {
  const times = Math.ceil(RECORDS_A_ROUND / ROWS / 20);
  for (let k = 0; k < times; k++) {
    const messages = toMessages(rows, 0, rows.count, 0, () => undefined);
    const topicData = [{ topic: 'predictions', partitions: [{ partition: 0, firstSequence: 0, messages }] }];
    const { buffer } = await stockRequest({
      acks: -1,
      timeout: 4_000,
      producerId: 4711,
      producerEpoch: 0,
      topicData,
    }).encode();
    sink += buffer.length;
  }
  return times * ROWS;
}

let [best, bestStock] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
for (let round = 0; round < ROUNDS; round++) {
  best = Math.min(best, await cost(ours));
  bestStock = Math.min(bestStock, await cost(stock));
}
const bytes = writeBatch(Buffer.alloc(batchBound(rows, 0, ROWS)), 0, rows, 0, ROWS, PRODUCER, 0);
process.stdout.write(
  `${ROWS} rows a request, ${(bytes / ROWS).toFixed(0)} B a record; µs CPU a record: ours ${best.toFixed(3)}, ` +
    `the client's encoder ${bestStock.toFixed(3)}: ${(bestStock / best).toFixed(0)}×${sink === 0 ? ' ' : ''}\n`,
);

if (options.kafka) await throughKafka();

async function throughKafka(): Promise<void> {
  const services = await startServices();
  try {
    const kafka = new Kafka({ brokers: services.brokers.split(','), clientId: 'bench', logLevel: logLevel.NOTHING });
    const admin = kafka.admin();
    await admin.connect();
    const topic = 'bench-produce';
    await admin.createTopics({
      topics: [{ topic, numPartitions: PARTITIONS, replicationFactor: 1 }],
      waitForLeaders: true,
    });
    await admin.disconnect();
    const costs: Record<string, number> = {};
    for (let round = 0; round < 5; round++) {
      for (const stock of [false, true]) {
        const name = stock ? 'stock' : 'ours';
        const sink = createKafkaSink(
          { clock: createSystemClock(), telemetry: new RecordingTelemetry(), random: () => 0.5 },
          { brokers: services.brokers.split(','), clientId: 'bench', stock },
        );
        await sink.open([topic]);
        const calls = Math.ceil((stock ? 20_000 : 400_000) / ROWS / PARTITIONS);
        const each = await cost(async () => {
          const lanes = Array.from({ length: PARTITIONS }, async (_, partition) => {
            for (let k = 0; k < calls; k++) await sink.send(topic, partition, rows);
          });
          await Promise.all(lanes);
          return calls * PARTITIONS * ROWS;
        });
        costs[name] = Math.min(costs[name] ?? Number.POSITIVE_INFINITY, each);
        await sink.close();
      }
    }
    const { ours: through, stock: stockThrough } = costs;
    process.stdout.write(
      `through the sink to Kafka and back: ours ${through.toFixed(3)}, stock ${stockThrough.toFixed(3)}: ${(stockThrough / through).toFixed(0)}×\n`,
    );
  } finally {
    await services.stop();
  }
}
