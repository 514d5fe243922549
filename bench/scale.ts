/**
 * What more instances gain: `node bench/scale.ts --help`.
 *
 * One backlog on real Kafka, drained by 1, 2 and 4 processes, members of one group. The number of cores limits what it shows: on two, with one of
 * them the broker's, it shows what another instance costs, not what it gains; the head of the table says which cores are whose.
 */
import { availableParallelism } from 'node:os';
import { CONTESTANTS } from './harness/contestants.ts';
import { loadFeatures } from './harness/features.ts';
import { drainByFleet } from './harness/fleet.ts';
import { positive, readOptions } from './harness/options.ts';
import { pinHarness, pinned } from './harness/process.ts';
import { digits } from './harness/report.ts';
import { fill, openStage, PARTITIONS, poolOf } from './harness/stage.ts';
import { WORKLOADS } from './workloads/workloads.ts';

const USAGE = `node bench/scale.ts [--records N] [--workload NAME] [--ways 1,2,4] [--threads] [--cores LIST] [--harness-cores LIST]

Drains a backlog with 1, 2 and 4 instances, a process each, and prints rate, rate beside that of the first way, CPU a record and
resident memory. The input has ${PARTITIONS} partitions, so that more than ${PARTITIONS} instances have nothing more to do.

  --records N           size of the backlog (4,000,000 for light; the workload's own for others)
  --workload NAME       ${[...WORKLOADS.keys()].join(', ')} (light)
  --ways LIST           numbers of instances, in this order (1,2,4)
  --threads             instances in one process (run --instances N) instead of a process each
  --cores LIST          cores that all instances share, as taskset names them (0; all but the last two of a larger machine)
  --harness-cores LIST  cores of broker and harness (1; the last two of a larger machine)`;

const LIGHT_RECORDS = 4_000_000;

const { options } = readOptions(USAGE, {
  records: { type: 'string' },
  workload: { type: 'string', default: 'light' },
  ways: { type: 'string', default: '1,2,4' },
  threads: { type: 'boolean', default: false },
  cores: { type: 'string' },
  'harness-cores': { type: 'string' },
});
const workload = WORKLOADS.get(options.workload);
const sluice = CONTESTANTS.find(({ name }) => name === 'sluice');
if (workload === undefined || sluice === undefined) {
  process.stderr.write(`no workload ${options.workload}; there are ${[...WORKLOADS.keys()].join(', ')}\n`);
  process.exit(2);
}
const ways = options.ways.split(',').map((way) => positive('ways', way));
const records =
  options.records === undefined
    ? workload.name === 'light'
      ? LIGHT_RECORDS
      : workload.records
    : positive('records', options.records);
const all = availableParallelism();
const cores = options.cores ?? (all > 3 ? `0-${all - 3}` : '0');
const harnessCores = options['harness-cores'] ?? (all > 3 ? `${all - 2}-${all - 1}` : '1');

pinHarness(harnessCores);
const stage = await openStage();
try {
  await stage.createTopic('scale.dead-letter');
  await loadFeatures(stage, workload);
  const have = await fill(stage, 'scale.in', poolOf(workload), records);
  const where = pinned ? `instances on cores ${cores}, broker on ${harnessCores}` : `${all} cores shared by all`;
  const kind = options.threads ? 'in one process' : 'a process each';
  process.stdout.write(`${have} records of ${workload.name}; ${PARTITIONS} partitions; ${where}\n\n`);
  process.stdout.write(`| instances, ${kind} | records/s | × | CPU, µs a record | RSS, MiB |\n|---|---|---|---|---|\n`);
  let first: number | undefined;
  for (const [n, count] of ways.entries()) {
    const job = {
      ...{ workload, brokers: stage.brokers, bigtable: stage.stack.env.BIGTABLE_EMULATOR_HOST ?? '', records: have },
      ...{ input: 'scale.in', output: `scale.out.${n}`, deadLetter: 'scale.dead-letter', group: `scale-${n}` },
    };
    const split = options.threads ? { processes: 1, instances: count } : { processes: count, instances: 1 };
    const { recordsPerSecond, cpuUsPerRecord, rssBytes } = await drainByFleet(stage, sluice, job, { ...split, cores });
    first ??= recordsPerSecond;
    const rss = Math.round(Math.max(...rssBytes) / 2 ** 20);
    process.stdout.write(
      `| ${count} | ${Math.round(recordsPerSecond)} | ${(recordsPerSecond / first).toFixed(2)} | ${digits(cpuUsPerRecord)} | ${rss} |\n`,
    );
  }
} finally {
  await stage.close();
}
