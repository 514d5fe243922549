import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { closing, type Diagnosis, failed, ok, problem, textOf } from '../../../../src/commands/doctor/finding.ts';
import { checkModel } from '../../../../src/commands/doctor/model.ts';
import { checkNode } from '../../../../src/commands/doctor/node.ts';
import { SluiceError } from '../../../../src/kernel/errors.ts';
import { startEmbeddedStack } from '../../../fixtures/embedded-stack.ts';
import { runHere } from '../../../fixtures/io.ts';
import { testPlan } from '../../../fixtures/plan.ts';

const ROOT = join(import.meta.dirname, '../../../..');
const HELLO = join(ROOT, 'topologies/hello.yaml');
const FLIGHTS = join(ROOT, 'topologies/flight-delay.yaml');
const folder = mkdtempSync(join(tmpdir(), 'sluice-doctor-'));
const home = process.cwd();
process.chdir(ROOT);
after(() => {
  process.chdir(home);
  rmSync(folder, { recursive: true });
});

function variant(from: string, to: string): string {
  const text = readFileSync(HELLO, 'utf8');
  assert.equal(text.split(from).length, 2);
  const file = join(folder, 'variant.yaml');
  writeFileSync(file, text.replace(from, to));
  return file;
}

const found = (stdout: string): readonly Diagnosis[] => JSON.parse(stdout).findings;

test('without a topology it looks at this machine alone, and a machine without a GPU is well', async () => {
  const { code, stdout, stderr } = await runHere(['doctor']);
  assert.equal(code, 0, stdout);
  assert.match(stdout, /^ok +node +24\./m);
  assert.match(stdout, /^ok +onnx +ONNX Runtime \d+\.\d+\.\d+ with cpu/m);
  for (const line of stdout.trimEnd().split('\n')) assert.match(line, /^(ok|note|warning|problem) +\w+ +\S/);
  assert.equal(stderr, 'all is well\n');
});

test('a pipeline with everything there is well; with a topic missing it is not, and says which', async (t) => {
  const stack = await startEmbeddedStack();
  t.after(() => stack.stop());
  for (const topic of ['hello.flights', 'hello.late']) await stack.createTopic(topic, 2);
  const missing = await runHere(['doctor', HELLO], { env: stack.env });
  assert.equal(missing.code, 1);
  const problems = missing.stdout.split('\n').filter((line) => line.startsWith('problem'));
  assert.equal(problems.length, 1, missing.stdout);
  assert.match(problems[0], /topic +hello\.dead-letter does not exist.*kafka-topics\.sh .*--topic hello\.dead-letter/);
  assert.equal(missing.stderr, '1 problem, 0 warnings\n');

  await stack.createTopic('hello.dead-letter', 1);
  const well = await runHere(['doctor', HELLO, '--json'], { env: stack.env });
  assert.equal(well.code, 0, well.stdout);
  assert.equal(JSON.parse(well.stdout).ok, true);
  const model = found(well.stdout).find(({ check }) => check === 'model');
  assert.match(model?.what ?? '', /^hello@1#\w{12} runs on /);
});

test('broker, registry and store that are dead are a problem each', async () => {
  const stack = await startEmbeddedStack();
  await stack.stop();
  const { code, stdout } = await runHere(['doctor', FLIGHTS, '--json'], { env: stack.env });
  assert.equal(code, 1);
  const problems = found(stdout).filter(({ status }) => status === 'problem');
  assert.deepEqual(
    problems.map(({ check }) => check),
    ['broker', 'registry', 'store'],
  );
  for (const { remedy } of problems) assert.ok(remedy);
});

test('services by their addresses, in place of those of a topology', async (t) => {
  const stack = await startEmbeddedStack();
  t.after(() => stack.stop());
  const { KAFKA_BROKERS = '', SCHEMA_REGISTRY_URL = '' } = stack.env;
  const right = await runHere(['doctor', '--brokers', KAFKA_BROKERS, '--registry', SCHEMA_REGISTRY_URL]);
  assert.equal(right.code, 0, right.stdout);
  assert.match(right.stdout, new RegExp(`^ok +broker +${KAFKA_BROKERS} answers$`, 'm'));
  const crossed = await runHere(['doctor', '--brokers', new URL(SCHEMA_REGISTRY_URL).host]);
  assert.equal(crossed.code, 1);
  assert.match(crossed.stdout, /^problem +broker .* plain Kafka/m);
});

test('a GPU that the topology wants and this machine has not is a problem of libraries, told once', async (t) => {
  const file = variant('model:\n', 'model:\n  device: cuda\n');
  const { code, stdout } = await runHere(['doctor', file, '--json']);
  const cuda = found(stdout).filter(({ check, status }) => check === 'cuda' && status === 'problem');
  if (cuda.length === 0) return t.skip('this machine has a GPU');
  assert.equal(code, 1);
  assert.match(cuda[0].what, /libonnxruntime_providers_cuda\.so/);
  assert.match(cuda[0].remedy ?? '', /device: cpu/);
  const model = found(stdout).find(({ check }) => check === 'model');
  assert.match(model?.what ?? '', /is not tried: see cuda$/);
});

test('a topology that is none is said where, and exits as everywhere', async () => {
  const { code, stdout } = await runHere(['doctor', variant('latencyBudget: 50ms', 'latencyBudget: 50')]);
  assert.equal(code, 2);
  assert.match(
    stdout,
    /^problem +topology +\S+variant\.yaml:\d+:\d+ flow\.latencyBudget: 50 has no unit; write a duration/m,
  );
});

test('a Node that is too old is a problem', () => {
  assert.equal(checkNode({ version: 'v24.1.0', wanted: '>=24' }).status, 'ok');
  const old = checkNode({ version: 'v20.20.2', wanted: '>=24' });
  assert.deepEqual([old.status, old.what], ['problem', '20.20.2, and Sluice needs >=24']);
});

test('a model is told by where it runs, or why it does not', async () => {
  const plan = testPlan();
  let closed = 0;
  const session = { device: 'cuda:0', inputs: [], outputs: [], run: async () => [], close: async () => void closed++ };
  const one = await checkModel(plan, async () => session);
  assert.match(one.what, / runs on cuda:0, one run at a time$/);
  const two = await checkModel(plan, async () => ({ ...session, devices: ['cuda:0', 'cuda:1'], concurrency: 4 }));
  assert.match(two.what, / runs on cuda:0, cuda:1, 4 runs at a time$/);
  assert.equal(closed, 2);
  const none = await checkModel(plan, () =>
    Promise.reject(new SluiceError('device-unavailable', 'no such GPU; buy one')),
  );
  assert.deepEqual([none.status, none.what, none.remedy], ['problem', 'no such GPU', 'buy one']);
});

test('a finding is one line, whatever its texts hold', () => {
  const text = textOf([
    ok('node', '24'),
    problem('registry', 'two\n  lines', 'mend\nit'),
    failed('store', new Error('x'), 'look'),
  ]);
  assert.equal(
    text,
    'ok       node      24\nproblem  registry  two lines; mend it\nproblem  store     unexpected failure: x; look\n',
  );
  assert.equal(closing([problem('a', 'b', 'c')]), '1 problem, 0 warnings');
});
