/**
 * CPU per record with a broker: `node bench/kafka.ts [--records N] [--rounds N] [--embedded] [--profile]`.
 *
 * Fills a topic with flights, then lets processes drain it, taking turns, each kept to one core (taskset, where there is one):
 * `sluice run` on the shipped topology with a cache for each of its three look-ups, and the stock client alone, which copies
 * the topic and does nothing else. CPU is read between the first tenth and the last twentieth, which leaves out starting and
 * compiling. The ratio carries over to other machines, the microseconds do not.
 *
 * Starts Kafka and Bigtable as the integration tests do, or uses those that KAFKA_BROKERS, SCHEMA_REGISTRY_URL and
 * BIGTABLE_EMULATOR_HOST name. Only reports; fails only if a process does.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import { startEmbeddedStack } from '../test/fixtures/embedded-stack.ts';
import { sluice } from '../test/fixtures/sluice.ts';
import { createUpstream, type Flight } from '../test/fixtures/upstream.ts';
import { startRealStack } from '../test/integration/real-stack.ts';
import { readProfile } from './cpu-profile.ts';
import { positive, readOptions } from './harness/options.ts';
import { FEATURES, readFlights, TOPOLOGY, variantOf } from './in-process.ts';

const USAGE = `node bench/kafka.ts [--records N] [--rounds N] [--embedded] [--profile]

The shipped topology, drained, and the stock client that only copies, in turns: CPU a record.

  --records N   the backlog (300000)
  --rounds N    rounds; the best one counts (3)
  --embedded    the embedded broker in place of Apache Kafka
  --profile     also show where Sluice's time goes`;
const { options } = readOptions(USAGE, {
  records: { type: 'string', default: '300000' },
  rounds: { type: 'string', default: '3' },
  embedded: { type: 'boolean', default: false },
  profile: { type: 'boolean', default: false },
});
const records = positive('records', options.records);
const rounds = positive('rounds', options.rounds);
const PARTITIONS = 4;
const INPUT = 'bench.departed';
const PASS_STEP = 10_000_000;
const run = promisify(execFile);

const dir = mkdtempSync(join(tmpdir(), 'sluice-bench-'));
const pinned = await canPin();
const stack = await (options.embedded ? startEmbeddedStack() : startRealStack());
try {
  await prepare();
  const found: Record<string, number[]> = { sluice: [], 'stock client': [], 'stock client, headers': [] };
  for (let round = 0; round < rounds; round++) {
    found.sluice.push(await drainWithSluice(round, []));
    found['stock client'].push(await drainWithStock(round, 'plain'));
    found['stock client, headers'].push(await drainWithStock(round, 'headers'));
  }
  report(found);
  if (options.profile) await profile(rounds);
} finally {
  await stack.stop();
  rmSync(dir, { recursive: true });
}

/** Topics, features, and the flights of the week, again and again with other ids. */
async function prepare(): Promise<void> {
  const loaded = await sluice(['features', 'load', TOPOLOGY, FEATURES], stack.env);
  if (loaded.code !== 0) throw new Error(loaded.stderr);
  await stack.createTopic(INPUT, PARTITIONS);
  const upstream = await createUpstream(stack.env, INPUT);
  const flights = readFlights() as Flight[];
  for (let sent = 0; sent < records; sent += flights.length) {
    const shift = PASS_STEP * Math.floor(sent / flights.length);
    const pass = flights.slice(0, records - sent).map((flight) => ({ ...flight, id: flight.id + shift }));
    await upstream.send(pass.map((flight) => upstream.message(flight)));
  }
  await upstream.close();
}

/** The shipped topology with a cache for every look-up, and with topics and a group of this round. */
async function topologyOf(round: number): Promise<string> {
  const yaml = variantOf(readFileSync(TOPOLOGY, 'utf8'), { format: 'avro', cache: 'all' })
    .replaceAll('flights.departed', INPUT)
    .replaceAll('flights.', `bench${round}.`)
    .replace('group: flight-delay', `group: bench-${round}`);
  const file = join(dir, `bench-${round}.yaml`);
  writeFileSync(file, yaml);
  for (const topic of [`bench${round}.delay-risk`, `bench${round}.dead-letter`]) {
    await stack.createTopic(topic, PARTITIONS);
  }
  return file;
}

