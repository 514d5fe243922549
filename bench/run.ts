/**
 * Sluice beside other ways to do the same: `npm run bench -- [--quick] [--workload a,b] [--peers a,b] [--mode drain,paced]`.
 *
 *   --quick          light, drained, Sluice beside the kafkajs batch loop: about a minute
 *   --workload a,b   of bench/workloads/workloads.ts (light)          --peers a,b   of harness/contestants.ts (all that can)
 *   --mode a,b       drain (how fast), paced (how late) (drain)       --rounds N    each contestant's turns (3)
 *   --records N      the backlog                                      --rate N, --seconds N   of paced mode
 *   --json           JSON in place of tables                          --svg FILE    a chart, of the first workload
 *   --guard          compares the ratio to the kafkajs batch loop with bench/guard.json; exit 1 on a clear regression
 *
 * Real Kafka on this machine; contestants on one core, broker and generator on another, where there are two. Progress goes to
 * stderr, tables to stdout. Reports, and fails only where Sluice does; a peer that cannot run is left out with a line.
 */
import { writeFileSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { chart } from './harness/chart.ts';
import { CONTESTANTS, type Contestant } from './harness/contestants.ts';
import { judge } from './harness/guard.ts';
import { pinHarness, pinned } from './harness/process.ts';
import { asJson, type Result, tables } from './harness/report.ts';
import { openStage } from './harness/stage.ts';
import { runWorkload, type Wanted } from './harness/workload-run.ts';
import { WORKLOADS, type Workload } from './workloads/workloads.ts';

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    guard: { type: 'boolean', default: false },
    workload: { type: 'string', default: 'light' },
    peers: { type: 'string' },
    mode: { type: 'string', default: 'drain' },
    rounds: { type: 'string' },
    records: { type: 'string' },
    rate: { type: 'string' },
    seconds: { type: 'string', default: '20' },
    json: { type: 'boolean', default: false },
    svg: { type: 'string' },
  },
});
const say = (line: string): void => void process.stderr.write(`${line}\n`);
const short = options.quick || options.guard;

const workloads = options.workload.split(',').map((name): Workload => {
  const workload = WORKLOADS.get(name);
  if (workload === undefined) return usage(`no workload ${name}; there are ${[...WORKLOADS.keys()].join(', ')}`);
  return workload;
});
const names = options.peers?.split(',') ?? (short ? ['kafkajs-batch'] : CONTESTANTS.map(({ name }) => name));
const contestants = ['sluice', ...names.filter((name) => name !== 'sluice')].map((name): Contestant => {
  const contestant = CONTESTANTS.find((each) => each.name === name);
  if (contestant === undefined) return usage(`no peer ${name}; there are ${CONTESTANTS.map((c) => c.name).join(', ')}`);
  return contestant;
});
const wanted: Wanted = {
  modes: options.mode.split(','),
  rounds: Number(options.rounds ?? (options.quick ? 1 : 3)),
  records: options.records === undefined ? undefined : Number(options.records),
  rate: options.rate === undefined ? undefined : Number(options.rate),
  seconds: Number(options.seconds),
  quick: short,
};

const machine = `${availableParallelism()} × ${cpus()[0]?.model.trim()}, ${pinned ? 'one core each for contestant and broker' : 'not pinned'}`;
// Where the findings are written is nobody's business but ours.
const asked = process.argv
  .slice(2)
  .join(' ')
  .replaceAll(/ ?--(json|svg[ =]\S+)/g, '');
const command = `npm run bench -- ${asked}`.replace(/ -- $/, '');
pinHarness();
say(`${machine}; starting Kafka`);
const stage = await openStage();
try {
  const results: Result[] = [];
  for (const workload of workloads) results.push(await runWorkload(stage, workload, contestants, wanted, say));
  process.stdout.write(options.json ? asJson(results, machine, command) : `${results.map(tables).join('\n')}\n`);
  if (options.svg !== undefined) writeFileSync(options.svg, chart(results[0], command));
  if (options.guard) process.exitCode = judge(results[0], say);
} finally {
  await stage.close();
}

function usage(message: string): never {
  say(message);
  process.exit(2);
}
