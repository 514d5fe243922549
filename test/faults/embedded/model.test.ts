import assert from 'node:assert/strict';
import { linkSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { isAlive } from '../../fixtures/isolated.ts';
import { HANGS, THROWS } from '../../fixtures/models.ts';
import { onnxModel } from '../../fixtures/onnx.ts';
import { headerText, type ReadRecord, readTopic } from '../../fixtures/reader.ts';
import { until } from '../../fixtures/until.ts';
import { audit, describeViolations, untilDrained } from '../ledger.ts';
import { record } from '../report.ts';
import { type Hello, startHello } from './hello.ts';
import { harmless, modelPid, poison, runPoisonous, withModel } from './poisonous.ts';

const WITHIN_MS = 90_000;

async function settled(hello: Hello): Promise<{ outputs: ReadRecord[]; letters: (string | undefined)[][] }> {
  const { brokers, output, deadLetter } = hello.watched;
  assert.equal(describeViolations(await audit(hello.watched)), '');
  const letters = await readTopic(brokers, deadLetter);
  return {
    outputs: await readTopic(brokers, output),
    letters: letters.map((letter) => [letter.key?.toString(), headerText(letter, '__dlq.errors.reason')]),
  };
}

test('row 24: a record for which the model hangs is dead-lettered alone, and the group hears from us all the time', async (context) => {
  const hello = await startHello(context, { partitions: 3, sessionTimeout: '3s' });
  withModel(context, hello, HANGS);
  await hello.produce([...harmless(70), poison(70), ...harmless(60, 71)]);
  const sluice = runPoisonous(context, hello, { RUN_TIMEOUT: '1s' });
  await sluice.until('the search for the row is told', async () =>
    (await sluice.health()).reason.includes('looking for the row'),
  );
  assert.equal((await sluice.health('/live')).status, 200);
  await untilDrained(hello.watched, WITHIN_MS);
  await sluice.ready();
  const restarts = await sluice.metric('sluice_model_restarts_total', { reason: 'hung' });
  assert.ok(restarts >= 2, 'it hung with others and alone');
  assert.equal(await sluice.metric('sluice_dead_letters_total', { reason: 'model-failed' }), 1);
  assert.equal(sluice.logged('joined the group').length, 1, 'nobody took us for dead');
  const pid = await modelPid(sluice);
  assert.equal(await sluice.stop(), 0);
  assert.equal(isAlive(pid), false);
  const { outputs, letters } = await settled(hello);
  assert.deepEqual(letters, [['70', 'model-failed']]);
  assert.equal(outputs.length, 130);
  for (const { value } of outputs) {
    const { id, probability } = JSON.parse(String(value));
    assert.equal(probability, 2 * (1_000 + (id % 5_000)), 'each its own');
  }
  record({
    rows: [24],
    test: context.name,
    faults: { hang: restarts },
    invariants: ['I1', 'I2', 'I3', 'I5', 'I8', 'I9'],
  });
});

test('row 3: SIGTERM while a run hangs ends within the drain budget, exit code 3, and loses nothing', async (context) => {
  const hello = await startHello(context, { partitions: 1, drain: '1s' });
  withModel(context, hello, HANGS);
  await hello.produce([...harmless(10), poison(10)]);
  const first = runPoisonous(context, hello);
  await first.until('it runs the record', async () => (await first.metric('sluice_batch_rows_count')) > 0);
  const pid = await modelPid(first);
  await first.until('the run hangs', async () => (await first.metric('sluice_inflight_records')) > 0);
  assert.equal((await first.health('/live')).status, 200);
  assert.equal(await first.stop(), 3);
  await until('the process of the model is gone', () => !isAlive(pid));
  assert.equal(describeViolations(await audit(hello.watched, { atRest: false })), '');

  const second = runPoisonous(context, hello, { RUN_TIMEOUT: '1s' });
  await untilDrained(hello.watched, WITHIN_MS);
  assert.equal(await second.stop(), 0);
  assert.deepEqual((await settled(hello)).letters, [['10', 'model-failed']]);
  record({ rows: [3], test: context.name, faults: { hang: 1, sigterm: 1 }, invariants: ['I1', 'I2', 'I3'] });
});

test('row 24: a process of the model that is killed, idle or at work, is replaced; no record pays for it', async (context) => {
  const hello = await startHello(context, { partitions: 2 });
  withModel(context, hello, THROWS);
  const sluice = runPoisonous(context, hello);
  await sluice.ready();
  const killed = new Set<number>();
  for (let n = 0; n < 4; n++) {
    await hello.produce(harmless(500, n * 500));
    const pid = await until('a process that was not killed yet', async () => {
      const found = await modelPid(sluice);
      return !killed.has(found) && isAlive(found) && found;
    });
    process.kill(pid, n % 2 === 0 ? 'SIGSEGV' : 'SIGKILL');
    killed.add(pid);
  }
  await untilDrained(hello.watched, WITHIN_MS);
  await sluice.until(
    'each was replaced',
    async () => (await sluice.metric('sluice_model_restarts_total')) === killed.size,
  );
  assert.equal(await sluice.stop(), 0);
  const { outputs, letters } = await settled(hello);
  assert.deepEqual([outputs.length, letters], [2_000, []]);
  record({ rows: [24], test: context.name, faults: { kill: killed.size }, invariants: ['I1', 'I2', 'I3', 'I5'] });
});

test('row 25: a model that is replaced under a running pipeline is not served under the old digest', async (context) => {
  const hello = await startHello(context, { partitions: 1 });
  const file = withModel(context, hello, THROWS);
  const sluice = runPoisonous(context, hello);
  await hello.produce(harmless(20));
  await untilDrained(hello.watched, WITHIN_MS);
  writeFileSync(`${file}.new`, onnxModel(HANGS));
  renameSync(`${file}.new`, file);
  await hello.produce(harmless(20, 20));
  await untilDrained(hello.watched, WITHIN_MS);
  const models = (await readTopic(hello.watched.brokers, hello.watched.output)).map((out) =>
    headerText(out, 'sluice-model'),
  );
  assert.deepEqual([models.length, new Set(models).size], [40, 1], 'who has it serves it');

  process.kill(await modelPid(sluice), 'SIGKILL');
  await hello.produce(harmless(20, 40));
  assert.equal(await sluice.ended, 1);
  assert.match(sluice.stderr, /the model file changed under a running pipeline/);

  const next = runPoisonous(context, hello);
  await untilDrained(hello.watched, WITHIN_MS);
  assert.equal(await next.stop(), 0);
  const { outputs } = await settled(hello);
  const digests = outputs.sort((a, b) => a.offset - b.offset).map((out) => headerText(out, 'sluice-model'));
  assert.equal(new Set(digests).size, 2);
  assert.equal(digests.indexOf(digests[40]), 40, 'the new model under its own digest');
  record({ rows: [25], test: context.name, faults: { swap: 1, kill: 1 }, invariants: ['I1', 'I2', 'I10'] });
});

const SPOILERS: Readonly<Record<string, readonly [spoil: (file: string) => void, said: RegExp]>> = {
  'ends in the middle': [
    (file) => truncateSync(file, readFileSync(file).length >> 1),
    /ONNX Runtime cannot load .*model\.onnx/,
  ],
  'is empty': [(file) => truncateSync(file, 0), /ONNX Runtime cannot load .*model\.onnx/],
  'is not there': [(file) => rmSync(file), /there is no file model\.onnx/],
  'has a second name': [(file) => linkSync(file, `${file}.twin`), /model\.onnx.*has more than one hard link/s],
};
for (const [what, [spoil, said]] of Object.entries(SPOILERS)) {
  test(`row 25: a model that ${what} stops the start, and says so`, async (context) => {
    const hello = await startHello(context, { partitions: 1 });
    spoil(withModel(context, hello, THROWS));
    const sluice = runPoisonous(context, hello);
    assert.equal(await sluice.ended, 2);
    assert.match(sluice.stderr, said);
    record({ rows: [25], test: context.name, faults: { spoiled: 1 }, invariants: ['I10', 'I12'] });
  });
}
