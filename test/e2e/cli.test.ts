/**
 * The command as a stranger runs it: a process of its own through bin/sluice.js, files in and out, pipes, signals.
 * What a command does in detail is tested in process, see test/unit/commands.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { gunzipSync, gzipSync } from 'node:zlib';
import { createBigtable } from '../../src/devstack/bigtable.ts';
import { ROOT } from '../fixtures/sluice.ts';

const EXAMPLE = 'examples/flight-delay';
const FLIGHTS = ['batch', 'topologies/flight-delay.yaml', '--features', `${EXAMPLE}/features`];

const folder = mkdtempSync(join(tmpdir(), 'sluice-cli-'));
const children = new Set<ChildProcess>();
after(() => {
  for (const child of children) child.kill('SIGKILL');
  rmSync(folder, { recursive: true });
});

interface Ended {
  readonly code: number | string;
  readonly stdout: string;
  readonly stderr: string;
}

interface Setup {
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: Buffer;
  /** More might come after `input`, and does not. */
  readonly keepOpen?: boolean;
  /** Called with the first that comes on standard output. */
  readonly onFirst?: (child: ChildProcess) => void;
}

async function sluice(args: readonly string[], { env = {}, input, keepOpen, onFirst }: Setup = {}): Promise<Ended> {
  const { PATH = '', NODE_V8_COVERAGE } = process.env;
  const coverage = NODE_V8_COVERAGE === undefined ? {} : { NODE_V8_COVERAGE };
  const child = spawn(process.execPath, ['bin/sluice.js', ...args], { cwd: ROOT, env: { PATH, ...coverage, ...env } });
  children.add(child);
  let [stdout, stderr] = ['', ''];
  if (onFirst) child.stdout.once('data', () => onFirst(child));
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  if (keepOpen) child.stdin.write(input);
  else child.stdin.end(input);
  // A command that does not read its input leaves before it has all come.
  child.stdin.on('error', () => undefined);
  const [code, signal] = await once(child, 'close');
  children.delete(child);
  return { code: code ?? signal, stdout, stderr };
}

interface Scored {
  readonly id: number;
  readonly probability: number;
}

const linesOf = (text: string): string[] => {
  const lines = text.split('\n');
  assert.equal(lines.pop(), '', 'the last line has an end');
  return lines;
};
const scored = (text: string): Scored[] => linesOf(text).map((line) => JSON.parse(line));
const example = (name: string): string => readFileSync(join(ROOT, EXAMPLE, name), 'utf8');

function assertClose(got: readonly Scored[], expected: readonly Scored[]): void {
  assert.deepEqual(
    got.map(({ id }) => id),
    expected.map(({ id }) => id),
  );
  got.forEach(({ id, probability }, i) => {
    const off = Math.abs(probability - expected[i].probability);
    assert.ok(off <= 1e-5, `flight ${id} is off by ${off}`);
  });
}

test('500 flights come out as the pipeline that trained the model said, in the order of the input', async () => {
  const { code, stdout, stderr } = await sluice([
    ...FLIGHTS,
    '--input',
    `${EXAMPLE}/events-500.jsonl`,
    '--output',
    '-',
  ]);
  assert.equal(code, 0, stderr);
  assert.match(stderr, /^500 predictions in \d+\.\d s\n$/);
  assertClose(scored(stdout), scored(example('expected-500.jsonl')));
});

test('so do 30 odd ones, packed, from and into packed files', async () => {
  const [input, output] = [join(folder, 'edge.jsonl.gz'), join(folder, 'out.jsonl.gz')];
  writeFileSync(input, gzipSync(example('edge-30.events.jsonl')));
  const { code, stdout, stderr } = await sluice([...FLIGHTS, '--input', input, '--output', output, '--json']);
  assert.equal(code, 0, stderr);
  assert.deepEqual([JSON.parse(stdout).published, stderr], [30, '']);
  const expected = linesOf(example('edge-30.jsonl'))
    .map((line): { event: { id: number }; probability: number } => JSON.parse(line))
    .map(({ event, probability }) => ({ id: event.id, probability }));
  assertClose(scored(gunzipSync(readFileSync(output)).toString('utf8')), expected);
});

test('lines that cannot be scored are dead letters with reason, place and value; the others are scored', async () => {
  const [input, dead] = [join(folder, 'broken.jsonl'), join(folder, 'dead.jsonl')];
  const [first, second] = linesOf(example('events-500.jsonl'));
  writeFileSync(input, `${first}\nnot json\n\n{"id":"text"}\n${second}\n`);
  const args = [...FLIGHTS, '--input', input, '--output', '-', '--dead-letters', dead];
  const { code, stdout, stderr } = await sluice(args);
  assert.equal(code, 0, stderr);
  assertClose(scored(stdout), scored(example('expected-500.jsonl')).slice(0, 2));
  assert.match(stderr, /2 predictions, 2 dead letters \(2 decode-failed\)/);
  const letters = linesOf(readFileSync(dead, 'utf8')).map((line) => JSON.parse(line));
  assert.deepEqual(
    letters.map(({ reason, offset, value }) => [reason, offset, value]),
    [
      ['decode-failed', '1', 'not json'],
      ['decode-failed', '3', '{"id":"text"}'],
    ],
  );
});

test('events come from a pipe as from a file', async () => {
  const input = Buffer.from(example('events-500.jsonl'));
  const args = [...FLIGHTS, '--input', '-', '--output', '-', '--limit', '20'];
  const { code, stdout, stderr } = await sluice(args, { input });
  assert.equal(code, 0, stderr);
  assertClose(scored(stdout), scored(example('expected-500.jsonl')).slice(0, 20));
});

