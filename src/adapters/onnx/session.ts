import * as ort from 'onnxruntime-node';
import { SluiceError } from '../../kernel/errors.ts';
import type { Tensor } from '../../kernel/frame.ts';
import type { DType, ModelLoad, ModelOutput, ModelSession, TensorSpec } from '../../ports/model.ts';
import { isOutOfMemory } from './memory-error.ts';

/**
 * An ONNX Runtime session behind the model port, on this thread.
 *
 * Promise: outputs have the type and shape that the file declares, with one row per input row, or the run fails. A graph
 * may compute the shape of its output from its input (cause) → values would be cut at the wrong places and every row after
 * the first would get another row's prediction (effect) → dimensions are compared, not just multiplied (guard).
 */
export function createSession(session: ort.InferenceSession, device: string, options: ModelLoad): ModelSession {
  const { feeds, fetches } = options;
  const wanted: Record<string, null> = Object.fromEntries(fetches.map((name) => [name, null]));
  const widths = feeds.map(({ rowShape }) => rowShape.reduce((a, b) => a * b, 1));
  const outputs = session.outputMetadata.map(specOf);
  const declared = fetches.map((name) => outputs.find((spec) => spec.name === name));
  let closed = false;
  return {
    device,
    inputs: session.inputMetadata.map(specOf),
    outputs,
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
        const why = (thrown as Error).message.trim();
        if (isOutOfMemory(why)) {
          throw new SluiceError('device-memory', `not enough memory for a batch of ${rows}: ${why}`, thrown);
        }
        throw new SluiceError('model-failed', `the model failed on a batch of ${rows}: ${why}`, thrown);
      }
      return fetches.map((name, k) => outputOf(name, answer[name], rows, declared[k]));
    },
    async close() {
      if (closed) return;
      closed = true;
      await session.release();
    },
  };
}

function outputOf(name: string, value: ort.OnnxValue, rows: number, declared: TensorSpec | undefined): ModelOutput {
  const tensor = value as ort.Tensor;
  if (!('dims' in tensor) || tensor.dims[0] !== rows || typeof tensor.data === 'string' || Array.isArray(tensor.data)) {
    const shape = 'dims' in tensor ? `[${tensor.dims.join(', ')}]` : 'no tensor';
    throw new SluiceError(
      'model-failed',
      `output "${name}" of a batch of ${rows} is ${shape}, not ${rows} rows of numbers`,
    );
  }
  if (declared !== undefined && !fits(tensor, declared)) {
    throw new SluiceError(
      'model-failed',
      `output "${name}" of a batch of ${rows} is ${tensor.type} [${tensor.dims.join(', ')}], and the model declares ${declared.dtype} [${declared.shape.join(', ')}]`,
    );
  }
  const width = tensor.dims.slice(1).reduce((a, b) => a * b, 1);
  return { values: tensor.data as ModelOutput['values'], width };
}

/** Free dimensions are what they are; whoever cuts the values into rows wants none. */
function fits({ type, dims }: ort.Tensor, { dtype, shape }: TensorSpec): boolean {
  if ((DTYPES[type] ?? 'other') !== dtype || dims.length !== shape.length) return false;
  return shape.every((dim, axis) => axis === 0 || typeof dim !== 'number' || dims[axis] === dim);
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

export function specOf(value: ort.InferenceSession.ValueMetadata): TensorSpec {
  if (!value.isTensor) return { name: value.name, dtype: 'other', shape: [] };
  const dtype = DTYPES[value.type];
  if (dtype !== undefined) return { name: value.name, dtype, shape: value.shape };
  return { name: value.name, dtype: 'other', type: value.type, shape: value.shape };
}
