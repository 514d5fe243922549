/**
 * What stays as it is over many records, and what a second instance costs: `node bench/long-run.ts --help`.
 *
 * The light workload on real Kafka, drained from end to end by one instance, by two in one process, and by two processes. Resident
 * memory is read along the way, from outside; CPU is that of all processes, from a third of the records on.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { CONTESTANTS } from './harness/contestants.ts';
import { positive, readOptions } from './harness/options.ts';
import { type Contender, contend, pinHarness } from './harness/process.ts';
import { digits } from './harness/report.ts';
import { fill, openStage, PARTITIONS, poolOf } from './harness/stage.ts';
import { WORKLOADS } from './workloads/workloads.ts';

const USAGE = `node bench/long-run.ts [--records N]

Drains light records with one instance, with two in one process (run --instances 2), and with two processes. Prints resident memory at
every fifth of the way and CPU a record. All of Sluice has one core, the broker the other. Some minutes, and 300 bytes of disk a record.

  --records N   of each way (10,000,000)`;
const LOOK_EVERY_MS = 50;
const STALL_MS = 30_000;
const FIFTHS = 5;
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

async function drain(n: number, { processes, instances }: (typeof WAYS)[number], have: number): Promise<string> {
  const output = `long.out.${n}`;
  await stage.createTopic(output);
  const job = {
    ...{ workload: light, brokers: stage.brokers, bigtable: '', records: have },
    ...{ input: 'long.in', output, deadLetter: 'long.dead-letter', group: `long-${n}` },
  };
  const command = await contestant.command(job);
  const args = [...command.args, '--instances', String(instances)];
  const all: Contender[] = Array.from({ length: processes }, () => contend({ ...command, args }));
  const sum = (of: (each: Contender) => number): number => all.reduce((total, each) => total + of(each), 0);
  try {
    const rss: number[] = [];
    let from: { readonly atMs: number; readonly done: number; readonly cpuUs: number } | undefined;
    for (let last = 0, lastMs = performance.now(); ; ) {
      await pause(LOOK_EVERY_MS);
      const ended = all.find((each) => each.ended());
      if (ended !== undefined) throw new Error(`it ended before its work was done\n${ended.said()}`);
      const done = (await stage.wire.ends(output, PARTITIONS)).reduce((total, end) => total + end, 0);
      const now = { atMs: performance.now(), done, cpuUs: sum((each) => each.cpuUs()) };
      if (done > last) [last, lastMs] = [done, now.atMs];
      if (now.atMs - lastMs > STALL_MS && from !== undefined) throw new Error(`stalled at ${done} of ${have} records`);
      if (from === undefined && done > have / 3) from = now;
      if (done >= ((rss.length + 1) * have * 0.99) / FIFTHS) rss.push(sum((each) => each.rssBytes()));
      if (rss.length < FIFTHS || from === undefined) continue;
      const rate = ((now.done - from.done) / (now.atMs - from.atMs)) * 1_000;
      const cpu = (now.cpuUs - from.cpuUs) / (now.done - from.done);
      return `${digits(cpu)} | ${Math.round(rate / 1_000)} k | ${rss.map((bytes) => Math.round(bytes / 2 ** 20)).join(', ')}`;
    }
  } finally {
    await Promise.all(all.map((each) => each.stop()));
    await stage.dropTopic(output);
  }
}
