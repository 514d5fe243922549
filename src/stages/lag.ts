import type { Clock } from '../kernel/clock.ts';
import type { PartitionLag, Source } from '../ports/source.ts';

/** As long as it takes to look at all gauges once. */
const KEPT_MS = 100;

/**
 * The lag of one partition, for a gauge each. The source tells that of all at once → a thousand gauges that each ask it make a
 * million objects a scrape, on the loop that moves records → it is asked once for all of them.
 */
export function createLagLookUp(
  clock: Clock,
  source: Pick<Source, 'lag'>,
): (topic: string, partition: number) => PartitionLag | undefined {
  let byPartition: ReadonlyMap<string, PartitionLag> = new Map();
  let askedMs = Number.NEGATIVE_INFINITY;
  return (topic, partition) => {
    const nowMs = clock.monotonicMs();
    if (nowMs - askedMs > KEPT_MS) {
      askedMs = nowMs;
      byPartition = new Map(source.lag().map((lag) => [`${lag.topic}/${lag.partition}`, lag]));
    }
    return byPartition.get(`${topic}/${partition}`);
  };
}
