import { setImmediate as nextTurn } from 'node:timers/promises';
import { decodeHeaders } from '../../kernel/headers.ts';
import type { BatchContext, FetchedMessage } from './internals.ts';

const RECORDS_A_TURN = 10_000;

/** A record in the shape that the client hands round: key, value and headers are views into the fetch. */
class Message implements FetchedMessage {
  readonly offset: string;
  readonly timestamp: string;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headerBlock: Buffer | null;
  readonly isControlRecord: boolean;
  readonly batchContext: BatchContext;

  constructor(
    offset: string,
    timestamp: string,
    key: Buffer | null,
    value: Buffer | null,
    headerBlock: Buffer | null,
    batchContext: BatchContext,
  ) {
    this.offset = offset;
    this.timestamp = timestamp;
    this.key = key;
    this.value = value;
    this.headerBlock = headerBlock;
    this.isControlRecord = batchContext.isControlBatch ?? false;
    this.batchContext = batchContext;
  }

  /** As other consumers in this process know them from the client. */
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

/**
 * The records of one batch, inflated. Layout: varint length, then attributes, varlong timestamp delta, varint offset delta,
 * key, value (varint length, -1 for null) and a header block. Throws RangeError unless it is exactly `count` records,
 * in ascending order of their offsets, none beyond the batch.
 */
export async function readRecords(bytes: Buffer, count: number, context: BatchContext): Promise<FetchedMessage[]> {
  // A record takes seven bytes at least: a count that cannot be true must not make an array of its size.
  if (count * 7 > bytes.length) throw new RangeError('says that it holds more records than it has bytes for');
  const messages = new Array<FetchedMessage>(count);
  const reader = new Reader(bytes);
  const first = Number(context.firstOffset);
  let before = -1;
  for (let i = 0; i < count; i++) {
    // A batch may hold a quarter of a second of work.
    if (i % RECORDS_A_TURN === RECORDS_A_TURN - 1) await nextTurn();
    const length = reader.varint();
    const end = reader.at + length;
    if (length < 6 || end > bytes.length) throw new RangeError('has a record that ends outside it');
    reader.end = end;
    reader.at++; // attributes
    const timestampDelta = reader.varlong();
    const offsetDelta = reader.varint();
    if (offsetDelta <= before || offsetDelta > context.lastOffsetDelta) {
      throw new RangeError('has records that are not in order');
    }
    before = offsetDelta;
    const key = reader.field();
    const value = reader.field();
    const headers = reader.headers();
    if (reader.at !== end) throw new RangeError('has a record with bytes left over');
    const timestamp = context.appendedAt ?? String((context.firstTimestamp ?? 0) + timestampDelta);
    messages[i] = new Message(String(first + offsetDelta), timestamp, key, value, headers, context);
    reader.end = bytes.length;
  }
  if (reader.at !== bytes.length) throw new RangeError('has bytes left over');
  return messages;
}

const ENDS = 'ends inside a record';

class Reader {
  at = 0;
  end: number;
  private readonly bytes: Buffer;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
    this.end = bytes.length;
  }

  varint(): number {
    const { bytes, end } = this;
    let raw = 0;
    for (let shift = 0; shift <= 28; shift += 7) {
      if (this.at >= end) throw new RangeError(ENDS);
      const byte = bytes[this.at++];
      raw |= (byte & 127) << shift;
      if (byte < 128) return (raw >>> 1) ^ -(raw & 1);
    }
    throw new RangeError('has a number that does not end');
  }

  /** Exact up to 2⁵³, which no time in milliseconds comes near. */
  varlong(): number {
    const { bytes, end } = this;
    let value = 0;
    let scale = 1;
    for (let k = 0; k < 10; k++) {
      if (this.at >= end) throw new RangeError(ENDS);
      const byte = bytes[this.at++];
      value += (byte & 127) * scale;
      if (byte < 128) return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
      scale *= 128;
    }
    throw new RangeError('has a number that does not end');
  }

  field(): Buffer | null {
    const length = this.varint();
    if (length === -1) return null;
    const from = this.skip(length);
    return this.bytes.subarray(from, this.at);
  }

  /** Looks through the block, and gives it as it is; null where it has none. */
  headers(): Buffer | null {
    const from = this.at;
    const count = this.varint();
    if (count < 0 || count * 2 > this.end - this.at) throw new RangeError('has headers that end outside it');
    for (let i = 0; i < count; i++) {
      this.skip(this.varint());
      const length = this.varint();
      if (length !== -1) this.skip(length);
    }
    return count === 0 ? null : this.bytes.subarray(from, this.at);
  }

  private skip(length: number): number {
    const from = this.at;
    if (length < 0 || from + length > this.end) throw new RangeError('has a field that ends outside its record');
    this.at = from + length;
    return from;
  }
}
