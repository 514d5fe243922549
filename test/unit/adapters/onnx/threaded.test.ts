import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { createThreadedRuntime, type ThreadedDeps } from '../../../../src/adapters/onnx/threaded.ts';
import type { ModelSession } from '../../../../src/ports/model.ts';
import { COUNTS, POISON, THROWS } from '../../../fixtures/models.ts';
import { type TestModel, writeOnnx } from '../../../fixtures/onnx.ts';
import { RecordingTelemetry } from '../../../fixtures/telemetry.ts';
import { sessions } from './sessions.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-threaded-'));
after(() => rmSync(folder, { recursive: true }));

sessions('in a thread', () => createThreadedRuntime({ telemetry: new RecordingTelemetry() }, { sessions: 1 }));

/** Adds a row's 1024 numbers up, and hands them on. */
const WIDTH = 1024;
const SUMS: TestModel = {
  inputs: [{ name: 'x', dtype: 'float32', shape: ['rows', WIDTH] }],
  outputs: [
    { name: 'sum', dtype: 'float32', shape: ['rows', 1] },
    { name: 'same', dtype: 'float32', shape: ['rows', WIDTH] },
  ],
  constants: { one: [1] },
  nodes: [
    { op: 'ReduceSum', inputs: ['x', 'one'], output: 'sum', ints: { keepdims: 1 } },
    { op: 'Identity', inputs: ['x'], output: 'same' },
  ],
};

interface Asked extends Partial<ThreadedDeps> {
  readonly model?: TestModel;
  readonly sessions?: number;
  readonly fetches?: readonly string[];
  readonly partRows?: number;
}

async function load(t: { after(end: () => Promise<void>): void }, asked: Asked): Promise<ModelSession> {
  const { model = THROWS, sessions: count = 1, entry, telemetry = new RecordingTelemetry(), partRows } = asked;
  const session = await createThreadedRuntime({ telemetry, entry }, { sessions: count }).load({
    file: writeOnnx(model, folder),
    device: 'cpu',
    feeds: model.inputs.map(({ name, dtype, shape }) => ({ name, dtype, rowShape: shape.slice(1) as number[] })),
    fetches: asked.fetches ?? model.outputs.map(({ name }) => name),
    partRows,
  });
  t.after(() => session.close());
  return session;
}

test('a run of more rows than a part goes through the model in parts of as many', async (t) => {
  const session = await load(t, { model: COUNTS, partRows: 4 });
  const counts = async (rows: number): Promise<number[]> => {
    const [{ values }] = await session.run([new Float32Array(rows).fill(1)], rows);
    return Array.from(values, Number);
  };
  assert.deepEqual(await counts(4), [4, 4, 4, 4]);
  assert.deepEqual(await counts(7), [3, 3, 3, 4, 4, 4, 4]);
});

const numbered = (rows: number, width: number): Float32Array =>
  Float32Array.from({ length: rows * width }, (_, i) => Math.floor(i / width) + 1);

for (const [title, rows] of [
  ['just fits into what is shared', 256],
  ['does not fit and is moved', 257],
  ['is many times as large', 1500],
] as const) {
  test(`a batch that ${title} is answered row by row, and its slab stays whole`, async (t) => {
    const session = await load(t, { model: SUMS });
    for (let turn = 0; turn < 3; turn++) {
      const slab = numbered(rows, WIDTH);
      const [sum, same] = await session.run([slab], rows);
      assert.deepEqual([sum.width, same.width], [1, WIDTH]);
      assert.deepEqual(
        [...sum.values],
        Array.from({ length: rows }, (_, i) => (i + 1) * WIDTH),
      );
      assert.deepEqual(same.values, slab);
      assert.equal(slab.length, rows * WIDTH);
    }
  });
}

test('an answer is nobody else’s: the next run does not write over it', async (t) => {
  const session = await load(t, { model: SUMS, fetches: ['sum'] });
  const first = await session.run([numbered(2, WIDTH)], 2);
  await session.run([new Float32Array(2 * WIDTH)], 2);
  assert.deepEqual([...first[0].values], [WIDTH, 2 * WIDTH]);
});

test('a slab may be filled anew as soon as its run has begun', async (t) => {
  const session = await load(t, { model: SUMS, fetches: ['sum'] });
  for (const rows of [2, 300]) {
    const slab = numbered(rows, WIDTH);
    const running = session.run([slab], rows);
    slab.fill(0);
    assert.equal((await running)[0].values[1], 2 * WIDTH);
  }
});

test('as many runs at once as there are sessions, and more wait their turn', async (t) => {
  const session = await load(t, { sessions: 3 });
  assert.equal(session.concurrency, 3);
  const values = Array.from({ length: 20 }, (_, i) => i);
  const runs = values.map((value) => session.run([Float32Array.of(value)], 1));
  const answers = await Promise.all(runs);
  assert.deepEqual(
    answers.map(
      ([
        {
          values: [y],
        },
      ]) => y,
    ),
    values.map((value) => 2 * value),
  );
});

test('a run that fails leaves its session to the next', async (t) => {
  const session = await load(t, { sessions: 2 });
  for (let turn = 0; turn < 6; turn++) {
    await assert.rejects(session.run([Float32Array.of(POISON)], 1), { code: 'model-failed' });
  }
  assert.equal((await session.run([Float32Array.of(4)], 1))[0].values[0], 8);
});

test('a thread that ends by itself is the device’s failure, of its run and of those that follow', async (t) => {
  const entry = join(folder, 'dies.mjs');
  writeFileSync(
    entry,
    `import { parentPort, workerData } from 'node:worker_threads';
     const words = new Int32Array(workerData.shared);
     parentPort.postMessage({ loaded: { device: 'cpu', inputs: [], outputs: [] }, events: [] });
     Atomics.wait(words, 0, 0);
     throw new Error('out of luck');`,
  );
  const session = await load(t, { entry: pathToFileURL(entry) });
  for (let turn = 0; turn < 2; turn++) {
    await assert.rejects(session.run([Float32Array.of(1)], 1), {
      code: 'device-failed',
      disposition: 'fatal',
      message: /is gone: its thread ended with code 1: out of luck; no record was given up/,
    });
  }
});

test('a thread that ends before it has a model says why', async (t) => {
  const entry = join(folder, 'never.mjs');
  writeFileSync(entry, `throw new Error('no such thing');`);
  await assert.rejects(load(t, { entry: pathToFileURL(entry) }), {
    code: 'device-failed',
    message: /could not be loaded: its thread ended with code 1: no such thing/,
  });
});

test('the end waits for the run that is under way', async (t) => {
  const session = await load(t, { model: SUMS, fetches: ['sum'] });
  const running = session.run([numbered(1500, WIDTH)], 1500);
  await session.close();
  assert.equal((await running)[0].values[1], 2 * WIDTH);
  await assert.rejects(session.run([numbered(1, WIDTH)], 1), { code: 'invariant-broken' });
});

test('what a device was passed over for is told, as on the thread of the pipeline', async () => {
  const telemetry = new RecordingTelemetry();
  const session = await createThreadedRuntime({ telemetry }, { sessions: 2 }).load({
    file: writeOnnx(THROWS, folder),
    device: 'auto',
    feeds: [{ name: 'x', dtype: 'float32', rowShape: [1] }],
    fetches: ['y'],
  });
  await session.close();
  assert.equal(telemetry.events.length, session.device === 'cpu' ? 1 : 0, 'once, not once a thread');
});
