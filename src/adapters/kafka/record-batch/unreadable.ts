import type { BatchContext, FetchedMessage, Unread } from '../client/internals.ts';

/** Messages that represent unreadable or absent records. */

const MAX_UNREAD = 100_000;
/** The most offsets that a damaged header may claim. */
const MAX_SPAN = 10_000_000;

/** One message per offset, the last one at the end of the batch; a single one if their number is implausible. */
export function unreadMessages(context: BatchContext, count: number, unread: Unread): FetchedMessage[] {
  const span = context.lastOffsetDelta + 1;
  const known = count > 0 && count <= MAX_UNREAD && span >= count && span <= MAX_SPAN;
  const believed = known ? context : { ...context, lastOffsetDelta: span > 0 && span <= MAX_SPAN ? span - 1 : 0 };
  const first = Number(context.firstOffset);
  const offsets = known ? Array.from({ length: count }, (_, i) => first + i) : [first];
  if (known) offsets[count - 1] = first + context.lastOffsetDelta;
  return offsets.map((offset) => ({
    offset: String(offset),
    timestamp: context.appendedAt ?? String(context.firstTimestamp ?? -1),
    key: null,
    value: null,
    headerBlock: null,
    isControlRecord: false,
    batchContext: believed,
    unread,
  }));
}

/** A set of messages in one of the formats before 0.11: its first bytes are an offset. */
export function brokenSet(bytes: Buffer, text: string): FetchedMessage[] {
  const firstOffset = String(bytes.readBigInt64BE(0));
  return unreadMessages({ firstOffset, lastOffsetDelta: 0 }, 1, { why: 'batch-unreadable', text, bytes: bytes.length });
}

export function emptied(context: BatchContext): FetchedMessage {
  return {
    offset: String(Number(context.firstOffset) + context.lastOffsetDelta),
    timestamp: String(context.firstTimestamp ?? -1),
    key: null,
    value: null,
    headerBlock: null,
    isControlRecord: true,
    batchContext: context,
  };
}
