import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { createIsolatedRuntime } from '../../../src/adapters/onnx/isolated.ts';
import { createOnnxRuntime } from '../../../src/adapters/onnx/runtime.ts';
import { classify } from '../../../src/kernel/errors.ts';
import { createSystemClock } from '../../../src/kernel/system-clock.ts';
import type { ModelLoad, ModelSession } from '../../../src/ports/model.ts';
import { runHere } from '../../fixtures/io.ts';
import { type TestModel, writeOnnx } from '../../fixtures/onnx.ts';
import { seeded } from '../../fixtures/random.ts';
import { RecordingTelemetry } from '../../fixtures/telemetry.ts';

const ROOT = join(import.meta.dirname, '../../..');
const folder = mkdtempSync(join(tmpdir(), 'sluice-webgpu-'));
after(() => rmSync(folder, { recursive: true }));

test('several pipelines in a process, each a thread, are refused with WebGPU: two threads on it crash the process', async () => {
  const text = readFileSync(join(ROOT, 'topologies/hello.yaml'), 'utf8')
    .replace('bundle: models', `device: webgpu\n  bundle: ${ROOT}/models`)
    .replaceAll('schemas/', `${ROOT}/schemas/`);
  const file = join(folder, 'hello.yaml');
  writeFileSync(file, text);
  const { code, stderr } = await runHere(['run', file, '--no-listen', '--json', '--instances', '2']);
  assert.equal(code, 2);
  assert.match(
    stderr,
    /--instances 2 are threads, and model\.device: webgpu .*; start as many processes, or write isolation/,
  );
});

const WIDTH = 32;
const MODEL: TestModel = {
  inputs: [{ name: 'x', dtype: 'float32', shape: ['rows', WIDTH] }],
  outputs: [{ name: 'y', dtype: 'float32', shape: ['rows', WIDTH] }],
  nodes: [
    { op: 'Mul', inputs: ['x', 'x'], output: 'squared' },
    { op: 'Add', inputs: ['squared', 'x'], output: 'sum' },
    { op: 'Sigmoid', inputs: ['sum'], output: 'y' },
  ],
};

/** In a process of its own: what a driver of the machine does wrong is not these tests' end. */
test('what comes from a GPU over WebGPU is what comes from the CPU, where there is one', async (t) => {
  const telemetry = new RecordingTelemetry();
  const load: ModelLoad = {
    file: writeOnnx(MODEL, folder),
    device: 'webgpu',
    feeds: [{ name: 'x', dtype: 'float32', rowShape: [WIDTH] }],
    fetches: ['y'],
  };
  const runtime = createIsolatedRuntime(
    { clock: createSystemClock(), telemetry },
    { runTimeoutMs: 60_000, maxBytes: 0 },
  );
  let gpu: ModelSession;
  try {
    gpu = await runtime.load(load);
  } catch (thrown) {
    const { code, message } = classify(thrown);
    assert.ok(code === 'device-unavailable' || code === 'device-failed', message);
    return t.skip(`no WebGPU here: ${message.slice(0, 200)}`);
  }
  t.after(() => gpu.close());
  assert.equal(gpu.device, 'webgpu');
  const cpu = await createOnnxRuntime({ telemetry }).load({ ...load, device: 'cpu' });
  t.after(() => cpu.close());
  const random = seeded(3);
  for (const rows of [1, 7, 256]) {
    const slab = Float32Array.from({ length: rows * WIDTH }, () => 8 * random() - 4);
    const [[{ values: there }], [{ values: here }]] = [await gpu.run([slab], rows), await cpu.run([slab], rows)];
    assert.equal(there.length, here.length);
    for (let i = 0; i < here.length; i++)
      assert.ok(Math.abs(Number(there[i]) - Number(here[i])) < 1e-5, `${i} of ${rows}`);
  }
});
