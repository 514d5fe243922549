import type { Plan } from '../plan/plan.ts';
import type { SyncStage } from './types.ts';

/** preprocess: columns and feature rows → the row-major slabs that become tensors, by the bundle's compiled expressions. */
export function createPreprocess(plan: Plan): SyncStage {
  return plan.inputs.fill;
}
