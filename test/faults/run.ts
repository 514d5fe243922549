/**
 * The long run: `npm run test:faults -- --minutes 30 --seed 1`. First the fault tests on the embedded services, once; then those on
 * real ones; then seeds of the nemesis in fresh processes, and the fuzzer, for the time that is left; then a summary.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { jsonLinesOf } from './embedded/children.ts';
import type { Played } from './embedded/play.ts';
import { matrix } from './matrix.ts';
import type { Entry } from './report.ts';
import { type Failure, printed, summarize } from './summary.ts';

/** From here on the real services are broken for long, which takes some twenty minutes; seven where it is short. */
const LONG_MINUTES = 25;
const HELP = `npm run test:faults -- [options]: breaks things for a while, and audits what came of it.

  --minutes N         how long, about (default 10); what has begun is finished. From ${LONG_MINUTES} on the real services are
                      broken for minutes at a time, below that for seconds
  --seed N            first seed of the nemesis and of the real scenarios (default 1): a seed says what goes wrong, and when
  --only PART         embedded: no real services; real: nothing but them; seeds: nothing but the nemesis
  --json              the summary as JSON on standard output
  --matrix            prints the fault matrix, each row with its tests, and runs nothing
  --help              this

Progress goes to standard error. Exit code 0: every invariant held; 1: one did not, or a test failed; 2: wrong usage.
One seed again: node test/faults/embedded/main.ts --from SEED, with --once where members delivered exactly once
The real services (a Kafka of three brokers and more) are those of npm run test:integration: see CONTRIBUTING.md.
`;

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const FUZZ = 'test/faults/fuzz.ts';
const STORM_MINUTES = '3';
/** Of the time that is left to seeds and fuzzer. */
const FUZZ_SHARE = 1 / 7;
const PARTS: ReadonlySet<string> = new Set(['embedded', 'real', 'seeds']);
const SEEDS_A_PROCESS = 20;
const SEEDS_AT_ONCE = 4;

const reportFile = join(mkdtempSync(join(tmpdir(), 'sluice-faults-')), 'report.jsonl');
const startedMs = performance.now();
const failures: Failure[] = [];
const entries: Entry[] = [];
let seeds = 0;
let restarts = 0;

const say = (text: string): void => {
  const seconds = String(Math.round((performance.now() - startedMs) / 1000)).padStart(5);
  process.stderr.write(`${seconds} s  ${text}\n`);
};

