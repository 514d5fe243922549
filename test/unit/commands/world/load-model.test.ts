import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createOnnxRuntime } from '../../../../src/adapters/onnx/runtime.ts';
import { loadModel } from '../../../../src/commands/world/load-model.ts';
import { createSystemClock } from '../../../../src/kernel/system-clock.ts';
import type { Plan } from '../../../../src/plan/plan.ts';
import type { ModelLoad, ModelRuntime } from '../../../../src/ports/model.ts';
import { FakeClock } from '../../../fixtures/clock.ts';
import { COUNTS, THROWS } from '../../../fixtures/models.ts';
import { writeOnnx } from '../../../fixtures/onnx.ts';
import { testPlan } from '../../../fixtures/plan.ts';
import { RecordingTelemetry } from '../../../fixtures/telemetry.ts';

const FEEDS = [{ name: 'x', rowShape: [1], dtype: 'float32' }] as const;

function planWith(model: Partial<Plan['topology']['model']>): Plan {
  const plan = testPlan();
  return {
    ...plan,
    feeds: FEEDS,
    bundle: { ...plan.bundle, modelFile: writeOnnx(THROWS), modelFiles: [] },
    predictions: { ...plan.predictions, fetches: ['y'] },
    topology: { ...plan.topology, model: { ...plan.topology.model, isolation: 'none', ...model } },
  };
}

test('the device in use is told by its number, and loaded with what the environment says of libraries', async () => {
  const telemetry = new RecordingTelemetry();
  const asked: ModelLoad[] = [];
  const runtime: ModelRuntime = {
    inspect: () => Promise.reject(new Error('not asked for')),
    async load(load) {
      asked.push(load);
      return { device: 'cuda:3', inputs: [], outputs: [], run: async () => [], close: async () => undefined };
    },
  };
  const plan = planWith({ device: 'cuda', deviceIds: [3], placement: 'inline' });
  const env = { LD_LIBRARY_PATH: '/opt/cuda/lib64' };
  const session = await loadModel(plan, { clock: new FakeClock(), telemetry, runtime, env });
  assert.equal(session.device, 'cuda:3');
  assert.deepEqual([asked[0].device, asked[0].deviceIds], ['cuda', [3]]);
  assert.deepEqual(asked[0].libraries?.loadPath, ['/opt/cuda/lib64']);
  const loaded = telemetry.events.find(({ name }) => name === 'model-loaded');
  assert.equal(loaded?.fields.device, 'cuda:3');
  assert.equal(telemetry.gauges.get('sluice_model_device{device=cuda:3}')?.(), 1);
});

test('threads are made once the session that tried the device is closed: a GPU may have room for one less', async (t) => {
  const telemetry = new RecordingTelemetry();
  const real = createOnnxRuntime({ telemetry });
  let closed = 0;
  const runtime: ModelRuntime = {
    ...real,
    async load(load) {
      const session = await real.load(load);
      return { ...session, close: () => session.close().then(() => void closed++) };
    },
  };
  const plan = planWith({ device: 'cpu', placement: 'thread', sessions: 2 });
  const session = await loadModel(plan, { clock: new FakeClock(), telemetry, runtime });
  t.after(() => session.close());
  assert.equal(closed, 1);
  assert.deepEqual([session.devices, session.concurrency], [['cpu'], 2]);
  const answers = await Promise.all([1, 2, 3].map((value) => session.run([Float32Array.of(value)], 1)));
  assert.deepEqual(
    answers.map(
      ([
        {
          values: [value],
        },
      ]) => value,
    ),
    [2, 4, 6],
  );
});

test('a model that costs more a row in large batches is run in parts in its thread, and the log says of how many rows', async (t) => {
  const telemetry = new RecordingTelemetry();
  const clock = new FakeClock();
  const real = createOnnxRuntime({ telemetry });
  const runtime: ModelRuntime = {
    ...real,
    async load(load) {
      const session = await real.load(load);
      return {
        ...session,
        async run(slabs, rows) {
          await clock.advance(rows * (rows <= 128 ? 0.125 : 0.14));
          return session.run(slabs, rows);
        },
      };
    },
  };
  const plan = planWith({ device: 'cpu', placement: 'thread' });
  const { topology, bundle } = plan;
  const counting = {
    ...plan,
    bundle: { ...bundle, modelFile: writeOnnx(COUNTS) },
    topology: { ...topology, flow: { ...topology.flow, maxBatch: 1_024 } },
  };
  const session = await loadModel(counting, { clock, telemetry, runtime });
  t.after(() => session.close());
  const [{ values }] = await session.run([new Float32Array(512).fill(1)], 512);
  assert.deepEqual(new Set<unknown>(values as Float32Array), new Set([128]));
  assert.equal(telemetry.eventsNamed('model-placed')[0].partRows, 128);
});

test('a model with one row a run in its graph is found out at the start, and gets no batches that it fails on', async (t) => {
  const telemetry = new RecordingTelemetry();
  const runtime = createOnnxRuntime({ telemetry });
  const plan = planWith({ device: 'cpu' });
  const modelFile = writeOnnx({
    inputs: [{ name: 'x', dtype: 'float32', shape: ['n', 1] }],
    outputs: [{ name: 'y', dtype: 'float32', shape: [1, 1] }],
    nodes: [{ op: 'Reshape', inputs: ['x', 'single'], output: 'y' }],
    constants: { single: [1, 1] },
  });
  const single = { ...plan, bundle: { ...plan.bundle, modelFile } };
  const session = await loadModel(single, { clock: createSystemClock(), telemetry, runtime });
  t.after(() => session.close());
  assert.equal(session.maxRows, 1);
  const [{ because, maxRows }] = telemetry.eventsNamed('model-placed');
  assert.equal(maxRows, 1);
  assert.match(String(because), /^1 row takes .*, and larger batches fail: the model failed on a batch of 2/);
});

test('a requested GPU that is not available ends the start, and nothing falls back to the CPU', async (t) => {
  const telemetry = new RecordingTelemetry();
  const runtime = createOnnxRuntime({ telemetry });
  const plan = planWith({ device: 'cuda', deviceIds: [0, 1] });
  const loading = loadModel(plan, { clock: new FakeClock(), telemetry, runtime });
  const session = await loading.catch(() => undefined);
  if (session !== undefined) {
    await session.close();
    return t.skip('this machine has GPUs');
  }
  await assert.rejects(loading, {
    code: 'device-unavailable',
    message: /^model\.device is cuda, which is not available: .*onnxruntime.*set model\.device to auto or cpu$/,
  });
});
