import { zeros } from '../../adapters/onnx/zero-inputs.ts';
import type { Clock } from '../../kernel/clock.ts';
import type { ModelLoad, ModelSession } from '../../ports/model.ts';
import { bestOf, MAX_TRIAL_BYTES } from './placement.ts';

/** Shorter runs are not worth the call. */
const SHORTEST_MS = 4;
/** No size is tried after a run that took so long. */
const LONGEST_MS = 40;
/** A row of the largest size tried must cost so much more than one of the cheapest, or parts are not worth it. */
const DEARER = 1.03;
/** Sizes within this of the cheapest are as good, so that noise does not choose the smallest. */
const AS_GOOD = 1.015;

/**
 * The number of rows from which on a row costs more on the CPU because the batch does not fit its cache; undefined if none was found.
 * Runs zeros in batches of 1, 2, 4 … rows. Promise: no run takes longer than about twice LONGEST_MS, or one row. A size that the
 * model rejects ends the search.
 */
export async function cheapestRows(
  session: ModelSession,
  load: Pick<ModelLoad, 'feeds'>,
  clock: Clock,
  full: number,
): Promise<number | undefined> {
  if (session.device !== 'cpu') return undefined;
  const rowBytes = zeros(load, 1).reduce((sum, { byteLength }) => sum + byteLength, 0);
  const most = Math.min(full, Math.floor(MAX_TRIAL_BYTES / Math.max(1, rowBytes)));
  const tried: { readonly rows: number; readonly rowMs: number }[] = [];
  for (let rows = 1; rows <= most; rows *= 2) {
    let runMs: number;
    try {
      runMs = await bestOf(session, zeros(load, rows), rows, clock);
    } catch {
      // The placement has told it, if it matters: the batcher finds the size out by itself.
      break;
    }
    if (runMs >= SHORTEST_MS) tried.push({ rows, rowMs: runMs / rows });
    if (runMs > LONGEST_MS) break;
  }
  const leastMs = Math.min(...tried.map(({ rowMs }) => rowMs));
  const largest = tried.at(-1);
  if (largest === undefined || largest.rowMs <= DEARER * leastMs) return undefined;
  return tried.findLast(({ rowMs }) => rowMs <= AS_GOOD * leastMs)?.rows;
}
