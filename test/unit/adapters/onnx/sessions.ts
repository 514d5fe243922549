import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { providersFor } from '../../../../src/adapters/onnx/providers.ts';
import { sha256OfFile } from '../../../../src/kernel/bytes/file-sha256.ts';
import type { Tensor } from '../../../../src/kernel/frame.ts';
import type { DType, ModelLoad, ModelRuntime, ModelSession } from '../../../../src/ports/model.ts';
import { LEAVES_OUT, POISON, WIDENS } from '../../../fixtures/models.ts';
import { type TestModel, type Value, writeOnnx } from '../../../fixtures/onnx.ts';

/** What every model session does, wherever the model runs: on this thread, in another, or in a process of its own. */
const folder = mkdtempSync(join(tmpdir(), 'sluice-onnx-'));
after(() => rmSync(folder, { recursive: true }));

const x = (dtype: Value['dtype'] = 'float32', width = 2): Value => ({ name: 'x', dtype, shape: ['rows', width] });
const y = (dtype: Value['dtype'] = 'float32', width = 2): Value => ({ name: 'y', dtype, shape: ['rows', width] });

const DOUBLE: TestModel = {
  inputs: [x()],
  outputs: [y()],
  nodes: [{ op: 'Add', inputs: ['x', 'x'], output: 'y' }],
};

/** Looks `x + 0` up in a table of one entry: 0 is in it, anything else is not. */
const PICKY: TestModel = {
  inputs: [x('int64', 1)],
  outputs: [y('int64', 1)],
  constants: { table: [42] },
  nodes: [{ op: 'Gather', inputs: ['table', 'x'], output: 'y' }],
};

