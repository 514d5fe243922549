import type { RecordRange } from '../../../kernel/record-columns.ts';
import { fetchMemory } from '../client/fetch-memory.ts';
import type { BatchContext, FetchedMessage, Unread } from '../client/internals.ts';
import { ColumnMemory, FRONT_BYTES, HEADER_BYTES } from './column-memory.ts';
import { CodecError, inflate, MAX_INFLATED_BYTES } from './compression.ts';
import { crc32c } from './crc32c.ts';
import { BatchMessage, recordsOf } from './messages.ts';
import { checkCount, RECORDS_A_TURN, type RecordBase, type Region, readManyRecords, readRecords } from './records.ts';
import { brokenSet, emptied, unreadMessages } from './unreadable.ts';

/**
 * Decodes what a fetch brought for one partition into one message per record batch, with its records as columns; in place of the
 * client's decoder, which makes one message per record (fetch/client-fetch.ts says who gets what). Nothing that a producer, or a
 * faulty disk, can put into a partition makes it throw: an unreadable batch comes as messages without a body (`unread`), one per
 * offset if their number is known, and reading continues after it. Offsets only ascend, and the stated end of a batch is trusted
 * only up to the beginning of the next one: a wrong header cannot make records be skipped or come twice.
 *
 * With the client's decoder, one batch that fails to decode fails the fetch of all partitions, again and again → the group stands
 * still or the process ends, for ever; batches of 120,000 records overflow the stack; headers are assembled in quadratic time, so
 * that one record of a megabyte blocks the event loop for minutes; no checksum is verified; codecs 5 to 7 are read as none; and it
 * never gets past an empty batch left by compaction.
 *
 * Limits: one response yields at most MAX_FETCH_BYTES of inflated batches and MAX_FETCH_RECORDS records; the rest is fetched again (a
 * partition may use half of the remaining budget, so that it does not starve the others). A batch with more than MAX_BATCH_RECORDS
 * records, or with an implausible header, is represented by one message. The beginning of the first batch of a fetch, and the end
 * of a damaged batch that fills a fetch, cannot be checked against anything else.
 */
/** Size of one fetch from one broker, still compressed. */
export const FETCH_MAX_BYTES = 4 * 1024 * 1024;
export const MAX_FETCH_BYTES = MAX_INFLATED_BYTES;
export const MAX_FETCH_RECORDS = 100_000;
const MAX_BATCH_RECORDS = 200_000;

/** The client's reader of a response. */
export interface ClientDecoder {
  readonly buffer: Buffer;
  offset: number;
  readInt32(): number;
  canReadBytes(count: number): boolean;
}

export type DecodeMessages = (decoder: ClientDecoder) => Promise<readonly FetchedMessage[]>;

/** How much one response may still yield. */
export interface Budget {
  bytes: number;
  records: number;
}

/** The client reads all partitions of a response with one decoder. */
const budgets = new WeakMap<ClientDecoder, Budget>();

export async function decodeMessages(
  decoder: ClientDecoder,
  legacy: DecodeMessages,
): Promise<readonly FetchedMessage[]> {
  const start = decoder.offset;
  const size = decoder.readInt32();
  if (size <= 0 || !decoder.canReadBytes(size)) return [];
  const bytes = decoder.buffer.subarray(decoder.offset, decoder.offset + size);
  if (bytes.length > 16 && bytes[16] < 2) {
    decoder.offset = start;
    const messages = await legacy(decoder).catch((thrown: Error) => brokenSet(bytes, thrown.message));
    decoder.offset = start + 4 + size;
    return messages;
  }
  decoder.offset += size;
  const budget = budgets.get(decoder) ?? freshBudget();
  budgets.set(decoder, budget);
  const room = new ColumnMemory(bytes, fetchMemory);
  const messages = await decodeBatches(bytes, budget, room);
  fetchMemory.hold(messages, decoder.buffer, room.sets);
  return messages;
}

export function freshBudget(): Budget {
  return { bytes: MAX_FETCH_BYTES, records: MAX_FETCH_RECORDS };
}

