import type { Message } from 'kafkajs';
import type { RecordSlab } from '../../../kernel/record-slab.ts';
import { HeaderObjects } from './header-objects.ts';

/**
 * Rows [from, to) of a slab → messages of the client, views into the slab. Pure.
 *
 * The client cannot write a header without a value (it reads its length first and throws) → such a record could never be sent, and
 * would be retried for ever → it is sent with an empty value, and `onNullHeader` is called.
 */
export function toMessages(
  rows: RecordSlab,
  from: number,
  to: number,
  partition: number,
  onNullHeader: () => void,
): Message[] {
  const messages: Message[] = new Array(to - from);
  const { arena } = rows;
  const headers = new HeaderObjects(arena, onNullHeader);
  let timestampMs = Number.NaN;
  let timestamp = '';
  for (let i = from; i < to; i++) {
    if (rows.timestamps[i] !== timestampMs) {
      timestampMs = rows.timestamps[i];
      // As text: the client takes the number 0 for "none" and puts the time of sending in its place.
      timestamp = String(timestampMs);
    }
    messages[i - from] = {
      partition,
      key: rows.keyStart[i] < 0 ? null : arena.subarray(rows.keyStart[i], rows.keyEnd[i]),
      value: rows.valueStart[i] < 0 ? null : arena.subarray(rows.valueStart[i], rows.valueEnd[i]),
      timestamp,
      headers: rows.headersStart[i] < 0 ? undefined : headers.read(rows.headersStart[i], rows.headersEnd[i]),
    };
  }
  return grouped(messages, partition);
}

/**
 * The client groups messages by partition with `reduce`, and copies a partition's list for each message (cause) → quadratic time and
 * garbage, a tenth of the cost of sending 500 messages (effect) → the list overrides that one call, since all its messages are of
 * one partition (guard). It is an own property, so that the results of `map` and `filter` are plain arrays. This is known of the
 * version that is checked for (client/internals.ts); a version that does not call `reduce` would just group.
 */
function grouped(messages: Message[], partition: number): Message[] {
  Object.defineProperty(messages, 'reduce', { value: () => ({ [partition]: messages }) });
  return messages;
}
