import type { ColumnShape } from '../codecs/avro/output-plan.ts';
import type { Plan } from './plan.ts';
import type { EnrichSettings, Topology } from './topology.ts';

/** Every entry of a topology that reads a store: those before the model, then those after it. */
export function lookUpsOf({ enrich, details = [] }: Pick<Topology, 'enrich' | 'details'>): readonly EnrichSettings[] {
  return [...enrich, ...details];
}

/** The columns of `frame.predictions` at encoding: predictions, then details. */
export function predictedColumns({ predictions, details }: Plan): readonly ColumnShape[] {
  return [...predictions.predictions, ...(details?.columns ?? [])];
}
