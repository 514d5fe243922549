import type { RecordRange } from '../../kernel/record-columns.ts';
import { CodecError, inflate, MAX_INFLATED_BYTES } from './codecs.ts';
import { FRONT_BYTES, HEADER_BYTES, Room } from './column-room.ts';
import { crc32c } from './crc32c.ts';
import type { BatchContext, FetchedMessage, Unread } from './internals.ts';
import { BatchMessage, recordsOf } from './record-messages.ts';
import { checkCount, RECORDS_A_TURN, type RecordBase, readManyRecords, readRecords } from './records.ts';
import { brokenSet, emptied, standIns } from './stand-ins.ts';

/**
 * What a fetch brought for one partition → one message a record batch, with its records as columns; in place of the client's
 * decoder, which gives one a record (client-fetch.ts says who sees what). No bytes that a producer, or a
 * broken disk, can put into a partition make it throw: a batch that cannot be read comes as messages without a body
 * (`unread`), one an offset where their number is known, and the partition goes on behind it. Offsets only ascend, and where a
 * batch ends is believed only up to where the next one begins: a header that lies makes no record be skipped or come twice.
 *
 * The client's decoder: one batch that fails to decode fails the fetch of all partitions, again and again → the group
 * stands still or the process ends, for ever; batches of 120,000 records overflow the stack; headers are put together in
 * quadratic time, so that one record of a megabyte holds the loop for minutes; no checksum is looked at; codecs 5 to 7 are
 * read as none; an empty batch that compaction left is never got past. Hence this.
 *
 * Limits: one response brings at most MAX_FETCH_BYTES of inflated batches and MAX_FETCH_RECORDS records, what is behind
 * them is fetched again (a partition may use half of what is left, so that one does not starve the others); of a batch with
 * more than MAX_BATCH_RECORDS records, or whose header cannot be believed, one message stands for all. Where the first batch of a
 * fetch begins, and where a damaged one ends that is a fetch of its own, nobody else says.
 */
/** One fetch from one broker, as it comes. */
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

/** What one response may still bring. */
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
  return decodeBatches(bytes, budget);
}

export function freshBudget(): Budget {
  return { bytes: MAX_FETCH_BYTES, records: MAX_FETCH_RECORDS };
}

/** Batches one after the other; the last may be cut off by the size of the fetch. */
export async function decodeBatches(bytes: Buffer, budget: Budget): Promise<readonly FetchedMessage[]> {
  const isFirst = budget.bytes === MAX_FETCH_BYTES && budget.records === MAX_FETCH_RECORDS;
  const share: Budget = { bytes: budget.bytes / 2, records: budget.records / 2 };
  const messages: FetchedMessage[] = [];
  const room = new Room(bytes);
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
      following: at + length + 8 <= bytes.length ? Number(bytes.readBigInt64BE(at + length)) : undefined,
    };
    const decoded = decodeBatch(bytes.subarray(at, at + length), place);
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

