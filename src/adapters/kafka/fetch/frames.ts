import type { Frame, Origin } from '../../../kernel/frame.ts';
import { FrameBuilder } from '../../../kernel/frame-builder.ts';
import type { FramePool, Shared } from '../../../kernel/frame-memory.ts';
import { encodeHeaders, type Header } from '../../../kernel/headers.ts';
import { type RecordRange, startOf } from '../../../kernel/record-columns.ts';
import type { FetchedBatch, FetchedMessage } from '../client/internals.ts';

/**
 * A fetch → frames. Pure. The client's objects go no further than this: a frame copies what it keeps, whole records unchanged from a
 * record batch, and the credit is charged for that. Where copying would be too expensive, frames may lie in the fetch itself
 * (`sharedBytes`).
 *
 * A frame may take records from many batches, so that producers which send few records at a time do not cause small frames.
 */

export interface CutLimits {
  readonly maxRecords: number;
  readonly maxBytes: number;
  /** A record larger than this, framing included, is kept by reference only. */
  readonly maxRecordBytes: number;
}

/** A place among the records of a fetch: a message and, for a batch, the index of the record in it. */
export interface Cursor {
  readonly message: number;
  readonly record: number;
}

export const BEGINNING: Cursor = { message: 0, record: 0 };

/** The records from one place up to another, and what their frame will hold. */
export interface Cut {
  readonly from: Cursor;
  readonly to: Cursor;
  readonly count: number;
  /** Arena bytes: what the credit is charged. */
  readonly bytes: number;
}

/** The first requested record: a fetch that begins within a batch brings the whole batch. */
export function firstFrom(messages: readonly FetchedMessage[], offset: number): Cursor {
  const message = messages.findIndex((each) => Number(each.offset) >= offset);
  if (message < 0) return { message: messages.length, record: 0 };
  const { records } = messages[message];
  if (records === undefined) return { message, record: 0 };
  const { columns, from, to } = records;
  let low = from;
  for (let high = to; low < high; ) {
    const middle = (low + high) >>> 1;
    if (columns.offsets[middle] < offset) low = middle + 1;
    else high = middle;
  }
  return { message, record: low - from };
}

/** The next cut at `from`: as many records as fit, at least one. */
export function cut(messages: readonly FetchedMessage[], from: Cursor, limits: CutLimits): Cut {
  let { message, record } = from;
  let count = 0;
  let bytes = 0;
  for (; message < messages.length && count < limits.maxRecords; message++) {
    const { records } = messages[message];
    if (records === undefined) {
      const kept = isReference(messages[message], limits) ? 0 : messageBytes(messages[message]);
      if (count > 0 && bytes + kept > limits.maxBytes) break;
      bytes += kept;
      count++;
      continue;
    }
    const { ends } = records.columns;
    const until = Math.min(records.to, records.from + record + limits.maxRecords - count);
    let row = records.from + record;
    for (let start = startOf(records, row); row < until; row++) {
      const length = ends[row] - start;
      const kept = length > limits.maxRecordBytes ? 0 : length;
      if (count > 0 && bytes + kept > limits.maxBytes) break;
      bytes += kept;
      count++;
      start = ends[row];
    }
    record = row - records.from;
    if (row < records.to) break;
    record = 0;
  }
  return { from, to: { message, record }, count, bytes };
}

/** Records smaller than this on average are copied: that costs next to nothing, and does not keep the fetch alive. */
const WIDE_BYTES = 1024;

/** The buffer that holds all records of a cut, if they are large; undefined if they are not contiguous, or better copied. */
export function sharedBytes(messages: readonly FetchedMessage[], found: Cut, limits: CutLimits): Buffer | undefined {
  const { from, to, count, bytes } = found;
  if (bytes < WIDE_BYTES * count) return undefined;
  const memory = messages[from.message].records?.bytes;
  const last = to.record > 0 ? to.message : to.message - 1;
  for (let i = from.message; i <= last; i++) {
    const { records } = messages[i];
    if (records === undefined || records.bytes !== memory) return undefined;
    const { ends } = records.columns;
    const first = i === from.message ? records.from + from.record : records.from;
    const until = i === to.message ? records.from + to.record : records.to;
    // Checked one by one only if one of them might be too large to be kept.
    let start = startOf(records, first);
    if (ends[until - 1] - start <= limits.maxRecordBytes) continue;
    for (let row = first; row < until; start = ends[row++]) {
      if (ends[row] - start > limits.maxRecordBytes) return undefined;
    }
  }
  return memory;
}

