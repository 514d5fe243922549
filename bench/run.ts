/**
 * Sluice beside other ways to do the same job; usage: `npm run bench -- --help`.
 *
 * Real Kafka on this machine; contestants on one core, broker and generator on another, if there are two. Progress goes to
 * stderr, tables to stdout. Only reports, and fails only if Sluice does; a peer that cannot run is left out with a line that says why.
 */
import { writeFileSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import { chart } from './harness/chart.ts';
import { CONTESTANTS } from './harness/contestants.ts';
import { judge } from './harness/guard.ts';
import { named, positive, readOptions, refuse } from './harness/options.ts';
import { pinHarness, pinned } from './harness/process.ts';
import { asJson, type Result, tables } from './harness/report.ts';
import { openStage } from './harness/stage.ts';
import { runWorkload, type Wanted } from './harness/workload-run.ts';
import { WORKLOADS } from './workloads/workloads.ts';

const peers = new Map(CONTESTANTS.map((contestant) => [contestant.name, contestant]));
const MODES: ReadonlyMap<string, string> = new Map([
  ['drain', 'a backlog, as fast as it goes: CPU a record, records a second, memory'],
  ['paced', 'records at the times they are meant to come: latency and misses'],
]);
const listed = (rows: Iterable<readonly [string, string]>): string =>
  [...rows].map(([name, what]) => `  ${name.padEnd(16)} ${what}`).join('\n');

const USAGE = `npm run bench -- [OPTIONS]

Drains the same records through Sluice and through other ways to do the same, in turns, on real Kafka (started here, by the
scripts of the integration tests), and prints tables of ratios. Microseconds are those of this machine; the ratios carry over.

  npm run bench -- --quick                            a look: light records, one peer, about a minute
  npm run bench -- --workload ffnn-avro,heavy         other workloads, every peer that is installed
  npm run bench -- --peers java,python --rounds 5     two peers; the best of five rounds counts
  npm run bench -- --mode paced --rate 5000           how late, at 5,000 records a second
  npm run bench -- --load 20,40,60,80 --peers sluice  misses and latency up to 80 % of what it can take
  npm run bench -- --guard                            exit 1 where Sluice has become clearly slower, beside a peer

Options:
  --quick          light, drained, one round, beside kafkajs-batch
  --workload A,B   workloads, see below (light)
  --peers A,B      peers to compare with (all that can run here)
  --mode A,B       modes, see below (drain)
  --batch N        rows per model run of the peers that batch (the workload's own)
  --rounds N       rounds of each contestant (3)
  --records N      size of the backlog (the workload's own)
  --rate N         records a second in paced mode (the workload's own)
  --load A,B       paced mode at these shares, %, of the rate at which each contestant drained (drains first)
  --seconds N      length of paced mode (20)
  --json           JSON instead of tables
  --svg FILE       write a chart of the first workload
  --guard          compare with bench/guard.json

Workloads:
${listed([...WORKLOADS.values()].map(({ name, what }) => [name, what] as const))}

Peers:
${listed(CONTESTANTS.map(({ name, what }) => [name, what] as const))}

Modes:
${listed(MODES)}`;

const { options } = readOptions(USAGE, {
  quick: { type: 'boolean', default: false },
  guard: { type: 'boolean', default: false },
  workload: { type: 'string', default: 'light' },
  peers: { type: 'string' },
  mode: { type: 'string', default: 'drain' },
  batch: { type: 'string' },
  rounds: { type: 'string' },
  records: { type: 'string' },
  rate: { type: 'string' },
  load: { type: 'string' },
  seconds: { type: 'string', default: '20' },
  json: { type: 'boolean', default: false },
  svg: { type: 'string' },
});
const say = (line: string): void => void process.stderr.write(`${line}\n`);
const short = options.quick || options.guard;

const workloads = options.workload.split(',').map((name) => {
  const workload = named('workload', name, WORKLOADS);
  return options.batch === undefined ? workload : { ...workload, batch: positive('batch', options.batch) };
});
const names = options.peers?.split(',') ?? (short ? ['kafkajs-batch'] : CONTESTANTS.map(({ name }) => name));
const contestants = ['sluice', ...names.filter((name) => name !== 'sluice')].map((name) => named('peer', name, peers));
const loads = options.load?.split(',').map((percent) => positive('load', percent) / 100) ?? [];
if (loads.length > 0 && options.rate !== undefined) refuse('--load and --rate say the same thing twice; leave one out');
const wanted: Wanted = {
  modes: loads.length > 0 ? [...MODES.keys()] : options.mode.split(',').filter((mode) => named('mode', mode, MODES)),
  loads,
  rounds: positive('rounds', options.rounds ?? (options.quick ? '1' : '3')),
  records: options.records === undefined ? undefined : positive('records', options.records),
  rate: options.rate === undefined ? undefined : positive('rate', options.rate),
  seconds: positive('seconds', options.seconds),
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
