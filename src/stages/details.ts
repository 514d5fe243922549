import { type Column, emptied, numberColumn, vectorColumn } from '../kernel/columns.ts';
import { reasonCode } from '../kernel/fate.ts';
import type { FeatureRows, Frame } from '../kernel/frame.ts';
import type { DetailColumn, Plan } from '../plan/plan.ts';
import type { FeatureStore } from '../ports/feature-store.ts';
import { LookUp, lookUpAll } from './features/look-up.ts';
import { FeatureReader } from './features/reader.ts';
import { Pool } from './pool.ts';
import type { Stage, StageDeps } from './types.ts';

const RULES = { dates: false, missing: reasonCode('details-missing'), stale: reasonCode('details-stale') };

/**
 * details: predictions → keys → rows of a store → columns after those of the predictions, for output fields.
 *
 * Like enrich: distinct keys only; cached, shared between frames; a store that is down holds the frame. A prediction that makes no
 * key (missing, not an integer) or whose row is absent leaves a column missing or, if the topology says so, dead-letters the record
 * (`details-missing`, `details-stale`). Limit: these rows do not count for the age in `sluice-inputs`, which is of what the model saw.
 */
export function createDetails(
  deps: StageDeps & { readonly store: FeatureStore },
  plan: Plan,
  readers: readonly FeatureReader[] = plan.reads.map((read) => new FeatureReader(deps, read)),
): Stage {
  const { details, reads, predictions } = plan;
  if (details === undefined) return () => undefined;
  const { from, columns } = details;
  const predicted = predictions.predictions.length;
  const lookUps = reads.slice(from).map((read, k) => new LookUp(deps, read, readers[from + k], RULES));
  const memory = new Pool(
    (records) =>
      columns.map(({ kind, width }) => (kind === 'number' ? numberColumn(records) : vectorColumn(records, width))),
    columns.reduce((sum, { width }) => sum + 8 * width, 0),
  );

  function keep(frame: Frame, made: readonly Column[], rows: readonly FeatureRows[]): void {
    const lent = memory.lend(frame, frame.count).map((column) => emptied(column, frame.count));
    for (let c = 0; c < columns.length; c++) {
      const read = columns[c].read;
      fill(lent[c], columns[c], rows[read - from], reads[read].rowWidth, frame.count);
    }
    for (let k = 0; k < rows.length; k++) lookUps[k].recycle(rows[k]);
    frame.predictions = [...made, ...lent];
  }

  return (frame) => {
    // A repeated run finds the columns that the last one added after the predictions.
    const made = frame.predictions.slice(0, predicted);
    const answered = lookUpAll(lookUps, frame, [...made, ...frame.columns]);
    if (answered instanceof Promise) return answered.then((rows) => keep(frame, made, rows));
    keep(frame, made, answered);
    return undefined;
  };
}

/** A vector with a missing number is missing as a whole. */
function fill(
  column: Column,
  { offset, width }: DetailColumn,
  rows: FeatureRows,
  rowWidth: number,
  count: number,
): void {
  const { index, values } = rows;
  if (column.kind === 'number') {
    for (let i = 0; i < count; i++) column.values[i] = values[index[i] * rowWidth + offset];
  } else if (column.kind === 'vector') {
    for (let i = 0; i < count; i++) {
      const start = index[i] * rowWidth + offset;
      let sum = 0;
      for (let k = 0; k < width; k++) {
        const value = values[start + k];
        column.values[i * width + k] = value;
        sum += value - value;
      }
      column.present[i] = sum === 0 ? 1 : 0;
    }
  }
}
