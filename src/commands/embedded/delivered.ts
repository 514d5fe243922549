import type { RecordSlab } from '../../kernel/record-slab.ts';
import type { Sink } from '../../ports/sink.ts';
import { isTransactional, type TransactionalSink } from '../../ports/transactions.ts';

/**
 * Wraps a sink and reports rows once the broker has them; rows of a transaction, once it is committed. The report is synchronous,
 * because the rows' memory is reused afterwards.
 */
export function tellDelivered(
  inner: Sink | TransactionalSink,
  tell: (topic: string, rows: RecordSlab) => void,
): Sink | TransactionalSink {
  const rest = {
    open: (topics: readonly string[]) => inner.open(topics),
    partitionCount: (topic: string) => inner.partitionCount(topic),
    close: () => inner.close(),
  };
  if (isTransactional(inner))
    return {
      ...rest,
      async publish(transaction) {
        const published = await inner.publish(transaction);
        if (published === 'committed') for (const { topic, rows } of transaction.parts) tell(topic, rows);
        return published;
      },
    };
  return {
    ...rest,
    async send(topic, partition, rows) {
      await inner.send(topic, partition, rows);
      tell(topic, rows);
    },
  };
}
