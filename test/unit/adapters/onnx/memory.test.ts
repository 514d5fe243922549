import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createOnnxRuntime } from '../../../../src/adapters/onnx/runtime.ts';
import { type TestModel, writeOnnx } from '../../../fixtures/onnx.ts';
import { RecordingTelemetry } from '../../../fixtures/telemetry.ts';

/** Multiplies the rows with each other on the way: memory for rows × rows numbers. */
const SQUARE: TestModel = {
  inputs: [{ name: 'x', dtype: 'float32', shape: ['rows', 1] }],
  outputs: [{ name: 'y', dtype: 'float32', shape: ['rows', 1] }],
  nodes: [
    { op: 'Transpose', inputs: ['x'], output: 'xt' },
    { op: 'MatMul', inputs: ['x', 'xt'], output: 'xx' },
    { op: 'MatMul', inputs: ['xx', 'x'], output: 'y' },
  ],
};

/** Squared, four bytes each, more than a 64-bit process can address, whatever the machine has and promises. */
const TOO_MANY = 8_000_000;

test('a run that the runtime finds no memory for is told from a model that failed, and the session goes on', async () => {
  const session = await createOnnxRuntime({ telemetry: new RecordingTelemetry() }).load({
    file: writeOnnx(SQUARE),
    device: 'cpu',
    feeds: [{ name: 'x', rowShape: [1], dtype: 'float32' }],
    fetches: ['y'],
  });
  try {
    await assert.rejects(session.run([new Float32Array(TOO_MANY)], TOO_MANY), {
      code: 'device-memory',
      message: /^not enough memory for a batch of 8000000: /,
    });
    const [{ values }] = await session.run([Float32Array.of(1, 2)], 2);
    assert.deepEqual([...values], [5, 10]);
  } finally {
    await session.close();
  }
});