export function sessions(where: string, createRuntime: () => ModelRuntime): void {
  async function load(
    t: { after(end: () => Promise<void>): void },
    model: TestModel,
    options: Partial<ModelLoad> = {},
  ): Promise<ModelSession> {
    const session = await createRuntime().load({
      file: writeOnnx(model, folder),
      device: 'cpu',
      feeds: model.inputs.map(({ name, dtype, shape }) => ({ name, dtype, rowShape: shape.slice(1) as number[] })),
      fetches: model.outputs.map(({ name }) => name),
      ...options,
    });
    t.after(() => session.close());
    return session;
  }

  test(`${where}: a signature is what the file declares, its free dimensions by name`, async () => {
    const runtime = createRuntime();
    const wide = { name: 'b', dtype: 'int64', shape: ['rows', 3, 4] } as const;
    const model: TestModel = {
      inputs: [x(), wide],
      outputs: [y(), { ...wide, name: 'c' }],
      nodes: [...DOUBLE.nodes, { op: 'Add', inputs: ['b', 'b'], output: 'c' }],
    };
    assert.deepEqual(await runtime.inspect(writeOnnx(model, folder)), {
      inputs: [x(), wide],
      outputs: [y(), { ...wide, name: 'c' }],
    });
  });

  test(`${where}: a batch gives a row a row, of slabs that may have room for more`, async (t) => {
    const session = await load(t, DOUBLE);
    assert.equal(session.device, 'cpu');
    assert.deepEqual(await session.run([Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8)], 3), [
      { values: Float32Array.of(2, 4, 6, 8, 10, 12), width: 2 },
    ]);
  });

  test(`${where}: several inputs go by their names, several outputs come in the order asked for`, async (t) => {
    const model: TestModel = {
      inputs: [x('float32', 1), { name: 'z', dtype: 'float32', shape: ['rows', 1] }],
      outputs: [y('float32', 1), { name: 'sum', dtype: 'float32', shape: ['rows', 1] }],
      nodes: [
        { op: 'Sub', inputs: ['x', 'z'], output: 'y' },
        { op: 'Add', inputs: ['x', 'z'], output: 'sum' },
      ],
    };
    const feeds = ['z', 'x'].map((name) => ({ name, dtype: 'float32', rowShape: [1] }) as const);
    const session = await load(t, model, { feeds, fetches: ['sum', 'y'] });
    assert.deepEqual(await session.run([Float32Array.of(1), Float32Array.of(10)], 1), [
      { values: Float32Array.of(11), width: 1 },
      { values: Float32Array.of(9), width: 1 },
    ]);
  });

  for (const [dtype, slab] of [
    ['float64', Float64Array.of(1.5, -2)],
    ['int32', Int32Array.of(7, -8)],
    ['int64', BigInt64Array.of(2n ** 53n + 1n, -1n)],
    ['uint8', Uint8Array.of(0, 255)],
    ['bool', Uint8Array.of(0, 1)],
  ] as readonly (readonly [DType & Value['dtype'], Tensor])[]) {
    test(`${where}: ${dtype} goes in and comes out as it is`, async (t) => {
      const session = await load(t, {
        inputs: [x(dtype)],
        outputs: [y(dtype)],
        nodes: [{ op: 'Identity', inputs: ['x'], output: 'y' }],
      });
      assert.deepEqual((await session.run([slab], 1))[0], { values: slab, width: 2 });
    });
  }

  test(`${where}: not-a-number and infinity come out as they are: others look for them`, async (t) => {
    const session = await load(t, {
      inputs: [x()],
      outputs: [y()],
      nodes: [{ op: 'Log', inputs: ['x'], output: 'y' }],
    });
    const [{ values }] = await session.run([Float32Array.of(-1, 0)], 1);
    assert.deepEqual([...values], [Number.NaN, Number.NEGATIVE_INFINITY]);
  });

  test(`${where}: a row that the model cannot take fails its batch, and the next batch goes`, async (t) => {
    const session = await load(t, PICKY);
    await assert.rejects(session.run([BigInt64Array.of(0n, 3n)], 2), {
      code: 'model-failed',
      disposition: 'dead-letter',
      message: /the model failed on a batch of 2: .*out of data bounds/,
    });
    assert.deepEqual(await session.run([BigInt64Array.of(0n)], 1), [{ values: BigInt64Array.of(42n), width: 1 }]);
  });

  test(`${where}: an output that is not a row a row is a failed batch`, async (t) => {
    const session = await load(t, {
      inputs: [x()],
      outputs: [y()],
      nodes: [{ op: 'ReduceMax', inputs: ['x'], output: 'y', ints: { keepdims: 1 } }],
    });
    await assert.rejects(session.run([new Float32Array(6)], 3), {
      code: 'model-failed',
      message: /output "y" of a batch of 3 is \[1, 1\], not 3 rows of numbers/,
    });
  });

  for (const [title, model] of [
    [
      'fails on zeros',
      {
        ...PICKY,
        nodes: [
          { op: 'Add', inputs: ['x', 'table'], output: 'i' },
          { ...PICKY.nodes[0], inputs: ['table', 'i'] },
        ],
      },
    ],
    [
      'answers with texts',
      { inputs: [x()], outputs: [y('string')], nodes: [{ op: 'Cast', inputs: ['x'], output: 'y', ints: { to: 8 } }] },
    ],
  ] as readonly (readonly [string, TestModel])[]) {
    test(`${where}: a model that ${title} is found out before the first record`, async (t) => {
      await assert.rejects(load(t, model), {
        code: 'bundle-invalid',
        message: /\.onnx cannot score a row of zeros on cpu: /,
      });
    });
  }

  test(`${where}: a file that is no model is named with the reason`, async (t) => {
    const runtime = createRuntime();
    const file = join(folder, 'no-model.onnx');
    writeFileSync(file, 'this is not a model');
    const expected = {
      code: 'bundle-invalid',
      disposition: 'usage',
      message: /cannot load .*no-model\.onnx on cpu: .*rotobuf/,
    };
    await assert.rejects(runtime.inspect(file), expected);
    await assert.rejects(runtime.load({ file, device: 'cpu', feeds: [], fetches: [] }), expected);
    await assert.rejects(runtime.inspect(join(folder, 'none.onnx')), { code: 'bundle-invalid', message: /none\.onnx/ });
    const broken = { ...DOUBLE, nodes: [{ op: 'NoSuchOperator', inputs: ['x'], output: 'y' }] };
    await assert.rejects(load(t, broken), { code: 'bundle-invalid', message: /NoSuchOperator/ });
  });

  test(`${where}: an output whose shape depends on the input fails where it is not the declared one`, async (t) => {
    const widens = await load(t, WIDENS);
    await assert.rejects(widens.run([Float32Array.of(1, POISON)], 2), {
      code: 'model-failed',
      message: /output "y" of a batch of 2 is float32 \[2, 2\], and the model declares float32 \[rows, 1\]/,
    });
    assert.deepEqual(await widens.run([Float32Array.of(1, 2)], 2), [{ values: Float32Array.of(2, 4), width: 1 }]);
    const leavesOut = await load(t, LEAVES_OUT);
    await assert.rejects(leavesOut.run([Float32Array.of(1, POISON)], 2), {
      code: 'model-failed',
      message: /output "y" of a batch of 2 is \[1, 1\], not 2 rows of numbers/,
    });
  });

  test(`${where}: only the bytes that were checked are served`, async (t) => {
    const file = writeOnnx(DOUBLE, folder);
    const sha256 = sha256OfFile(file);
    const session = await load(t, DOUBLE, { file, pinned: [{ file, sha256 }] });
    writeFileSync(
      `${file}.new`,
      readFileSync(writeOnnx({ ...DOUBLE, nodes: [{ op: 'Sub', inputs: ['x', 'x'], output: 'y' }] }, folder)),
    );
    renameSync(`${file}.new`, file);
    await assert.rejects(load(t, DOUBLE, { file, pinned: [{ file, sha256 }] }), {
      code: 'file-failed',
      disposition: 'fatal',
      message: /the model file changed under a running pipeline; give a changed model a version of its own/,
    });
    writeFileSync(file, 'half');
    await assert.rejects(load(t, DOUBLE, { file, pinned: [{ file, sha256 }] }), { code: 'file-failed' });
    rmSync(file);
    await assert.rejects(load(t, DOUBLE, { file, pinned: [{ file, sha256 }] }), {
      code: 'file-failed',
      message: /is no longer to be read: ENOENT/,
    });
    assert.deepEqual(
      (await session.run([Float32Array.of(1, 2)], 1))[0].values,
      Float32Array.of(2, 4),
      'who has it serves it',
    );
  });

  test(`${where}: weights outside of the model's folder are not read`, async (t) => {
    const inner = mkdtempSync(join(folder, 'model-'));
    writeFileSync(join(folder, 'secret.bin'), new Uint8Array(8));
    writeFileSync(join(inner, 'own.bin'), new Uint8Array(8));
    const model = (location: string): TestModel => ({
      ...DOUBLE,
      external: { w: { location, length: 2 } },
      nodes: [{ op: 'Add', inputs: ['x', 'w'], output: 'y' }],
    });
    await load(t, model('own.bin'), { file: writeOnnx(model('own.bin'), inner) });
    for (const location of ['../secret.bin', join(folder, 'secret.bin')]) {
      await assert.rejects(load(t, model(location), { file: writeOnnx(model(location), inner) }), {
        code: 'bundle-invalid',
      });
    }
  });

  test(`${where}: a requested device that is not available is an error that says what to do`, async (t) => {
    if (providersFor('tensorrt')[0].available) return t.skip('this machine has TensorRT');
    await assert.rejects(load(t, DOUBLE, { device: 'tensorrt' }), {
      code: 'device-unavailable',
      disposition: 'fatal',
      message:
        /model\.device is tensorrt, which is not available: .*; make it available, or set model\.device to auto or cpu$/,
    });
  });

  test(`${where}: after its end a session fails no record`, async (t) => {
    const session = await load(t, DOUBLE);
    await session.close();
    await session.close();
    await assert.rejects(session.run([new Float32Array(2)], 1), { code: 'invariant-broken', disposition: 'fatal' });
  });
}
