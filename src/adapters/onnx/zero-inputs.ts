import type { Tensor } from '../../kernel/frame.ts';
import type { ModelLoad } from '../../ports/model.ts';

/** Rows of zeros, one tensor per input: what a model is tried with when there are no records. */
export function zeros({ feeds }: Pick<ModelLoad, 'feeds'>, rows: number): Tensor[] {
  return feeds.map(({ rowShape, dtype }): Tensor => {
    const size = rowShape.reduce((a, b) => a * b, rows);
    if (dtype === 'int64') return new BigInt64Array(size);
    if (dtype === 'float64') return new Float64Array(size);
    if (dtype === 'int32') return new Int32Array(size);
    if (dtype === 'uint8' || dtype === 'bool') return new Uint8Array(size);
    return new Float32Array(size);
  });
}
