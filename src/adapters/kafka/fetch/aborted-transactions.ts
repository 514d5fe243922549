import type { BatchContext } from '../client/internals.ts';

/**
 * Leaves out what aborted transactions wrote, in place of the client.
 *
 * Brokers name a fetch's aborted transactions in the order of their ends; the client believes it to be the order of their
 * beginnings, and looks at one more of them a message (cause) → where two overlap, as after the crash of a process that wrote for
 * several partitions, records of aborted transactions come out as if they were committed (effect; seen on Kafka 4.4) →
 * they are hidden here, before the client looks, and it is told of no aborted transactions (guard).
 */
export interface FetchedRecords {
  readonly messages: readonly FetchedRecord[];
  abortedTransactions?: readonly AbortedTransaction[] | null;
}

/** A record, or a batch by the offset of its last one: nobody's transaction begins within a batch. */
export interface FetchedRecord {
  readonly offset: string;
  readonly key: Buffer | null;
  readonly batchContext?: BatchContext;
  isControlRecord?: boolean;
}

export interface AbortedTransaction {
  readonly producerId: string;
  readonly firstOffset: string;
}

/** Version and type of a control record are its key. */
const ABORT_MARKER = Buffer.from([0, 0, 0, 0]);

/** Marks records of aborted transactions as what no reader is handed: so they still count as read. */
export function hideAborted(fetched: FetchedRecords): void {
  if (!fetched.abortedTransactions?.length) return;
  const begins = fetched.abortedTransactions
    .map(({ producerId, firstOffset }) => ({ producerId, at: Number(firstOffset) }))
    .sort((a, b) => a.at - b.at);
  fetched.abortedTransactions = [];
  const open = new Set<string>();
  let next = 0;
  for (const message of fetched.messages) {
    const offset = Number(message.offset);
    while (next < begins.length && begins[next].at <= offset) open.add(begins[next++].producerId);
    const { producerId = '', inTransaction = false } = message.batchContext ?? {};
    if (!inTransaction || !open.has(producerId)) continue;
    if (!message.isControlRecord) message.isControlRecord = true;
    else if (message.key?.equals(ABORT_MARKER)) open.delete(producerId);
  }
}
