/**
 * What exactly-once delivery costs against at-least-once, on real Kafka: the same backlog, drained in turns, and the time that
 * records spend in Sluice at a rate that is easy for both. Ratios within a run carry over to other machines; figures do not.
 *
 *   node bench/exactly-once.ts [--records 200000] [--rounds 2]
 */
import { setTimeout as pause } from 'node:timers/promises';
import { Kafka, logLevel } from 'kafkajs';
import { startLoad } from '../test/faults/load.ts';
import { type OnceBench, openOnceBench } from '../test/faults/once/bench.ts';
import { Sluice } from '../test/fixtures/sluice.ts';
import { startServices } from '../test/integration/services.ts';
import { positive, readOptions } from './harness/options.ts';

const USAGE = `node bench/exactly-once.ts [--records N] [--rounds N]

The same backlog with delivery at least once and exactly once, in turns, and the time that records spend in Sluice; on real
Kafka, which is started as the integration tests do.

  --records N   the backlog (200000)
  --rounds N    rounds of each delivery (2)`;
const { options } = readOptions(USAGE, {
  records: { type: 'string', default: '200000' },
  rounds: { type: 'string', default: '2' },
});
const records = positive('records', options.records);
const rounds = positive('rounds', options.rounds);
const DELIVERIES = ['at-least-once', 'exactly-once'] as const;
const PARTITIONS = 4;
const BATCH = 500;
const PER_SECOND = 400;
const SECONDS = 15;

const services = await startServices();
let made = 0;

async function withSluice(
  delivery: (typeof DELIVERIES)[number],
  prepare: (bench: OnceBench) => Promise<void>,
  measure: (sluice: Sluice, bench: OnceBench) => Promise<string>,
): Promise<void> {
  const bench = await openOnceBench(services.brokers, {
    name: `cost-${++made}`,
    inputPartitions: PARTITIONS,
    outputPartitions: PARTITIONS,
    latencyBudget: '50ms',
    delivery,
  });
  await prepare(bench);
  const sluice = new Sluice(['run', bench.file, '--json', '--listen', '127.0.0.1:0'], {});
  await sluice.url();
  console.log(`${delivery.padEnd(14)} ${await measure(sluice, bench)}`);
  await sluice.stop();
  await bench.close();
}

const event = (id: number): Buffer => Buffer.from(JSON.stringify({ id, departed_at: 0, distance: id % 3000 }));

async function backlog({ brokers, input }: OnceBench): Promise<void> {
  const producer = new Kafka({ brokers: brokers.split(','), logLevel: logLevel.NOTHING }).producer();
  await producer.connect();
  for (let from = 0; from < records; from += BATCH) {
    const messages = Array.from({ length: BATCH }, (_, n) => ({
      partition: (from / BATCH) % PARTITIONS,
      key: String(from + n),
      value: event(from + n),
    }));
    await producer.send({ topic: input, messages });
  }
  await producer.disconnect();
}

/** Between the first tenth and the last twentieth. */
async function drain(sluice: Sluice): Promise<string> {
  const read = async () => ({
    published: (await sluice.metric('sluice_records_total', { fate: 'published' })) || 0,
    cpuSeconds: await sluice.metric('process_cpu_seconds_total'),
    atMs: performance.now(),
  });
  let now = await read();
  for (; now.published < records * 0.1; now = await read()) await pause(20);
  const begun = now;
  for (; now.published < records * 0.95; now = await read()) await pause(20);
  const done = now.published - begun.published;
  const perSecond = Math.round((done / (now.atMs - begun.atMs)) * 1000);
  return `${perSecond} records/s, ${(((now.cpuSeconds - begun.cpuSeconds) * 1e6) / done).toFixed(1)} µs CPU a record`;
}

async function residence(sluice: Sluice, bench: OnceBench): Promise<string> {
  await sluice.ready();
  const load = startLoad({
    brokers: bench.brokers,
    topic: bench.input,
    partitions: PARTITIONS,
    perSecond: PER_SECOND,
    value: event,
  });
  await pause(SECONDS * 1000);
  await load.stop();
  const lines = (await sluice.metrics()).split('\n').filter((line) => line.startsWith('sluice_residence_seconds'));
  const numberIn = (line: string | undefined): number => Number(line?.split(' ').at(-1));
  const sum = numberIn(lines.find((line) => line.includes('_sum')));
  const count = numberIn(lines.find((line) => line.includes('_count')));
  return `${((sum / count) * 1000).toFixed(1)} ms in Sluice on average, at ${PER_SECOND} records/s`;
}

for (let round = 0; round < rounds; round++) {
  for (const delivery of DELIVERIES) await withSluice(delivery, backlog, drain);
}
for (const delivery of DELIVERIES) await withSluice(delivery, async () => undefined, residence);
await services.stop();
process.exit(0);
