import type { Plan } from '../plan/plan.ts';
import type { SyncStage } from './types.ts';

/** preprocess: columns and feature rows → the row-major slabs that become tensors, by the bundle's compiled expressions. */
export function createPreprocess(plan: Plan, releaseReads?: SyncStage): SyncStage {
  const { fill } = plan.inputs;
  if (releaseReads === undefined) return fill;
  return (frame) => {
    fill(frame);
    releaseReads(frame);
  };
}
