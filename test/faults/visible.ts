import type { IHeaders } from 'kafkajs';

interface Message {
  readonly offset: string;
  readonly timestamp: string;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers?: IHeaders;
  readonly isControlRecord?: boolean;
  readonly batchContext?: {
    readonly firstOffset: string;
    readonly lastOffsetDelta: number;
    readonly producerId: string;
    readonly inTransaction: boolean;
  };
}

/** What one fetch of the stock client brings for one partition. */
export interface Fetched {
  readonly lastStableOffset: string;
  readonly messages: readonly Message[];
  /** With isolation committed: those that reach into the fetch. */
  readonly abortedTransactions?: readonly { readonly producerId: string; readonly firstOffset: string }[] | null;
}

/**
 * Records from an offset on, without markers and without those of aborted transactions. The client's own filter wrongly assumes
 * that brokers list aborted transactions in the order in which they began, and lets some of their records through.
 */
export function visible({ messages, abortedTransactions }: Fetched, from: number): Message[] {
  const spans = (abortedTransactions ?? []).map(({ producerId, firstOffset }) => {
    const isEnd = (each: Message): boolean =>
      each.isControlRecord === true &&
      each.batchContext?.producerId === producerId &&
      Number(each.offset) >= Number(firstOffset);
    const end = messages.find(isEnd);
    return { producerId, first: Number(firstOffset), end: end ? Number(end.offset) : Number.POSITIVE_INFINITY };
  });
  return messages.filter(({ offset, isControlRecord, batchContext }) => {
    const at = Number(offset);
    const aborted = spans.some(
      ({ producerId, first, end }) =>
        batchContext?.inTransaction === true && batchContext.producerId === producerId && at >= first && at < end,
    );
    return at >= from && !isControlRecord && !aborted;
  });
}
