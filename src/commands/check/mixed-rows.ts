import type { Frame } from '../../kernel/frame.ts';
import type { Plan } from '../../plan/plan.ts';
import type { ModelOutput, ModelSession } from '../../ports/model.ts';

/** Rows that are asked alone, at most. */
const MOST_ALONE = 8;
/** Of the largest number of an output: far above what another order of additions makes of float32. */
const TOLERANCE = 1e-3;

/**
 * A model may compute over its first axis, as batch normalisation does in training (cause) → what it says to a record depends on
 * the records that happen to come with it, and no golden record shows that (effect) → rows are asked alone too (guard).
 * Resolves to what is wrong, in words; undefined where each row says what it said among the others. Labels are not compared: of a
 * tie either is right.
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
