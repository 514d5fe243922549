import type { IHeaders, Message } from 'kafkajs';
import { decodeHeaders } from '../../kernel/headers.ts';
import type { RecordSlab } from '../../kernel/record-slab.ts';

const EMPTY = Buffer.alloc(0);

/**
 * Rows [from, to) of a slab → messages of the client, views into the slab. Pure.
 *
 * The client cannot write a header without a value (it reads its length first and throws) → such a record could never
 * be sent, and would be tried for ever → it is sent with an empty value, and `onNullHeader` is told.
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
  for (let i = from; i < to; i++) {
    const message: Message = {
      partition,
      key: rows.keyStart[i] < 0 ? null : arena.subarray(rows.keyStart[i], rows.keyEnd[i]),
      value: rows.valueStart[i] < 0 ? null : arena.subarray(rows.valueStart[i], rows.valueEnd[i]),
      // As text: the client takes the number 0 for "none" and puts the time of sending in its place.
      timestamp: String(rows.timestamps[i]),
    };
    if (rows.headersStart[i] >= 0) {
      message.headers = toHeaders(arena.subarray(rows.headersStart[i], rows.headersEnd[i]), onNullHeader);
    }
    messages[i - from] = message;
  }
  return messages;
}

function toHeaders(block: Buffer, onNullHeader: () => void): IHeaders {
  // Without a prototype, a header named __proto__ is a header.
  const headers: Record<string, Buffer | Buffer[]> = Object.create(null);
  for (const { name, value } of decodeHeaders(block)) {
    if (value === null) onNullHeader();
    const bytes = value ?? EMPTY;
    const before = headers[name];
    if (before === undefined) headers[name] = bytes;
    else if (Array.isArray(before)) before.push(bytes);
    else headers[name] = [before, bytes];
  }
  return headers;
}