function options() {
  try {
    const { values } = parseArgs({
      options: {
        minutes: { type: 'string', default: '10' },
        seed: { type: 'string', default: '1' },
        only: { type: 'string' },
        json: { type: 'boolean', default: false },
        matrix: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    });
    const minutes = Number(values.minutes);
    const seed = Number(values.seed);
    if (!(minutes > 0)) throw new Error(`--minutes ${values.minutes} is not a number of minutes`);
    if (!Number.isSafeInteger(seed)) throw new Error(`--seed ${values.seed} is not a whole number`);
    if (values.only !== undefined && !PARTS.has(values.only))
      throw new Error(`--only ${values.only} is none of ${[...PARTS].join(', ')}`);
    return { ...values, minutes, seed };
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n\n${HELP}`);
    process.exit(2);
  }
}

/** A command of the tests; what it says goes to standard error. Resolves with its exit code. */
function run(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, {
      cwd: ROOT,
      env: { ...process.env, SLUICE_FAULTS_REPORT: reportFile, ...env },
      stdio: ['ignore', 2, 2],
    });
    child.once('error', reject);
    child.once('close', (code) => resolve(code ?? 1));
  });
}

async function tests(
  what: string,
  patterns: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<void> {
  say(`${what}: the tests in ${patterns.join(', ')}`);
  // The real services are shared, and slow machines cause false alarms; each process has embedded ones of its own.
  const concurrency = `--test-concurrency=${what === 'real' ? 1 : 2}`;
  const reporter = ['--test-reporter', 'dot', '--test-reporter-destination', 'stderr'];
  const code = await run(['--test', concurrency, ...reporter, ...patterns], env);
  if (code !== 0) failures.push({ what, why: 'tests failed, see above', again: `node --test ${patterns.join(' ')}` });
}

/** Seeds from `from` on, for `minutes`, in as many processes as there are cores: a seed waits more than it works. */
async function nemesis(from: number, minutes: number): Promise<void> {
  const untilMs = performance.now() + minutes * 60_000;
  let next = from;
  const player = async (): Promise<void> => {
    for (;;) {
      const leftMs = untilMs - performance.now();
      if (leftMs < 1_000) return;
      const first = next;
      next += SEEDS_A_PROCESS;
      const numbers = ['--from', String(first), '--count', String(SEEDS_A_PROCESS), '--at-once', String(SEEDS_AT_ONCE)];
      // Taking turns.
      if (((first - from) / SEEDS_A_PROCESS) % 2 === 1) numbers.push('--once');
      try {
        await jsonLinesOf<Played & { readonly broken?: string }>({
          cwd: ROOT,
          args: ['test/faults/embedded/main.ts', ...numbers, '--minutes', String(leftMs / 60_000)],
          withinMs: leftMs + 180_000,
          onLine: (line) => played(line as Played & { readonly broken?: string }),
        });
      } catch (error) {
        failures.push({
          what: `seeds ${first} and on`,
          why: (error as Error).message,
          again: `node test/faults/embedded/main.ts ${numbers.join(' ')}`,
        });
      }
      say(`${seeds} seeds, ${failures.length} failures`);
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, player));
}

function played({
  schedule,
  violations = [],
  injected,
  account,
  recoveryMs,
  broken,
  said = [],
  failures: failed = [],
}: Played & { readonly broken?: string }): void {
  seeds++;
  restarts += failed.length;
  const again = `node test/faults/embedded/main.ts --from ${schedule.seed}${schedule.once ? ' --once' : ''}`;
  if (broken !== undefined) failures.push({ what: `seed ${schedule.seed}`, why: broken, again });
  else
    entries.push({
      rows: [36],
      test: `seed ${schedule.seed}`,
      faults: injected,
      invariants: account?.checked,
      duplicates: account?.duplicates.count,
      recoveryMs: recoveryMs ?? Number.NaN,
    });
  if (violations.length === 0) return;
  const why = violations
    .map(({ invariant, what, examples }) => `${invariant} ${what}: ${examples.slice(0, 3).join('; ')}`)
    .join(' | ');
  failures.push({ what: `seed ${schedule.seed}`, why, again });
  say(`seed ${schedule.seed}: ${why}\n${JSON.stringify(schedule)}\n${said.join('\n')}`);
}

const { minutes, seed, only, json, matrix: onlyMatrix, help } = options();
if (help) {
  process.stdout.write(HELP);
  process.exit(0);
}
if (onlyMatrix) {
  for (const { row, fault, tests: shown, argued } of matrix()) {
    process.stdout.write(`${String(row).padStart(2)}  ${fault}\n`);
    // A title is read from its test's text: what is filled in when it runs is not known here.
    for (const { file, title } of shown)
      process.stdout.write(`      ${file}: ${title.replaceAll(/\$\{\w+\}/g, '…')}\n`);
    if (shown.length === 0) process.stdout.write(`      ${argued ?? 'NO TEST'}\n`);
  }
  process.exit(0);
}

const hasFuzz = only === undefined && existsSync(join(ROOT, FUZZ));
if (only !== 'real' && only !== 'seeds') {
  await tests('embedded', [
    'test/faults/*.test.ts',
    'test/faults/embedded/**/*.test.ts',
    'test/faults/mutants/**/*.test.ts',
  ]);
}
const hasSeeds = only !== 'real';
if (only === undefined || only === 'real') {
  const env = {
    SLUICE_FAULTS_SEED: String(seed),
    ...(minutes >= LONG_MINUTES && { SLUICE_FAULTS_MINUTES: STORM_MINUTES }),
  };
  await tests('real', ['test/faults/real/**/*.test.ts'], env);
}
// What takes the time that it takes is over: the rest is for what can be had in any amount.
const leftMinutes = Math.max(0.2, minutes - (performance.now() - startedMs) / 60_000);
const forFuzz = hasFuzz ? leftMinutes * FUZZ_SHARE : 0;
if (hasSeeds) await nemesis(seed, leftMinutes - forFuzz);
if (hasFuzz) {
  say('fuzz');
  const args = [FUZZ, '--minutes', forFuzz.toFixed(2), '--seed', String(seed)];
  if ((await run(args)) !== 0) failures.push({ what: 'fuzz', why: 'see above', again: `node ${args.join(' ')}` });
}
if (existsSync(reportFile)) {
  for (const line of readFileSync(reportFile, 'utf8').split('\n'))
    if (line !== '') entries.push(JSON.parse(line) as Entry);
}
const summary = summarize(entries, matrix(), {
  seconds: (performance.now() - startedMs) / 1000,
  seeds,
  restarts,
  failures,
});
process.stdout.write(json ? `${JSON.stringify(summary)}\n` : `\n${printed(summary)}`);
process.exitCode = summary.failures.length === 0 ? 0 : 1;
