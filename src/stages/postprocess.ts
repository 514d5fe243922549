import { emptied } from '../kernel/columns.ts';
import type { Plan } from '../plan/plan.ts';
import { Pool } from './pool.ts';
import type { SyncStage } from './types.ts';

/** postprocess: model outputs → named predictions, by the bundle's compiled expressions; their columns are lent to the frame. */
export function createPostprocess(plan: Plan): SyncStage {
  const { predictions, columns, predict } = plan.predictions;
  const memory = new Pool(
    columns,
    predictions.reduce((sum, { width }) => sum + 8 * Math.max(1, width), 0),
  );
  return (frame) => {
    const lent = memory.lend(frame, frame.count);
    predict(
      frame,
      lent.map((column) => emptied(column, frame.count)),
    );
  };
}
