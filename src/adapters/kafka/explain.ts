import { SluiceError } from '../../kernel/errors.ts';
import { CodecError } from './codecs.ts';
import type { ConsumerGroup } from './internals.ts';
import type { Lanes } from './lanes.ts';

/**
 * A record batch that cannot be read fails the client's whole fetch, with no word about where it lies → an operator
 * could not act on it → each partition is asked once more, alone, to find the one to name.
 */
export async function explainFetch(
  lanes: Lanes,
  group: ConsumerGroup,
  nodeId: string,
  thrown: unknown,
): Promise<SluiceError | undefined> {
  const isRange = thrown instanceof RangeError;
  if (!(thrown instanceof CodecError) && !isRange) return undefined;
  const broker = await group.cluster.findBroker({ nodeId });
  for (const { origin, position } of lanes.all()) {
    const { topic, partition } = origin;
    try {
      await broker.fetch({
        maxWaitTime: 0,
        minBytes: 0,
        maxBytes: 1,
        isolationLevel: 1,
        topics: [{ topic, partitions: [{ partition, fetchOffset: String(position), maxBytes: 1 }] }],
      });
    } catch (again) {
      if (again instanceof CodecError) return unreadable(`${topic}/${partition} at offset ${position}`, again);
    }
  }
  if (thrown instanceof CodecError) return unreadable('an assigned partition', thrown);
  return new SluiceError(
    'consumer-dead',
    `the Kafka client failed on a fetch (${(thrown as Error).message}): a record batch of more than about 120,000 records is beyond it; produce smaller batches`,
    thrown,
  );
}

function unreadable(where: string, error: CodecError): SluiceError {
  return new SluiceError(
    'client-unsupported',
    `${where}: ${error.message}; produce with compression none, gzip or zstd, or set the group's offset behind it with kafka-consumer-groups.sh --reset-offsets`,
    error,
  );
}
