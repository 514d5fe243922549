import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { createOnnxRuntime } from '../../../../src/adapters/onnx/runtime.ts';
import { createThreadedRuntime } from '../../../../src/adapters/onnx/threaded.ts';
import type { ModelLoad, ModelRuntime } from '../../../../src/ports/model.ts';
import { type TestModel, writeOnnx } from '../../../fixtures/onnx.ts';
import { RecordingTelemetry } from '../../../fixtures/telemetry.ts';

/** What a large input costs in copies, seen in the process's peak of resident memory: a copy of it would be as much again. */
const WIDTH = 1024;
const ROWS = 24 * 1024;
const MIB = 1024 * 1024;
const INPUT_MIB = (4 * WIDTH * ROWS) / MIB;
const SUMS: TestModel = {
  inputs: [{ name: 'x', dtype: 'float32', shape: ['rows', WIDTH] }],
  outputs: [{ name: 'sum', dtype: 'float32', shape: ['rows', 1] }],
  constants: { one: [1] },
  nodes: [{ op: 'ReduceSum', inputs: ['x', 'one'], output: 'sum', ints: { keepdims: 1 } }],
};
const telemetry = new RecordingTelemetry();

/** One for all: memory of an earlier test that is collected meanwhile would make room that nobody sees. A view, as the slabs of a batch are. */
const slab = new Float32Array(WIDTH * (ROWS + 7)).fill(1).subarray(7 * WIDTH);

function peakMiB(): number {
  return Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]) / 1024;
}

/** Growth of the peak over three runs on the same slab. */
async function growthMiB(runtime: ModelRuntime): Promise<number> {
  const load: ModelLoad = {
    file: writeOnnx(SUMS),
    device: 'cpu',
    feeds: [{ name: 'x', dtype: 'float32', rowShape: [WIDTH] }],
    fetches: ['sum'],
  };
  const session = await runtime.load(load);
  // The peak is what is resident from here on.
  writeFileSync('/proc/self/clear_refs', '5');
  const before = peakMiB();
  for (let turn = 0; turn < 3; turn++) {
    const [{ values }] = await session.run([slab], ROWS);
    assert.equal(values[ROWS - 1], WIDTH);
  }
  const growth = peakMiB() - before;
  await session.close();
  return growth;
}

const skip = process.platform !== 'linux';

test('on the thread of the pipeline a large input is used where it lies: no copy', { skip }, async () => {
  const growth = await growthMiB(createOnnxRuntime({ telemetry }));
  assert.ok(growth < INPUT_MIB / 4, `${growth.toFixed(0)} MiB more for an input of ${INPUT_MIB} MiB`);
});

test('in a thread it is copied once, into memory that is moved there and back and used again', { skip }, async () => {
  const growth = await growthMiB(createThreadedRuntime({ telemetry }, { sessions: 1 }));
  assert.ok(growth < 1.5 * INPUT_MIB, `${growth.toFixed(0)} MiB more for an input of ${INPUT_MIB} MiB`);
  assert.ok(growth > 0.75 * INPUT_MIB, 'what is measured is there to be seen');
});

test('an input is read when the run begins, in place: what is written before that is scored', async () => {
  const session = await createOnnxRuntime({ telemetry }).load({
    file: writeOnnx(SUMS),
    device: 'cpu',
    feeds: [{ name: 'x', dtype: 'float32', rowShape: [WIDTH] }],
    fetches: ['sum'],
  });
  const small = new Float32Array(WIDTH).fill(1);
  const running = session.run([small], 1);
  small.fill(2);
  assert.equal(
    (await running)[0].values[0],
    2 * WIDTH,
    'which is why slabs must stay as they are until the end of a run',
  );
  await session.close();
});
