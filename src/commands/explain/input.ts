import { SluiceError } from '../../kernel/errors.ts';
import type { Topology } from '../../plan/topology.ts';
import type { LogRecord } from '../../ports/topic-log.ts';
import { extentText } from '../look/bounds.ts';
import type { Look } from '../look/connect.ts';
import { letterOf, originalHeaders, sourceText } from '../look/dead-letter.ts';
import { type Address, addressText, parseAddress } from './address.ts';

/** An input record, and how it was found. */
export interface FoundInput {
  readonly at: Address;
  readonly record: LogRecord;
  /** The steps from the given address to the input, in words. */
  readonly via: readonly string[];
}

const MOST_STEPS = 4;

/** Follows `sluice-source` and `__dlq.errors.*` from any record of the pipeline back to its input. */
export async function findInput(look: Look, topology: Topology, given: Address): Promise<FoundInput> {
  const via: string[] = [];
  let at = given;
  for (let step = 0; step < MOST_STEPS; step++) {
    const record = await recordAt(look, at);
    if (topology.source.topics.includes(at.topic)) return { at, record, via };
    const letter = letterOf(record);
    const source = headerOf(record, 'sluice-source');
    if (letter !== undefined) {
      via.push(`${addressText(at)} is a dead letter (${letter.reason}) of ${sourceText(letter.source)}`);
      const { source: from } = letter;
      if (!topology.source.topics.includes(from.topic)) throw foreign(from, topology, at);
      if (await isThere(look, from)) {
        at = from;
        continue;
      }
      if (letter.withoutBody)
        throw gone(`its record is not there any more, and the dead letter ${addressText(at)} has no body`, from);
      via.push(`${addressText(from)} is not there any more: its dead letter has all of it`);
      const { timestampMs } = letter;
      return { at: from, via, record: { ...record, ...from, timestampMs, headers: originalHeaders(letter) } };
    }
    const from = source === undefined ? undefined : parseAddress(source);
    if (from === undefined) throw stranger(at, topology);
    via.push(`${addressText(at)} was made of ${addressText(from)}`);
    if (!topology.source.topics.includes(from.topic)) throw foreign(from, topology, at);
    at = from;
  }
  throw stranger(given, topology);
}

function headerOf(record: LogRecord, name: string): string | undefined {
  return record.headers.find((header) => header.name === name)?.value?.toString('utf8');
}

async function isThere(look: Look, { topic, partition, offset }: Address): Promise<boolean> {
  const extent = (await look.extents(topic))[partition];
  return extent !== undefined && offset >= extent.start && offset < extent.end;
}

/** The record at an address; if there is none, the error says what is there instead. */
async function recordAt(look: Look, at: Address): Promise<LogRecord> {
  const { topic, partition, offset } = at;
  const extents = await look.extents(topic);
  const extent = extents[partition];
  if (extent === undefined) {
    const there = extents.length === 1 ? 'partition 0 only' : `partitions 0 to ${extents.length - 1}`;
    throw new SluiceError('usage-invalid', `${addressText(at)}: topic "${topic}" has ${there}; correct the address`);
  }
  let found: LogRecord | undefined;
  if (offset >= extent.start && offset < extent.end) {
    await look.log.read(topic, partition, { from: offset, to: offset + 1 }, (record) => {
      found = record;
      return false;
    });
  }
  if (found !== undefined) return found;
  const why =
    offset < extent.start
      ? 'what is before that has expired'
      : offset >= extent.end
        ? 'what is behind that is not written yet'
        : 'at this one lies no record: it is compacted away, of a transaction that was aborted, or a mark of one';
  throw gone(`${topic}/${partition} ${extentText(extent)}; ${why}; \`sluice tail ${topic}\` shows what is there`, at);
}

function gone(why: string, at: Address): SluiceError {
  return new SluiceError('usage-invalid', `there is no record ${addressText(at)}: ${why}`);
}

function stranger(at: Address, { file, source }: Topology): SluiceError {
  return new SluiceError(
    'usage-invalid',
    `${addressText(at)} is no record of ${file}: that reads ${source.topics.join(', ')}, and the record has neither a sluice-source header nor __dlq.errors.* that lead there; give another address, or the topology that it belongs to`,
  );
}

function foreign(from: Address, { file, source }: Topology, at: Address): SluiceError {
  return new SluiceError(
    'usage-invalid',
    `${addressText(at)} was made of ${addressText(from)}, which is no input of ${file}: that reads ${source.topics.join(', ')}; give the topology that it belongs to`,
  );
}