async function drainWithSluice(round: number, nodeFlags: readonly string[]): Promise<number> {
  const args = ['src/main.ts', 'run', await topologyOf(round), '--listen', '127.0.0.1:0', '--json'];
  const child = spawnPinned([...nodeFlags, ...args]);
  let said = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  const ended = new Promise<void>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => (code === 0 ? resolve() : reject(new Error(`sluice ended with ${code}\n${said}`))));
  });
  // The wait below notices, because metrics stop coming.
  ended.catch(() => undefined);
  let first: Reading | undefined;
  let last: Reading | undefined;
  let url = '';
  while (child.exitCode === null) {
    await pause(100);
    url ||= /"url":"([^"]+)"/.exec(said)?.[1] ?? '';
    const now = url === '' ? undefined : await read(url);
    if (now === undefined || now.records < records * 0.1) continue;
    if (now.records <= records * 0.95) {
      first ??= now;
      last = now;
    }
    if (now.records >= records) child.kill('SIGTERM');
  }
  await ended;
  if (first === undefined || last === undefined || last.records === first.records) {
    throw new Error('the topic was drained before it could be measured: give more --records');
  }
  return ((last.cpuSeconds - first.cpuSeconds) * 1e6) / (last.records - first.records);
}

interface Reading {
  readonly records: number;
  readonly cpuSeconds: number;
}

/** Records and CPU of one moment, from one metrics page. */
async function read(url: string): Promise<Reading | undefined> {
  const page = await fetch(`${url}/metrics`)
    .then((response) => response.text())
    .catch(() => '');
  const sum = (name: string): number =>
    page
      .split('\n')
      .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
      .reduce((total, line) => total + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
  return page === ''
    ? undefined
    : { records: sum('sluice_records_total'), cpuSeconds: sum('process_cpu_seconds_total') };
}

async function drainWithStock(round: number, kind: 'plain' | 'headers'): Promise<number> {
  const topic = `bench${round}.copy-${kind}`;
  await stack.createTopic(topic, PARTITIONS);
  const child = spawnPinned(['bench/stock-client.ts', stack.env.KAFKA_BROKERS, INPUT, topic, String(records), kind]);
  let answer = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    answer += text;
  });
  child.stderr?.pipe(process.stderr);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => (code === 0 ? resolve(Number(answer)) : reject(new Error(`stock client: ${code}`))));
  });
}

function spawnPinned(args: readonly string[]): ChildProcess {
  const env = { PATH: process.env.PATH, KAFKAJS_NO_PARTITIONER_WARNING: '1', NODE_NO_WARNINGS: '1', ...stack.env };
  const command = pinned ? ['taskset', '-c', '0', process.execPath, ...args] : [process.execPath, ...args];
  const child = spawn(command[0], command.slice(1), { env, stdio: ['ignore', 'pipe', 'pipe'] });
  process.once('exit', () => child.kill('SIGKILL'));
  return child;
}

async function canPin(): Promise<boolean> {
  return run('taskset', ['-c', '0', 'true']).then(
    () => true,
    () => false,
  );
}

function report(found: Readonly<Record<string, readonly number[]>>): void {
  const kafka = options.embedded ? 'the embedded broker' : 'Apache Kafka';
  console.log(`${records} flights, ${PARTITIONS} partitions, ${kafka}, ${pinned ? 'one core' : 'any core'}\n`);
  const least = (name: string): number => Math.min(...found[name]);
  for (const [name, each] of Object.entries(found)) {
    const all = each.map((us) => us.toFixed(2)).join(', ');
    console.log(`${name.padEnd(24)} ${least(name).toFixed(2).padStart(6)} µs of CPU a record   (${all})`);
  }
  console.log(`\nsluice : stock client            ×${(least('sluice') / least('stock client')).toFixed(2)}`);
  console.log(`sluice : stock client, headers   ×${(least('sluice') / least('stock client, headers')).toFixed(2)}`);
}

/** Once more with a profiler, which has a cost of its own: so shares, not costs. */
async function profile(round: number): Promise<void> {
  await drainWithSluice(round, ['--cpu-prof', `--cpu-prof-dir=${dir}`]);
  const { groups, functions } = readProfile(dir);
  console.log(`\nWhere sluice's CPU goes, start included:\n${groups.join('\n')}\n\n${functions.join('\n')}`);
}
