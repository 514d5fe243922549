import { SluiceError } from '../../kernel/errors.ts';
import type { ModelLoad, ModelOutput, ModelSession } from '../../ports/model.ts';

/**
 * A session that gives the model at most `partRows` rows at a time: a larger run goes through it in parts of nearly equal size, one
 * after the other, and comes out as one.
 *
 * What lies between the layers of a large batch does not fit the processor's cache (cause) → a row of it costs some hundredths more,
 * and memory is needed for all of it at once (effect) → a run larger than what was found to be cheapest is made in parts (guard).
 * Promise: as micro-batching itself does, it takes for granted that rows do not affect each other; then the outputs are those of one run,
 * up to rounding. If a part fails, the run does. Without `partRows` it is `session` itself.
 */
export function inParts(
  session: ModelSession,
  { feeds, partRows }: Pick<ModelLoad, 'feeds' | 'partRows'>,
): ModelSession {
  if (partRows === undefined) return session;
  const widths = feeds.map(({ rowShape }) => rowShape.reduce((a, b) => a * b, 1));
  return {
    ...session,
    async run(slabs, rows, searching) {
      if (rows <= partRows) return session.run(slabs, rows, searching);
      const parts = Math.ceil(rows / partRows);
      const answers: (readonly ModelOutput[])[] = [];
      for (let from = 0, part = 1; part <= parts; part++) {
        const to = Math.floor((part * rows) / parts);
        const cut = slabs.map((slab, k) => slab.subarray(from * widths[k], to * widths[k]));
        answers.push(await session.run(cut, to - from, searching));
        from = to;
      }
      return answers[0].map((_, k) => joined(answers.map((outputs) => outputs[k])));
    },
  };
}

type Values = ModelOutput['values'];

/** Parts of an output, one below the other. */
function joined(parts: readonly ModelOutput[]): ModelOutput {
  const [{ values: first, width }] = parts;
  const odd = parts.find((part) => part.width !== width);
  if (odd !== undefined) {
    throw new SluiceError(
      'model-failed',
      `the model answered ${width} values a row in one part of a batch, and ${odd.width} in another`,
    );
  }
  const of = first.constructor as new (length: number) => Values;
  const values = new of(parts.reduce((sum, part) => sum + part.values.length, 0));
  let at = 0;
  for (const part of parts) {
    (values as Float32Array).set(part.values as Float32Array, at);
    at += part.values.length;
  }
  return { values, width };
}
