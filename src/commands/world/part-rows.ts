import { zeros } from '../../adapters/onnx/zero-inputs.ts';
import type { Clock } from '../../kernel/clock.ts';
import { classify } from '../../kernel/errors.ts';
import type { ModelLoad, ModelSession } from '../../ports/model.ts';
import { bestOf, MAX_TRIAL_BYTES, type Tried } from './placement.ts';

/** Shorter runs are not worth the call. */
const SHORTEST_MS = 4;
/** No size is tried after a run that took so long. */
const LONGEST_MS = 40;
/** A row of the largest size tried must cost so much more than one of the cheapest, or parts are not worth it. */
const DEARER = 1.03;
/** Sizes within this of the cheapest are as good, so that noise does not choose the smallest. */
const AS_GOOD = 1.015;

/**
 * The size of the parts in which a large run on the CPU is cheapest: the largest one tried whose rows cost as little as the cheapest.
 * Undefined if rows of the largest size cost no more, which is so unless batches grow out of the processor's cache.
 *
 * Runs zeros in batches of 1, 2, 4 … rows. Promise: no run takes longer than about twice LONGEST_MS, or one row. A size that the
 * model rejects, or has no memory for, ends the search. Limit: if a model's time depends on its input, zeros may be quicker.
 */
export async function cheapestRows(
  session: ModelSession,
  load: Pick<ModelLoad, 'feeds'>,
  clock: Clock,
  { full, tried: before }: { readonly full: number; readonly tried?: Tried },
): Promise<number | undefined> {
  if (session.device !== 'cpu') return undefined;
  if (before !== undefined && before.runMs / before.rows > LONGEST_MS) return undefined;
  const rowBytes = zeros(load, 1).reduce((sum, { byteLength }) => sum + byteLength, 0);
  const most = Math.min(full, Math.floor(MAX_TRIAL_BYTES / Math.max(1, rowBytes)));
  const tried: { readonly rows: number; readonly rowMs: number }[] = [];
  for (let rows = 1; rows <= most; rows *= 2) {
    let runMs: number;
    try {
      runMs = await bestOf(session, zeros(load, rows), rows, clock);
    } catch (thrown) {
      // Such sizes are never run, or in halves: the batcher sees to that, and tells.
      if (['model-failed', 'device-memory'].includes(classify(thrown).code)) break;
      throw thrown;
    }
    if (runMs >= SHORTEST_MS) tried.push({ rows, rowMs: runMs / rows });
    if (runMs > LONGEST_MS) break;
  }
  const leastMs = Math.min(...tried.map(({ rowMs }) => rowMs));
  const largest = tried.at(-1);
  if (largest === undefined || largest.rowMs <= DEARER * leastMs) return undefined;
  return tried.findLast(({ rowMs }) => rowMs <= AS_GOOD * leastMs)?.rows;
}
