import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startModelThread } from '../../../../src/adapters/onnx/model-thread.ts';
import { createSessionPool, type PoolMember } from '../../../../src/adapters/onnx/pool.ts';
import { createThreadedRuntime } from '../../../../src/adapters/onnx/threaded.ts';
import { SluiceError } from '../../../../src/kernel/errors.ts';
import type { ModelLoad } from '../../../../src/ports/model.ts';
import { POISON, THROWS } from '../../../fixtures/models.ts';
import { writeOnnx } from '../../../fixtures/onnx.ts';
import { RecordingTelemetry } from '../../../fixtures/telemetry.ts';

/** A device on which runs end when the test says so, in the order they began. */
function device(name: string, log: string[]) {
  const ends: (() => void)[] = [];
  let closed = 0;
  const member = (): PoolMember => ({
    device: name,
    inputs: [],
    outputs: [],
    run: ([slab], rows) =>
      new Promise((resolve, reject) => {
        log.push(`${name} ${slab[0]}`);
        ends.push(() =>
          slab[0] === POISON
            ? reject(new SluiceError('model-failed', 'poison'))
            : resolve([{ values: Float32Array.of(2 * Number(slab[0])), width: rows }]),
        );
      }),
    close: async () => {
      closed++;
    },
  });
  return { member, endOne: () => ends.shift()?.(), under: () => ends.length, closed: () => closed };
}

const one = (value: number) => [Float32Array.of(value)];

test('batches go to the device that has least to do, and wait in their order where all have their fill', async () => {
  const log: string[] = [];
  const [a, b] = [device('cuda:0', log), device('cuda:1', log)];
  const pool = createSessionPool([a.member(), b.member(), a.member(), b.member()]);
  assert.deepEqual([pool.device, pool.devices, pool.concurrency], ['cuda:0', ['cuda:0', 'cuda:1'], 4]);
  const runs = [1, 2, 3, 4, 5, 6].map((value) => pool.run(one(value), 1));
  assert.deepEqual([a.under(), b.under()], [2, 2], 'two on each, none of them three');
  a.endOne();
  a.endOne();
  await new Promise(setImmediate);
  assert.deepEqual(log.slice(4), ['cuda:0 5', 'cuda:0 6'], 'to whom is free, in the order they came');
  for (const each of [a, b, a, b]) each.endOne();
  const values = (await Promise.all(runs)).map(
    ([
      {
        values: [value],
      },
    ]) => value,
  );
  assert.deepEqual(values, [2, 4, 6, 8, 10, 12]);
});

test('after a busy time the devices are even again', async () => {
  const log: string[] = [];
  const devices = [device('cuda:0', log), device('cuda:1', log), device('cuda:2', log)];
  const pool = createSessionPool(devices.flatMap(({ member }) => [member(), member()]));
  for (let round = 0; round < 5; round++) {
    const runs = Array.from({ length: 10 }, (_, k) => pool.run(one(k), 1));
    while (devices.some(({ under }) => under() > 0)) {
      for (const each of devices) each.endOne();
      await new Promise(setImmediate);
    }
    await Promise.all(runs);
    const last = [1, 2, 3].map((value) => pool.run(one(value), 1));
    assert.deepEqual(
      devices.map(({ under }) => under()),
      [1, 1, 1],
    );
    for (const each of devices) each.endOne();
    await Promise.all(last);
  }
});

test('runs one after the other stay on the device whose memory is warm', async () => {
  const log: string[] = [];
  const devices = [device('cuda:0', log), device('cuda:1', log)];
  const pool = createSessionPool(devices.flatMap(({ member }) => [member(), member()]));
  for (const value of [1, 2, 3, 4]) {
    const run = pool.run(one(value), 1);
    for (const each of devices) each.endOne();
    await run;
  }
  assert.equal(new Set(log.map((line) => line.split(' ')[0])).size, 1, log.join(', '));
});

test('a run that fails leaves its session to the next', async () => {
  const only = device('cuda:0', []);
  const pool = createSessionPool([only.member()]);
  for (let turn = 0; turn < 3; turn++) {
    const run = pool.run(one(POISON), 1);
    only.endOne();
    await assert.rejects(run, { code: 'model-failed' });
  }
  const run = pool.run(one(3), 1);
  only.endOne();
  assert.equal((await run)[0].values[0], 6);
});

test('after its end a pool fails no record, and every session is closed', async () => {
  const [a, b] = [device('cuda:0', []), device('cuda:1', [])];
  const pool = createSessionPool([a.member(), b.member()]);
  await pool.close();
  assert.deepEqual([a.closed(), b.closed()], [1, 1]);
  await assert.rejects(pool.run(one(1), 1), { code: 'invariant-broken', disposition: 'fatal' });
});

const LOAD: ModelLoad = {
  file: '',
  device: 'cuda',
  feeds: [{ name: 'x', rowShape: [1], dtype: 'float32' }],
  fetches: ['y'],
};

test('sessions in threads are dealt out to the devices; here the CPU runs them in the devices’ place', async (t) => {
  const telemetry = new RecordingTelemetry();
  const asked: unknown[] = [];
  const start = async (load: ModelLoad) => {
    asked.push([load.device, load.deviceIds]);
    const thread = await startModelThread({ ...load, device: 'cpu', deviceIds: undefined }, { telemetry });
    const { inputs, outputs, run, end, died } = thread;
    return { device: `cuda:${load.deviceIds?.[0]}`, inputs, outputs, run, end, died };
  };
  const session = await createThreadedRuntime({ telemetry, start }, { sessions: 4 }).load({
    ...LOAD,
    file: writeOnnx(THROWS),
    deviceIds: [0, 2],
  });
  t.after(() => session.close());
  assert.deepEqual(
    asked,
    [0, 2, 0, 2].map((id) => ['cuda', [id]]),
  );
  assert.deepEqual([session.devices, session.concurrency], [['cuda:0', 'cuda:2'], 4]);
  const answers = await Promise.all([1, 2, 3, 4, 5, 6, 7].map((value) => session.run(one(value), 1)));
  assert.deepEqual(
    answers.map(
      ([
        {
          values: [value],
        },
      ]) => value,
    ),
    [2, 4, 6, 8, 10, 12, 14],
  );
});

test('where one device cannot be had, the sessions on the others are closed, and the reason is told', async () => {
  const ended: number[] = [];
  const start = async ({ deviceIds = [] }: ModelLoad) => {
    const [id] = deviceIds;
    if (id === 1) throw new SluiceError('device-unavailable', 'there is no GPU of that number');
    return {
      device: `cuda:${id}`,
      inputs: [],
      outputs: [],
      died: undefined,
      run: () => Promise.resolve([]),
      end: async () => void ended.push(id),
    };
  };
  const runtime = createThreadedRuntime({ telemetry: new RecordingTelemetry(), start }, { sessions: 3 });
  await assert.rejects(runtime.load({ ...LOAD, deviceIds: [0, 2, 1] }), { code: 'device-unavailable' });
  assert.deepEqual(ended, [0, 2]);
});