/** Decodes batches one after the other; the last may be cut off by the size of the fetch. */
export async function decodeBatches(
  bytes: Buffer,
  budget: Budget,
  room: ColumnMemory = new ColumnMemory(bytes),
): Promise<readonly FetchedMessage[]> {
  const isFirst = budget.bytes === MAX_FETCH_BYTES && budget.records === MAX_FETCH_RECORDS;
  const share: Budget = { bytes: budget.bytes / 2, records: budget.records / 2 };
  const messages: FetchedMessage[] = [];
  for (let at = 0; at + HEADER_BYTES <= bytes.length; ) {
    const length = FRONT_BYTES + bytes.readInt32BE(at + 8);
    // Brokers cut batches by this number themselves: one that does not fit is the end of the fetch, cut off.
    if (length < HEADER_BYTES || at + length > bytes.length) break;
    if (at > 0 && (share.bytes <= 0 || share.records <= 0)) break;
    // The very first may be as large as a batch can be: nothing else is held yet, and somebody has to come first.
    const alone = isFirst && at === 0;
    const place: Place = {
      room,
      maxBytes: alone ? MAX_INFLATED_BYTES : share.bytes,
      isAlone: alone,
      isFirst: at === 0,
      least: messages.length === 0 ? undefined : Number(messages[messages.length - 1].offset) + 1,
      following: at + length + 8 <= bytes.length ? int64(bytes, at + length) : undefined,
    };
    const decoded = decodeBatch(bytes, at, at + length, place);
    // A promise for each of many small batches would cost more than they do.
    const batch = decoded instanceof Promise ? await decoded : decoded;
    if (batch === undefined) break;
    for (const left of [budget, share]) {
      left.bytes -= batch.inflatedBytes;
      left.records -= batch.count;
    }
    for (const message of batch.messages) messages.push(message);
    at += length;
  }
  return messages;
}

interface DecodedBatch {
  readonly messages: readonly FetchedMessage[];
  /** Records, for which there may be one message. */
  readonly count: number;
  readonly inflatedBytes: number;
}

/** The place of a batch in a fetch. */
interface Place {
  readonly room: ColumnMemory;
  readonly maxBytes: number;
  /** Nothing of the response was taken before it. */
  readonly isAlone: boolean;
  /** Of its partition. */
  readonly isFirst: boolean;
  /** The least offset that it may begin with; undefined for the first. */
  readonly least: number | undefined;
  /** Where the next batch says that it begins; undefined where none follows. */
  readonly following: number | undefined;
}

/** Undefined if it is left for the next fetch, whose budget or content may tell more. */
type Judged = DecodedBatch | undefined;

function decodeBatch(bytes: Buffer, at: number, end: number, place: Place): Judged | Promise<Judged> {
  const { least } = place;
  const said = int64(bytes, at);
  const lastOffsetDelta = bytes.readInt32BE(at + 23);
  // A base offset is in front of what the checksum covers.
  const goesBack = least !== undefined && !(said >= least && said <= MAX_OFFSET);
  const first = goesBack ? least : said;
  const header: Header = {
    length: end - at,
    count: bytes.readInt32BE(at + 57),
    lastOffsetDelta,
    first,
    context: contextOf(bytes, at, first, endWithin(lastOffsetDelta, first, place.following)),
  };
  const format = bytes[at + 16];
  if (format !== 2 || bytes.readUInt32BE(at + 17) !== crc32c(bytes, at + 21, end)) {
    // A fetch that begins with it shows what follows it, if anything does.
    if (place.following === undefined && !place.isFirst) return undefined;
    return broken(header, format === 2 ? 'does not fit its checksum' : `has format ${format}, which nobody knows`);
  }
  if (goesBack) return broken(header, `begins at ${said}, before the end of the one in front of it`);
  const { count } = header;
  if (lastOffsetDelta < 0 || count < 0) return broken(header, 'has a header that contradicts itself');
  // Compaction leaves an empty batch for its producer's sake; without a message nobody would get past it.
  if (count === 0) return { messages: [emptied(header.context)], count: 1, inflatedBytes: 0 };
  if (count > MAX_BATCH_RECORDS) {
    const text = `holds ${count} records, more than ${MAX_BATCH_RECORDS}`;
    return refused(header, { why: 'too-large', text, bytes: header.length });
  }
  const region: Region = { bytes, start: at + HEADER_BYTES, end };
  const codec = bytes.readInt16BE(at + 21) & 7;
  if (codec !== 0 || count > RECORDS_A_TURN) return decodeSlowly(codec, region, header, place);
  try {
    checkCount(count, region);
    return read(readRecords(place.room.for(count), region, count, baseOf(header)), header, 0);
  } catch (thrown) {
    return broken(header, (thrown as Error).message);
  }
}