/** Where in a fetch a batch lies. */
interface Place {
  readonly room: Room;
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

/** Undefined where it is left for the next fetch: its budget, or what else lies there, may then tell more. */
type Judged = DecodedBatch | undefined;

function decodeBatch(batch: Buffer, place: Place): Judged | Promise<Judged> {
  const { isAlone, least } = place;
  const { firstOffset, ...context } = contextOf(batch);
  const said = Number(firstOffset);
  // A base offset is in front of what the checksum covers.
  const goesBack = least !== undefined && !(said >= least && said <= MAX_OFFSET);
  const first = goesBack ? least : said;
  const bounded = endWithin(context.lastOffsetDelta, first, place.following);
  const believed: MutableContext = { ...context, firstOffset: String(first), lastOffsetDelta: bounded };
  const count = batch.readInt32BE(57);
  const refuse = (unread: Unread): DecodedBatch => {
    const messages = standIns(believed, count, unread);
    return { messages, count: messages.length, inflatedBytes: 0 };
  };
  const broken = (text: string): DecodedBatch => refuse({ why: 'batch-unreadable', text, bytes: batch.length });
  const isKnown = batch[16] === 2;
  if (!isKnown || batch.readUInt32BE(17) !== crc32c(batch, 21, batch.length)) {
    // A fetch that begins with it shows what follows it, if anything does.
    if (place.following === undefined && !place.isFirst) return undefined;
    return broken(isKnown ? 'does not fit its checksum' : `has format ${batch[16]}, which nobody knows`);
  }
  if (goesBack) return broken(`begins at ${said}, before the end of the one in front of it`);
  if (context.lastOffsetDelta < 0 || count < 0) return broken('has a header that contradicts itself');
  // Compaction leaves an empty batch for its producer's sake; without a message nobody would get past it.
  if (count === 0) return { messages: [emptied(believed)], count: 1, inflatedBytes: 0 };
  if (count > MAX_BATCH_RECORDS) {
    return refuse({
      why: 'too-large',
      text: `holds ${count} records, more than ${MAX_BATCH_RECORDS}`,
      bytes: batch.length,
    });
  }
  const base: RecordBase = {
    firstOffset: first,
    lastOffsetDelta: context.lastOffsetDelta,
    firstTimestamp: context.firstTimestamp ?? 0,
    appendedAt: context.appendedAt === undefined ? undefined : Number(context.appendedAt),
  };
  const decoded = (range: RecordRange, inflatedBytes: number): DecodedBatch => {
    const last = range.columns.offsets[range.to - 1];
    believed.lastOffsetDelta = Math.max(bounded, last - first);
    return { messages: messagesOfBatch(range, believed), count, inflatedBytes };
  };
  const failed = (thrown: unknown): Judged => {
    if (!(thrown instanceof CodecError)) return broken((thrown as Error).message);
    if (!thrown.beyond) return broken(thrown.message);
    if (!isAlone) return undefined;
    return refuse({ why: 'too-large', text: thrown.message, bytes: MAX_INFLATED_BYTES });
  };
  const body = batch.subarray(HEADER_BYTES);
  const codec = batch.readInt16BE(21) & 7;
  if (codec === 0 && count <= RECORDS_A_TURN) {
    try {
      checkCount(count, body);
      return decoded(readRecords(place.room.for(count), body, count, base), 0);
    } catch (thrown) {
      return failed(thrown);
    }
  }
  return decodeSlowly(codec, body, count, base, place).then(
    (range) => decoded(range, codec === 0 ? 0 : range.bytes.length),
    failed,
  );
}

/** What is to be inflated first, or takes many turns of the loop. */
async function decodeSlowly(
  codec: number,
  body: Buffer,
  count: number,
  base: RecordBase,
  { room, maxBytes }: Place,
): Promise<RecordRange> {
  const records = codec === 0 ? body : await inflate(codec, body, Math.max(1, Math.floor(maxBytes)));
  checkCount(count, records);
  return readManyRecords(room.for(count), records, count, base);
}

/** One message for all records; one each where they are control records, which the client and the filter of aborted ones look into. */
function messagesOfBatch(records: RecordRange, context: BatchContext): FetchedMessage[] {
  const batch = new BatchMessage(String(records.columns.offsets[records.to - 1]), context, records);
  return context.isControlBatch ? recordsOf(batch) : [batch];
}

type MutableContext = { -readonly [key in keyof BatchContext]: BatchContext[key] };

/** Offsets up to here are exact as numbers, and so is what a batch adds to them. */
const MAX_OFFSET = Number.MAX_SAFE_INTEGER - 2 ** 32;

function endWithin(lastOffsetDelta: number, first: number, following: number | undefined): number {
  const isBound = following !== undefined && following > first && following <= MAX_OFFSET;
  return isBound ? Math.min(lastOffsetDelta, following - first - 1) : lastOffsetDelta;
}

function contextOf(batch: Buffer): BatchContext {
  const attributes = batch.readInt16BE(21);
  return {
    firstOffset: int64(batch, 0),
    lastOffsetDelta: batch.readInt32BE(23),
    firstTimestamp: Number(int64(batch, 27)),
    appendedAt: (attributes & 8) === 0 ? undefined : int64(batch, 35),
    producerId: int64(batch, 43),
    inTransaction: (attributes & 16) !== 0,
    isControlBatch: (attributes & 32) !== 0,
  };
}

/** As the client has it. Numbers as large as most are need no BigInt, which costs ten times as much. */
function int64(bytes: Buffer, at: number): string {
  const high = bytes.readInt32BE(at);
  const isExact = high >= -0x20_0000 && high < 0x20_0000;
  return String(isExact ? high * 2 ** 32 + bytes.readUInt32BE(at + 4) : bytes.readBigInt64BE(at));
}
