import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import { type Hello, startHello } from '../faults/embedded/hello.ts';
import { harmless, poison, withModel } from '../faults/embedded/poisonous.ts';
import { audit, describeViolations, untilDrained } from '../faults/ledger.ts';
import { HANGS } from '../fixtures/models.ts';
import { readTopic } from '../fixtures/reader.ts';
import { Sluice, sluice } from '../fixtures/sluice.ts';

const WITHIN_MS = 90_000;
const PLACED = 'decided where the model runs';

function run(context: TestContext, { file, env }: Hello, ...args: string[]): Sluice {
  const child = new Sluice(['run', file, '--json', '--listen', '127.0.0.1:0', ...args], env);
  context.after(() => child.signal('SIGKILL'));
  return child;
}

/** Every record has its output, once, of its own distance where that is known. */
async function answeredOnce({ watched }: Hello, records: number): Promise<void> {
  assert.equal(describeViolations(await audit(watched)), '');
  const ids = (await readTopic(watched.brokers, watched.output)).map(({ value }) => JSON.parse(String(value)).id);
  assert.equal(ids.length, records);
  assert.equal(new Set(ids).size, records);
}

/** Gives the pipeline a model of the tests' own, in a thread. */
function inThread(context: TestContext, hello: Hello): void {
  withModel(context, hello, HANGS);
  const text = readFileSync(hello.file, 'utf8');
  writeFileSync(hello.file, text.replace(/isolation: process, runTimeout: "[^"]*"/, 'placement: thread, sessions: 2'));
}

test('two instances in one process share the partitions, are one page and one health, and drain as one', async (context) => {
  const hello = await startHello(context, { partitions: 4, sessionTimeout: '6s' });
  const child = run(context, hello, '--instances', '2');
  await child.ready();
  await child.until('both have partitions', () => {
    const instances = child.logged('partition assigned').map(({ instance }) => instance);
    return instances.includes(1) && instances.includes(2);
  });
  await hello.produce(harmless(4_000));
  await untilDrained(hello.watched, WITHIN_MS);
  assert.equal(await child.metric('sluice_records_total', { fate: 'published' }), 4_000);
  assert.equal(await child.metric('sluice_instance_ready'), 2);
  const lag = (await child.metrics()).split('\n').filter((line) => line.startsWith('sluice_lag_records{'));
  assert.equal(lag.length, 4, 'every partition once');
  assert.equal((await child.metrics()).match(/^process_cpu_seconds_total /gm)?.length, 1);
  assert.deepEqual(await child.health('/ready'), { status: 200, ready: true, reason: '' });
  assert.equal((await child.health('/live')).status, 200);
  assert.equal(await child.stop(), 0, child.stderr.slice(-3_000));
  assert.equal(child.logged('drained: everything taken in is settled and committed').length, 2);
  await answeredOnce(hello, 4_000);
});

test('an instance that throws ends the process with its reason, after the drain of the other', async (context) => {
  const hello = await startHello(context, { partitions: 4, sessionTimeout: '6s' });
  const flag = `${hello.file}.throw`;
  const child = new Sluice([hello.file], { ...hello.env, THROW_WHEN: flag }, 'test/fixtures/one-instance-throws.ts');
  context.after(() => child.signal('SIGKILL'));
  await child.ready();
  await hello.produce(harmless(500));
  await untilDrained(hello.watched, WITHIN_MS);
  writeFileSync(flag, '');
  assert.equal(await child.ended, 1);
  assert.match(child.stderr, /sluice: instance 2: out of luck/);
  const failed = child.log().find(({ event }) => event === 'failed');
  assert.deepEqual([failed?.instance, failed?.reason], [2, 'out of luck']);
  assert.deepEqual(
    child.logged('drained: everything taken in is settled and committed').map(({ instance }) => instance),
    [1],
  );
  await answeredOnce(hello, 500);
});

test('what keeps an instance from beginning ends the process, which names it', async (context) => {
  const hello = await startHello(context, { partitions: 1 });
  writeFileSync(hello.file, readFileSync(hello.file, 'utf8').replace(/\.out\b/, '.nowhere'));
  const { code, stderr } = await sluice(['run', hello.file, '--json', '--no-listen', '--instances', '2'], hello.env);
  assert.equal(code, 1);
  assert.match(stderr, /sluice: instance \d: .*nowhere/);
});

test('a number of instances that cannot be is refused', async () => {
  for (const n of ['0', '65', 'two']) {
    const { code, stderr } = await sluice(['run', 'topologies/hello.yaml', '--instances', n]);
    assert.equal(code, 2);
    assert.match(stderr, /--instances/);
  }
});

test('a model in threads scores each record by itself, and the drain lets go of it', async (context) => {
  const hello = await startHello(context, { partitions: 3 });
  inThread(context, hello);
  await hello.produce(harmless(2_000));
  const child = run(context, hello);
  await untilDrained(hello.watched, WITHIN_MS);
  const [placed] = child.logged(PLACED);
  assert.deepEqual([placed.placement, placed.sessions, placed.because], ['thread', 2, 'model.placement is thread']);
  assert.equal(await child.stop(), 0, child.stderr.slice(-3_000));
  await answeredOnce(hello, 2_000);
  for (const { value } of await readTopic(hello.watched.brokers, hello.watched.output)) {
    const { id, probability } = JSON.parse(String(value));
    assert.equal(probability, 2 * (1_000 + (id % 5_000)));
  }
});

test('two instances whose model has threads of its own: threads within threads, one drain', async (context) => {
  const hello = await startHello(context, { partitions: 4, sessionTimeout: '6s' });
  inThread(context, hello);
  await hello.produce(harmless(2_000));
  const child = run(context, hello, '--instances', '2');
  await untilDrained(hello.watched, WITHIN_MS);
  await child.ready();
  assert.deepEqual(
    child
      .logged(PLACED)
      .map(({ instance, placement }) => `${instance} ${placement}`)
      .sort(),
    ['1 thread', '2 thread'],
  );
  assert.equal(await child.stop(), 0, child.stderr.slice(-3_000));
  assert.equal(describeViolations(await audit(hello.watched)), '');
});

test('a model that hangs in its thread leaves the loop free, and the process ends within the budget with its code', async (context) => {
  const hello = await startHello(context, { partitions: 1, drain: '2s', sessionTimeout: '6s' });
  inThread(context, hello);
  const child = run(context, hello);
  await child.ready();
  await hello.produce([poison(0)]);
  await child.until('the run hangs', async () => (await child.metric('sluice_inflight_records')) === 1);
  assert.equal((await child.health('/live')).status, 200);
  assert.equal(await child.stop(), 3, child.stderr.slice(-3_000));
  const found = await audit(hello.watched);
  assert.equal((await readTopic(hello.watched.brokers, hello.watched.output)).length, 0);
  assert.ok(found !== undefined);
});

test('a dry run says where the model would run, and on what figures', async (context) => {
  const hello = await startHello(context, { partitions: 1 });
  const { code, stderr } = await sluice(['run', hello.file, '--json', '--dry'], hello.env);
  assert.equal(code, 0, stderr);
  const placed = stderr.split('\n').find((line) => line.includes(PLACED)) ?? '{}';
  // Which it is, is up to the machine.
  const { because, placement } = JSON.parse(placed);
  const figures =
    placement === 'inline' ? /^2000 rows take [\d.e-]+ ms, within 1 ms$/ : /^\d+ rows take [\d.e-]+ ms, over 1 ms$/;
  assert.match(because, figures);
});
