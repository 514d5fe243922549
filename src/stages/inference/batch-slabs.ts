import type { Frame, Tensor } from '../../kernel/frame.ts';
import type { ModelOutput } from '../../ports/model.ts';
import type { Slice } from './batch-queue.ts';

/**
 * The tensors of a batch. A single slice is passed on in place, as a view of its frame's slab; several slices are copied into slabs
 * that are reused from batch to batch (with one run at a time, nobody else reads them).
 */
export class BatchSlabs {
  private readonly widths: readonly number[];
  private readonly maxBatch: number;
  private readonly slabs: (Tensor | undefined)[] = [];

  constructor(widths: readonly number[], maxBatch: number) {
    this.widths = widths;
    this.maxBatch = maxBatch;
  }

  /** One tensor per input, `rows` rows long. */
  gather(slices: readonly Slice[], rows: number): readonly Tensor[] {
    return this.widths.map((width, k) => {
      if (slices.length === 1) {
        const { frame, from } = slices[0];
        return frame.inputs[k].subarray(from * width, (from + rows) * width);
      }
      const slab = this.slab(k, slices[0].frame.inputs[k], rows);
      let at = 0;
      for (const { frame, from, to } of slices) {
        copyInto(slab, frame.inputs[k].subarray(from * width, to * width), at);
        at += (to - from) * width;
      }
      return slab.subarray(0, rows * width);
    });
  }

  /** One tensor per input: a row of zeros, as the warm-up ran it, of the types that `like` has. */
  zeros(like: Frame): readonly Tensor[] {
    return this.widths.map((width, k) => {
      const Slab = like.inputs[k].constructor as new (length: number) => Tensor;
      return new Slab(width);
    });
  }

  /** Copies each slice's share of the outputs to its frame. */
  scatter(slices: readonly Slice[], outputs: readonly ModelOutput[]): void {
    for (let k = 0; k < outputs.length; k++) {
      const { values, width } = outputs[k];
      let at = 0;
      for (const { frame, from, to } of slices) {
        const target = frame.outputs[k];
        const end = to * width;
        // Of numbers that are no objects: each is its float64, and a look at its type would cost more than the copy.
        if (values instanceof Float32Array || values instanceof Float64Array) {
          for (let cell = from * width; cell < end; cell++) target[cell] = values[at++];
        } else for (let cell = from * width; cell < end; cell++) target[cell] = exact(values[at++]);
      }
    }
  }

  /** Grows to the size of actual batches, not of the largest allowed one: with wide rows that would be gigabytes. */
  private slab(k: number, like: Tensor, rows: number): Tensor {
    const known = this.slabs[k];
    if (known !== undefined && known.length >= rows * this.widths[k]) return known;
    const Slab = like.constructor as new (length: number) => Tensor;
    const room = Math.min(this.maxBatch, Math.max(rows, 2 * (known === undefined ? 0 : known.length / this.widths[k])));
    this.slabs[k] = new Slab(Math.max(rows, room) * this.widths[k]);
    return this.slabs[k];
  }
}

/**
 * An integer output of the model as a float64. Beyond 2^53, most int64 values are not float64 values, and the nearest one would be
 * another number, such as the id of something else → such a value is missing, and its record becomes a dead letter.
 */
function exact(value: number | bigint): number {
  const near = Number(value);
  return typeof value === 'number' || Number.isSafeInteger(near) || BigInt(near) === value ? near : Number.NaN;
}

function copyInto(to: Tensor, from: Tensor, at: number): void {
  // All inputs of one name have one dtype, so the pair is never BigInt with number.
  (to as Float64Array).set(from as Float64Array, at);
}
