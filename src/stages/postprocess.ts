import type { Plan } from '../plan/plan.ts';
import type { SyncStage } from './types.ts';

/** postprocess: model outputs → named predictions, by the bundle's compiled expressions. */
export function createPostprocess(plan: Plan): SyncStage {
  return plan.predictions.predict;
}
