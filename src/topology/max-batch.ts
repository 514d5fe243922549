import type { TopologyFile } from './schema.ts';

/** A larger batch saves less per row than the row costs elsewhere. */
const ENOUGH = 2_048;

/**
 * Maximum rows per run: as configured; otherwise enough rows, but no more than may be in flight, nor more than half of the larger
 * batches of `onOverload`.
 */
export function maxBatchOf({ flow, onOverload }: TopologyFile): number {
  if (flow.maxBatch !== undefined) return flow.maxBatch;
  const larger = onOverload?.largerBatches ?? 2 * ENOUGH;
  return Math.max(1, Math.min(ENOUGH, flow.maxInFlight.records, Math.floor(larger / 2)));
}
