import type { Plan } from '../plan/plan.ts';
import { type IsolateDeps, isolateSync } from './isolate.ts';
import type { SyncStage } from './types.ts';

/** preprocess: columns and feature rows → the row-major slabs that become tensors, by the bundle's compiled expressions. */
export function createPreprocess(deps: IsolateDeps, plan: Plan, releaseReads?: SyncStage): SyncStage {
  const fill = isolateSync(deps, 'preprocess', plan.inputs.fill);
  if (releaseReads === undefined) return fill;
  return (frame) => {
    fill(frame);
    // Only here: released after a run that is repeated, the feature rows would be another frame's.
    releaseReads(frame);
  };
}
