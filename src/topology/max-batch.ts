import type { TopologyFile } from './schema.ts';

/** What a batch gains beyond this is less than its row costs elsewhere. */
const ENOUGH = 2_048;

/**
 * Rows per run at most, as the topology says; else what is enough, no more than may be in flight, and half of the larger
 * batches that `onOverload` names.
 */
export function maxBatchOf({ flow, onOverload }: TopologyFile): number {
  if (flow.maxBatch !== undefined) return flow.maxBatch;
  const larger = onOverload?.largerBatches ?? 2 * ENOUGH;
  return Math.max(1, Math.min(ENOUGH, flow.maxInFlight.records, Math.floor(larger / 2)));
}
