import type { ColumnShape } from '../codecs/avro/output-plan.ts';
import type { Plan } from './plan.ts';
import type { EnrichSettings, Topology } from './topology.ts';

/** Every entry of a topology that reads a store: before the model, then after it. */
export function lookUpsOf({ enrich, details = [] }: Pick<Topology, 'enrich' | 'details'>): readonly EnrichSettings[] {
  return [...enrich, ...details];
}

/** What stands in `frame.predictions` when it is encoded: predictions, then details. */
export function predictedColumns({ predictions, details }: Plan): readonly ColumnShape[] {
  return [...predictions.predictions, ...(details?.columns ?? [])];
}
