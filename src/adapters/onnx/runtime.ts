import * as ort from 'onnxruntime-node';
import { SluiceError } from '../../kernel/errors.ts';
import type { Tensor } from '../../kernel/frame.ts';
import type { DType, ModelLoad, ModelOutput, ModelRuntime, ModelSession, TensorSpec } from '../../ports/model.ts';
import type { Telemetry } from '../../ports/telemetry.ts';
import { providersFor } from './providers.ts';

const WARM_UP_RUNS = 3;

/**
 * ONNX Runtime behind the model port.
 *
 * `session.run()` is one native call that blocks this thread for as long as it takes, on a GPU too (cause): heartbeats and
 * fetches stand still meanwhile (effect), so batches must stay short (guard: the batcher's budget; longer models belong
 * on a thread of their own). One thread a session: more would spin on cores that decode and the broker client need.
 */
export function createOnnxRuntime(deps: { readonly telemetry: Telemetry }): ModelRuntime {
  return {
    async inspect(file) {
      const session = await open(file, ['cpu']);
      try {
        return { inputs: session.inputMetadata.map(specOf), outputs: session.outputMetadata.map(specOf) };
      } finally {
        await session.release();
      }
    },
    load: (options) => loadOnDevice(options, deps.telemetry),
  };
}

async function open(file: string, executionProviders: readonly string[]): Promise<ort.InferenceSession> {
  try {
    return await ort.InferenceSession.create(file, {
      executionProviders: [...executionProviders],
      intraOpNumThreads: 1,
      interOpNumThreads: 1,
      // Errors come back as exceptions; printed by native code as well, they would stand among the lines of a JSON log.
      logSeverityLevel: 4,
    });
  } catch (thrown) {
    throw new SluiceError(
      'bundle-invalid',
      `ONNX Runtime cannot load ${file} on ${executionProviders.join(', ')}: ${(thrown as Error).message.trim()}`,
      thrown,
    );
  }
}

/** Tries the devices in order; `auto` may fall back and says so, a device asked for by name may not. */
async function loadOnDevice(options: ModelLoad, telemetry: Telemetry): Promise<ModelSession> {
  const named = options.device !== 'auto';
  for (const { device, available, why } of providersFor(options.device)) {
    if (!available) {
      if (named) throw unavailable(device, why);
      telemetry.event('device-skipped', { device, reason: why });
      continue;
    }
    try {
      const session = wrap(await open(options.file, [device]), device, options);
      await warmUp(session, options);
      return session;
    } catch (thrown) {
      if (device === 'cpu') throw thrown;
      const reason = (thrown as Error).message;
      // The check has read the file on the CPU: what fails here is the device.
      if (named) throw unavailable(device, reason, thrown);
      telemetry.event('device-fallback', { device, reason });
    }
  }
  throw new SluiceError('device-unavailable', `no device can run ${options.file}`);
}

function unavailable(device: string, why: string, cause?: unknown): SluiceError {
  return new SluiceError(
    'device-unavailable',
    `model.device is ${device}, and it is not to be had: ${why}; make it available, or set model.device to auto or cpu`,
    cause,
  );
}

function wrap(session: ort.InferenceSession, device: string, options: ModelLoad): ModelSession {
  const { feeds, fetches } = options;
  const wanted: Record<string, null> = Object.fromEntries(fetches.map((name) => [name, null]));
  const widths = feeds.map(({ rowShape }) => rowShape.reduce((a, b) => a * b, 1));
  let closed = false;
  return {
    device,
    inputs: session.inputMetadata.map(specOf),
    outputs: session.outputMetadata.map(specOf),
    async run(slabs: readonly Tensor[], rows: number): Promise<readonly ModelOutput[]> {
      const named: Record<string, ort.Tensor> = {};
      for (let k = 0; k < feeds.length; k++) {
        const { name, rowShape, dtype } = feeds[k];
        const values = slabs[k].subarray(0, rows * widths[k]);
        named[name] = new ort.Tensor(dtype as 'float32', values as Float32Array, [rows, ...rowShape]);
      }
      let answer: ort.InferenceSession.OnnxValueMapType;
      try {
        answer = await session.run(named, wanted);
      } catch (thrown) {
        // No record is at fault for the end of the session.
        if (closed) throw new SluiceError('invariant-broken', 'the model ran after its session was closed', thrown);
        throw new SluiceError(
          'model-failed',
          `the model failed on a batch of ${rows}: ${(thrown as Error).message.trim()}`,
          thrown,
        );
      }
      return fetches.map((name) => outputOf(name, answer[name], rows));
    },
    async close() {
      if (closed) return;
      closed = true;
      await session.release();
    },
  };
}

function outputOf(name: string, value: ort.OnnxValue, rows: number): ModelOutput {
  const tensor = value as ort.Tensor;
  if (!('dims' in tensor) || tensor.dims[0] !== rows || typeof tensor.data === 'string' || Array.isArray(tensor.data)) {
    const shape = 'dims' in tensor ? `[${tensor.dims.join(', ')}]` : 'no tensor';
    throw new SluiceError(
      'model-failed',
      `output "${name}" of a batch of ${rows} is ${shape}, not ${rows} rows of numbers`,
    );
  }
  const width = tensor.dims.slice(1).reduce((a, b) => a * b, 1);
  return { values: tensor.data as ModelOutput['values'], width };
}

/** The first runs allocate and choose kernels: pay for them before the first record waits. A session that cannot is closed. */
async function warmUp(session: ModelSession, { file, feeds }: ModelLoad): Promise<void> {
  const slabs = feeds.map(({ rowShape, dtype }) => {
    const size = rowShape.reduce((a, b) => a * b, 1);
    if (dtype === 'int64') return new BigInt64Array(size);
    if (dtype === 'float64') return new Float64Array(size);
    if (dtype === 'int32') return new Int32Array(size);
    if (dtype === 'uint8' || dtype === 'bool') return new Uint8Array(size);
    return new Float32Array(size);
  });
  try {
    for (let n = 0; n < WARM_UP_RUNS; n++) await session.run(slabs, 1);
  } catch (thrown) {
    await session.close();
    const why = (thrown as Error).message;
    throw new SluiceError('bundle-invalid', `${file} cannot score a row of zeros on ${session.device}: ${why}`, thrown);
  }
}

const DTYPES: Readonly<Record<string, DType>> = {
  float32: 'float32',
  float64: 'float64',
  int32: 'int32',
  int64: 'int64',
  bool: 'bool',
  uint8: 'uint8',
  string: 'string',
};

function specOf(value: ort.InferenceSession.ValueMetadata): TensorSpec {
  if (!value.isTensor) return { name: value.name, dtype: 'other', shape: [] };
  return { name: value.name, dtype: DTYPES[value.type] ?? 'other', shape: value.shape };
}
