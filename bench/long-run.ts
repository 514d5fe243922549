/**
 * Whether cost and memory stay constant over many records, and what a second instance costs: `node bench/long-run.ts --help`.
 *
 * The light workload on real Kafka, drained from end to end by one instance, by two in one process, and by two processes. Resident
 * memory is read from outside during the run; CPU is that of all processes, after the first third of the records.
 */
import { CONTESTANTS } from './harness/contestants.ts';
import { drainByFleet } from './harness/fleet.ts';
import { positive, readOptions } from './harness/options.ts';
import { pinHarness } from './harness/process.ts';
import { digits } from './harness/report.ts';
import { fill, openStage, poolOf } from './harness/stage.ts';
import { WORKLOADS } from './workloads/workloads.ts';

const USAGE = `node bench/long-run.ts [--records N]

Drains light records with one instance, with two in one process (run --instances 2), and with two processes. Prints resident memory at
every fifth of the way and CPU a record. All of Sluice has one core, the broker the other. Some minutes, and 300 bytes of disk a record.

  --records N   records for each setup (10,000,000)`;
const WAYS = [
  { name: 'one instance', processes: 1, instances: 1 },
  { name: 'two instances, one process', processes: 1, instances: 2 },
  { name: 'two instances, two processes', processes: 2, instances: 1 },
] as const;

const { options } = readOptions(USAGE, { records: { type: 'string', default: '10000000' } });
const records = positive('records', options.records);
const workload = WORKLOADS.get('light');
const sluice = CONTESTANTS.find(({ name }) => name === 'sluice');
if (workload === undefined || sluice === undefined) throw new Error('there is no light workload, or no Sluice');
const light = workload;
const contestant = sluice;

pinHarness();
const stage = await openStage();
try {
  await stage.createTopic('long.dead-letter');
  const have = await fill(stage, 'long.in', poolOf(light), records);
  process.stdout.write(
    `| ${have} light records | CPU, µs a record | records/s | RSS, MiB, at each fifth |\n|---|---|---|---|\n`,
  );
  for (const [n, way] of WAYS.entries()) process.stdout.write(`| ${way.name} | ${await drain(n, way, have)} |\n`);
} finally {
  await stage.close();
}

async function drain(n: number, way: (typeof WAYS)[number], have: number): Promise<string> {
  const job = {
    ...{ workload: light, brokers: stage.brokers, bigtable: '', records: have },
    ...{ input: 'long.in', output: `long.out.${n}`, deadLetter: 'long.dead-letter', group: `long-${n}` },
  };
  const { cpuUsPerRecord, recordsPerSecond, rssBytes } = await drainByFleet(stage, contestant, job, way);
  const rss = rssBytes.map((bytes) => Math.round(bytes / 2 ** 20)).join(', ');
  return `${digits(cpuUsPerRecord)} | ${Math.round(recordsPerSecond / 1_000)} k | ${rss}`;
}
