import { type Frame, FrameBuilder, type Origin } from '../../kernel/frame.ts';
import { encodeHeaders, type Header } from '../../kernel/headers.ts';
import type { FetchedBatch, FetchedMessage } from './internals.ts';

/** Messages of the client → frames. Pure. Here the client's objects end: a frame copies what it keeps. */

export interface CutLimits {
  readonly maxRecords: number;
  readonly maxBytes: number;
  /** A record above this is kept by reference only. */
  readonly maxRecordBytes: number;
}

/** Messages [from, to) and what their frame will hold. */
export interface Cut {
  readonly from: number;
  readonly to: number;
  /** Arena bytes: what the credit is asked for. */
  readonly bytes: number;
  /** One a message; null for none. */
  readonly headers: readonly (Buffer | null)[];
}

/** The next cut at `from`: as many messages as fit, at least one. */
export function cut(messages: readonly FetchedMessage[], from: number, limits: CutLimits): Cut {
  const headers: (Buffer | null)[] = [];
  let bytes = 0;
  let to = from;
  while (to < messages.length && to - from < limits.maxRecords) {
    const block = headerBlock(messages[to]);
    const kept = isReference(messages[to], block, limits) ? 0 : messageBytes(messages[to], block);
    if (to > from && bytes + kept > limits.maxBytes) break;
    headers.push(block);
    bytes += kept;
    to++;
  }
  return { from, to, bytes, headers };
}

export function fill(
  origin: Origin,
  messages: readonly FetchedMessage[],
  cut: Cut,
  limits: CutLimits,
  at: { readonly nextOffset: number; readonly receivedAtMs: number; readonly receivedMonotonicMs: number },
): Frame {
  const builder = new FrameBuilder(origin, cut.to - cut.from, cut.bytes);
  for (let i = cut.from; i < cut.to; i++) {
    const message = messages[i];
    const block = cut.headers[i - cut.from];
    const offset = Number(message.offset);
    const timestampMs = Number(message.timestamp);
    if (isReference(message, block, limits)) {
      const { why, bytes } = message.unread ?? { why: 'too-large', bytes: message.value?.length ?? 0 };
      builder.appendReference(offset, timestampMs, bytes, why);
    } else {
      builder.append(offset, timestampMs, message.key, message.value, block);
    }
  }
  return builder.build(at.nextOffset, at.receivedAtMs, at.receivedMonotonicMs);
}

/**
 * The offset behind everything this fetch covered. A record batch may end in offsets that compaction removed, and a fetch
 * in control records and aborted records; the client steps over such a gap one offset a fetch, this does it at once.
 */
export function endOf(batch: FetchedBatch): number {
  const last = batch.rawMessages.at(-1);
  if (last === undefined) return Number(batch.fetchedOffset);
  const context = last.batchContext;
  const end = context === undefined ? Number(last.offset) : Number(context.firstOffset) + context.lastOffsetDelta;
  // A damaged header may claim any end: none is beyond the partition's.
  return Math.min(
    Math.max(end, Number(last.offset)) + 1,
    Math.max(Number(last.offset) + 1, Number(batch.highWatermark)),
  );
}

/** Kept without its body: there is none, or too much of it. */
function isReference(message: FetchedMessage, block: Buffer | null, limits: CutLimits): boolean {
  return message.unread !== undefined || messageBytes(message, block) > limits.maxRecordBytes;
}

function messageBytes(message: FetchedMessage, block: Buffer | null): number {
  return (message.key?.length ?? 0) + (message.value?.length ?? 0) + (block?.length ?? 0);
}

/** The client keeps headers as an object: values of one name lie together, whatever their order was. */
export function headersOf(headers: FetchedMessage['headers']): Header[] {
  const list: Header[] = [];
  if (headers === undefined) return list;
  for (const name of Object.keys(headers)) {
    const value = headers[name];
    if (Array.isArray(value)) for (const one of value) list.push({ name, value: toBytes(one) });
    else list.push({ name, value: toBytes(value) });
  }
  return list;
}

function headerBlock({ headerBlock: block, headers }: FetchedMessage): Buffer | null {
  if (block !== undefined) return block;
  if (headers === undefined) return null;
  const list = headersOf(headers);
  return list.length === 0 ? null : encodeHeaders(list);
}

function toBytes(value: unknown): Buffer | null {
  if (Buffer.isBuffer(value)) return value;
  return typeof value === 'string' ? Buffer.from(value) : null;
}