test('SIGTERM ends a batch that waits for a pipe', async () => {
  const input = Buffer.from(example('events-500.jsonl').repeat(2));
  const args = [...FLIGHTS, '--input', '-', '--output', '-'];
  const setup: Setup = { input, keepOpen: true, onFirst: (child) => void child.kill('SIGTERM') };
  const { code, stdout, stderr } = await sluice(args, setup);
  assert.equal(code, 0, stderr);
  // A frame is handed over when it is full; what was to become the next one is not begun.
  assert.equal(linesOf(stdout).length, 512);
  assert.match(stderr, /stopped by SIGTERM/);
});

test('a reader that has seen enough ends a batch without a word', async () => {
  const args = [...FLIGHTS, '--input', `${EXAMPLE}/flights.jsonl.gz`, '--output', '-'];
  const { code, stderr } = await sluice(args, { onFirst: (child) => child.stdout?.destroy() });
  assert.deepEqual([code, stderr], [0, '']);
});

test('SIGTERM in the middle of a batch: what was begun is finished, in order, and the rest is said to be missing', async () => {
  const args = [...FLIGHTS, '--input', `${EXAMPLE}/flights.jsonl.gz`, '--output', '-'];
  const { code, stdout, stderr } = await sluice(args, { onFirst: (child) => void child.kill('SIGTERM') });
  assert.equal(code, 0, stderr);
  const ids = scored(stdout).map(({ id }) => id);
  const all = linesOf(gunzipSync(readFileSync(join(ROOT, EXAMPLE, 'flights.jsonl.gz'))).toString('utf8'));
  assert.ok(ids.length > 0 && ids.length < all.length, `${ids.length} predictions`);
  assert.deepEqual(
    ids,
    all.slice(0, ids.length).map((line) => JSON.parse(line).id),
  );
  assert.match(stderr, /^[\d,]+ predictions in .* s; stopped by SIGTERM: the rest of the input is not scored\n$/);
});

for (const name of ['hello', 'flight-delay']) {
  test(`the shipped topology ${name} passes the check, in words and as JSON`, async () => {
    const file = `topologies/${name}.yaml`;
    const words = await sluice(['check', file]);
    assert.equal(words.code, 0, words.stderr);
    assert.match(words.stderr, /^the contract holds: 0 errors, 0 warnings; \d+ golden records agree\n$/);
    assert.match(words.stdout, new RegExp(`^${name} with ${name}@1#[0-9a-f]{12}\n`));
    const json = await sluice(['check', file, '--json']);
    assert.deepEqual([json.code, json.stderr], [0, '']);
    const { ok, findings, contract } = JSON.parse(json.stdout);
    assert.deepEqual([ok, findings, contract.topology], [true, [], name]);
  });
}

test('a mistake in a topology is told with file, line and column, and ends with 2', async () => {
  const file = join(folder, 'wrong.yaml');
  const text = readFileSync(join(ROOT, 'topologies/flight-delay.yaml'), 'utf8');
  writeFileSync(file, text.replace('late_share]', 'late_shar]').replace('latencyBudget: 50ms', 'latencyBudgit: 50ms'));
  for (const args of [
    ['check', file],
    ['run', file],
    ['batch', file, '--input', file, '--output', '-'],
  ]) {
    const { code, stdout, stderr } = await sluice(args);
    assert.deepEqual([code, stdout], [2, '']);
    assert.match(stderr, new RegExp(`${file}:30:3 flow\\.latencyBudgit: unknown key "latencyBudgit"`));
  }
  const { code, stdout } = await sluice(['check', file, '--json']);
  assert.equal(code, 2);
  const { ok, findings } = JSON.parse(stdout);
  assert.equal(ok, false);
  assert.deepEqual([findings[0].file, findings[0].line, findings[0].severity], [file, 30, 'error']);
});

test('features go into the store that the environment names', async () => {
  const bigtable = await createBigtable();
  try {
    const args = ['features', 'load', 'topologies/flight-delay.yaml', `${EXAMPLE}/features`, '--json'];
    const { code, stdout, stderr } = await sluice(args, { env: { BIGTABLE_EMULATOR_HOST: bigtable.host } });
    assert.equal(code, 0, stderr);
    const tables: { table: string; rows: number }[] = JSON.parse(stdout).tables;
    assert.deepEqual(
      tables.map(({ table }) => table),
      ['airport', 'route'],
    );
    for (const { table, rows } of tables)
      assert.equal(
        rows,
        linesOf(gunzipSync(readFileSync(join(ROOT, EXAMPLE, 'features', `${table}.jsonl.gz`))).toString('utf8')).length,
      );
  } finally {
    await bigtable.close();
  }
});

test('wrong usage and help through the command itself', async () => {
  const wrong = await sluice(['chekc', 'x']);
  assert.deepEqual([wrong.code, wrong.stdout], [2, '']);
  assert.match(wrong.stderr, /unknown command 'chekc'\n\(Did you mean check\?\)/);
  const help = await sluice(['help', 'batch']);
  assert.deepEqual([help.code, help.stderr], [0, '']);
  assert.match(help.stdout, /\nExamples:\n/);
});

test('nothing is left in the temporary folder, and ONNX Runtime reports nothing to its maker', async () => {
  const TMPDIR = join(folder, 'tmp');
  mkdirSync(TMPDIR);
  for (const args of [
    ['check', 'topologies/hello.yaml'],
    ['test', 'topologies/hello.yaml'],
    [...FLIGHTS, '--limit', '1', '--input', `${EXAMPLE}/events-500.jsonl`, '--output', '-'],
  ]) {
    const { code, stderr } = await sluice(args, { env: { TMPDIR } });
    assert.equal(code, 0, stderr);
    // It makes a file of its session, and one a process, as soon as it may report.
    assert.deepEqual(readdirSync(TMPDIR), [], args[0]);
  }
});
