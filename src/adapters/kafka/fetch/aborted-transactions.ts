import type { BatchContext } from '../client/internals.ts';

/**
 * Filters out the records of aborted transactions, in place of the client.
 *
 * Brokers list the aborted transactions of a fetch in the order of their ends; the client takes it for the order of their
 * beginnings, and considers one more of them per message (cause) → if two overlap, as after the crash of a process that wrote for
 * several partitions, records of aborted transactions come out as if they were committed (effect; seen on Kafka 4.4) → they are
 * hidden here, before the client looks, and the client is told of no aborted transactions (guard).
 */
export interface FetchedRecords {
  readonly messages: readonly FetchedRecord[];
  abortedTransactions?: readonly AbortedTransaction[] | null;
}

/** A record, or a batch, by its last offset: no transaction begins within a batch. */
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

/** The key of a control record is its version and type. */
const ABORT_MARKER = Buffer.from([0, 0, 0, 0]);

/** Marks records of aborted transactions as control records, which no reader is given but which count as read. */
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