export function fill(
  origin: Origin,
  messages: readonly FetchedMessage[],
  { from, to, count, bytes }: Cut,
  limits: CutLimits,
  at: { readonly nextOffset: number; readonly receivedAtMs: number; readonly receivedMonotonicMs: number },
  pool?: FramePool,
  shared?: Shared,
): Frame {
  const builder = new FrameBuilder(origin, count, bytes, pool, shared);
  let { record } = from;
  for (let i = from.message; i <= to.message && i < messages.length; i++) {
    const { records } = messages[i];
    if (records !== undefined) {
      const until = i < to.message ? records.to : records.from + to.record;
      appendRecords(builder, records, records.from + record, until, limits);
    } else if (i < to.message) appendMessage(builder, messages[i], limits);
    record = 0;
  }
  return builder.build(at.nextOffset, at.receivedAtMs, at.receivedMonotonicMs);
}

/** Appends them in as few pieces as possible, split only at records that are too large. */
function appendRecords(builder: FrameBuilder, range: RecordRange, from: number, to: number, limits: CutLimits): void {
  const { offsets, timestamps, valueStart, valueEnd, ends } = range.columns;
  let begun = from;
  let start = startOf(range, from);
  const isSmall = to > from && ends[to - 1] - start <= limits.maxRecordBytes;
  for (let row = from; row < to && !isSmall; row++) {
    if (ends[row] - start > limits.maxRecordBytes) {
      builder.appendRange(range, begun, row);
      const valueBytes = valueStart[row] < 0 ? 0 : valueEnd[row] - valueStart[row];
      builder.appendReference(offsets[row], timestamps[row], valueBytes);
      begun = row + 1;
    }
    start = ends[row];
  }
  builder.appendRange(range, begun, to);
}

function appendMessage(builder: FrameBuilder, message: FetchedMessage, limits: CutLimits): void {
  const offset = Number(message.offset);
  const timestampMs = Number(message.timestamp);
  if (isReference(message, limits)) {
    const { why, bytes } = message.unread ?? { why: 'too-large', bytes: message.value?.length ?? 0 };
    builder.appendReference(offset, timestampMs, bytes, why);
  } else builder.append(offset, timestampMs, message.key, message.value, headerBlock(message));
}

/** The position to commit once everything before `at` is settled. */
export function offsetBehind(batch: FetchedBatch, at: Cursor): number {
  const { messages } = batch;
  if (at.message === messages.length) return endOf(batch);
  const { offset, records } = messages[at.message];
  return records === undefined ? Number(offset) : records.columns.offsets[records.from + at.record];
}

/**
 * The offset behind everything this fetch covered. A record batch may end in offsets that compaction removed, and a fetch
 * in control records and aborted records; the client steps over such a gap one offset per fetch, this does it at once.
 */
export function endOf(batch: FetchedBatch): number {
  const last = batch.rawMessages.at(-1);
  if (last === undefined) return Number(batch.fetchedOffset);
  const context = last.batchContext;
  const end = context === undefined ? Number(last.offset) : Number(context.firstOffset) + context.lastOffsetDelta;
  // A damaged header may claim any end, but none is beyond the partition's.
  return Math.min(
    Math.max(end, Number(last.offset)) + 1,
    Math.max(Number(last.offset) + 1, Number(batch.highWatermark)),
  );
}

/** Kept without its body, because there is none or it is too large. */
function isReference(message: FetchedMessage, limits: CutLimits): boolean {
  return message.unread !== undefined || messageBytes(message) > limits.maxRecordBytes;
}

function messageBytes(message: FetchedMessage): number {
  return (message.key?.length ?? 0) + (message.value?.length ?? 0) + (headerBlock(message)?.length ?? 0);
}

/** The client keeps headers as an object, in which the values of a name are together, whatever their order was. */
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

/** If there is a block, `headers` is not read, because reading it would parse the block. */
function headerBlock(message: FetchedMessage): Buffer | null {
  if (message.headerBlock !== undefined) return message.headerBlock;
  const list = headersOf(message.headers);
  return list.length === 0 ? null : encodeHeaders(list);
}

function toBytes(value: unknown): Buffer | null {
  if (Buffer.isBuffer(value)) return value;
  return typeof value === 'string' ? Buffer.from(value) : null;
}
