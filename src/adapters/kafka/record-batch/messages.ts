import { setImmediate as nextTurn } from 'node:timers/promises';
import { decodeHeaders } from '../../../kernel/headers.ts';
import type { RecordRange } from '../../../kernel/record-columns.ts';
import type { BatchContext, FetchedMessage } from '../client/internals.ts';

/** Record batches in the shapes that the client passes around. */

/** All records of a batch as one message. The client reads only its last offset and the attributes of the batch. */
export class BatchMessage implements FetchedMessage {
  readonly offset: string;
  readonly timestamp = '';
  readonly key = null;
  readonly value = null;
  isControlRecord: boolean;
  readonly batchContext: BatchContext;
  readonly records: RecordRange;

  constructor(offset: string, batchContext: BatchContext, records: RecordRange) {
    this.offset = offset;
    this.isControlRecord = batchContext.isControlBatch ?? false;
    this.batchContext = batchContext;
    this.records = records;
  }
}

/** A record: key, value and headers are views into the fetch. */
class RecordMessage implements FetchedMessage {
  readonly offset: string;
  readonly timestamp: string;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headerBlock: Buffer | null;
  isControlRecord: boolean;
  readonly batchContext: BatchContext;

  constructor(batch: BatchMessage, row: number) {
    const { columns, bytes } = batch.records;
    const view = (start: number, end: number): Buffer | null => (start < 0 ? null : bytes.subarray(start, end));
    this.offset = String(columns.offsets[row]);
    this.timestamp = batch.batchContext.appendedAt ?? String(columns.timestamps[row]);
    this.key = view(columns.keyStart[row], columns.keyEnd[row]);
    this.value = view(columns.valueStart[row], columns.valueEnd[row]);
    this.headerBlock = view(columns.headersStart[row], columns.headersEnd[row]);
    this.isControlRecord = batch.isControlRecord;
    this.batchContext = batch.batchContext;
  }

  /** As the client gives them. */
  get headers(): Record<string, Buffer | Buffer[]> {
    const headers: Record<string, Buffer | Buffer[]> = {};
    if (this.headerBlock === null) return headers;
    for (const { name, value } of decodeHeaders(this.headerBlock)) {
      const before = Object.hasOwn(headers, name) ? headers[name] : undefined;
      if (Array.isArray(before)) before.push(value as Buffer);
      else put(headers, name, before === undefined ? (value as Buffer) : [before, value as Buffer]);
    }
    return headers;
  }
}

/** Assigning `__proto__` would set the prototype. */
function put(into: object, name: string, value: unknown): void {
  Object.defineProperty(into, name, { value, enumerable: true, writable: true, configurable: true });
}

export function recordsOf(batch: BatchMessage): FetchedMessage[] {
  return Array.from({ length: batch.records.to - batch.records.from }, (_, i) => {
    return new RecordMessage(batch, batch.records.from + i);
  });
}

const RECORDS_A_TURN = 10_000;

/** One message per record, in whatever form they come. Yields to the event loop: a fetch may hold a quarter of a second of work. */
export async function singly(messages: readonly FetchedMessage[]): Promise<readonly FetchedMessage[]> {
  if (!messages.some((message) => message instanceof BatchMessage)) return messages;
  const single: FetchedMessage[] = [];
  let turn = RECORDS_A_TURN;
  for (const message of messages) {
    if (!(message instanceof BatchMessage)) {
      single.push(message);
      continue;
    }
    const { from, to } = message.records;
    for (let row = from; row < to; row++) {
      if (single.length === turn) {
        turn += RECORDS_A_TURN;
        await nextTurn();
      }
      single.push(new RecordMessage(message, row));
    }
  }
  return single;
}
