import type { Frame } from '../../kernel/frame.ts';
import type { Plan } from '../../plan/plan.ts';
import type { ModelOutput, ModelSession } from '../../ports/model.ts';

/** Rows to run alone, at most. */
const MOST_ALONE = 8;
/** Relative to the largest number of an output: far above float32 differences from summation order. */
const TOLERANCE = 1e-3;

/**
 * A model may compute across its batch axis, as batch normalisation does in training mode (cause) → its answer depends on which records
 * share the batch, and golden records do not show it (effect) → rows are also run alone (guard).
 * Resolves to a description of the fault; undefined if each row gives the same answer alone. Labels are not compared, because
 * in a tie either is right.
 */
export async function mixedRow(
  plan: Plan,
  session: ModelSession,
  frame: Frame,
  together: readonly ModelOutput[],
): Promise<string | undefined> {
  if (frame.rows < 2) return undefined;
  const { widths } = plan.inputs;
  const step = Math.ceil(frame.rows / MOST_ALONE);
  for (let row = 0; row < frame.rows; row += step) {
    const own = frame.inputs.map((slab, k) => slab.subarray(row * widths[k], (row + 1) * widths[k]));
    const alone = await session.run(own as typeof frame.inputs, 1);
    for (const [k, { values, width }] of together.entries()) {
      if (!(values instanceof Float32Array || values instanceof Float64Array)) continue;
      const [among, apart] = [values.subarray(row * width, (row + 1) * width), alone[k].values as typeof values];
      const numbers = Array.from(among);
      const large = numbers.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-6);
      const place = numbers.findIndex((value, j) => Math.abs(value - apart[j]) > TOLERANCE * large);
      if (place >= 0)
        return `the model mixes the rows of a batch: its output "${plan.predictions.fetches[k]}" for one row is ${among[place]} among ${frame.rows} and ${apart[place]} alone`;
    }
  }
  return undefined;
}