/** What a batch says of itself. */
interface Header {
  readonly length: number;
  readonly count: number;
  readonly lastOffsetDelta: number;
  /** The offset that it begins at, as far as that is believed; and so its context. */
  readonly first: number;
  readonly context: MutableContext;
}

/** What is to be inflated first, or takes many turns of the loop. */
async function decodeSlowly(codec: number, region: Region, header: Header, place: Place): Promise<Judged> {
  const { count } = header;
  try {
    const inflated =
      codec === 0 ? undefined : await inflate(codec, bodyOf(region), Math.max(1, Math.floor(place.maxBytes)));
    const within = inflated === undefined ? region : { bytes: inflated, start: 0, end: inflated.length };
    checkCount(count, within);
    const range = await readManyRecords(place.room.for(count), within, count, baseOf(header));
    return read(range, header, inflated?.length ?? 0);
  } catch (thrown) {
    if (!(thrown instanceof CodecError && thrown.beyond)) return broken(header, (thrown as Error).message);
    if (!place.isAlone) return undefined;
    return refused(header, { why: 'too-large', text: thrown.message, bytes: MAX_INFLATED_BYTES });
  }
}

const bodyOf = ({ bytes, start, end }: Region): Buffer => bytes.subarray(start, end);

function baseOf({ first, lastOffsetDelta, context }: Header): RecordBase {
  const { firstTimestamp = 0, appendedAt } = context;
  const dated = appendedAt === undefined ? undefined : Number(appendedAt);
  return { firstOffset: first, lastOffsetDelta, firstTimestamp, appendedAt: dated };
}

/** One message for all records; one each where they are control records, which the client and the filter of aborted ones look into. */
function read(records: RecordRange, { first, context, count }: Header, inflatedBytes: number): DecodedBatch {
  const last = records.columns.offsets[records.to - 1];
  context.lastOffsetDelta = Math.max(context.lastOffsetDelta, last - first);
  const batch = new BatchMessage(String(last), context, records);
  return { messages: context.isControlBatch ? recordsOf(batch) : [batch], count, inflatedBytes };
}

function refused({ context, count }: Header, unread: Unread): DecodedBatch {
  const messages = unreadMessages(context, count, unread);
  return { messages, count: messages.length, inflatedBytes: 0 };
}

function broken(header: Header, text: string): DecodedBatch {
  return refused(header, { why: 'batch-unreadable', text, bytes: header.length });
}

type MutableContext = { -readonly [key in keyof BatchContext]: BatchContext[key] };

/** Offsets up to here are exact as numbers, and so is what a batch adds to them. */
const MAX_OFFSET = Number.MAX_SAFE_INTEGER - 2 ** 32;

function endWithin(lastOffsetDelta: number, first: number, following: number | undefined): number {
  const isBound = following !== undefined && following > first && following <= MAX_OFFSET;
  return isBound ? Math.min(lastOffsetDelta, following - first - 1) : lastOffsetDelta;
}

function contextOf(bytes: Buffer, at: number, first: number, lastOffsetDelta: number): MutableContext {
  const attributes = bytes.readInt16BE(at + 21);
  return {
    firstOffset: String(first),
    lastOffsetDelta,
    firstTimestamp: int64(bytes, at + 27),
    appendedAt: (attributes & 8) === 0 ? undefined : String(bytes.readBigInt64BE(at + 35)),
    producerId: producerAt(bytes, at + 43),
    inTransaction: (attributes & 16) !== 0,
    isControlBatch: (attributes & 32) !== 0,
  };
}

/** As the client has it: text, and exact. */
function producerAt(bytes: Buffer, at: number): string {
  const id = int64(bytes, at);
  return String(Number.isSafeInteger(id) ? id : bytes.readBigInt64BE(at));
}

/** As near as a number comes to it; a BigInt costs ten times as much. */
function int64(bytes: Buffer, at: number): number {
  return bytes.readInt32BE(at) * 2 ** 32 + bytes.readUInt32BE(at + 4);
}
