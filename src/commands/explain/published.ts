import type { Topology } from '../../plan/topology.ts';
import type { LogRecord } from '../../ports/topic-log.ts';
import { readByTime } from '../look/by-time.ts';
import type { Look } from '../look/connect.ts';
import { letterOf } from '../look/dead-letter.ts';
import { plainRecord } from '../look/show.ts';
import type { Address } from './address.ts';

/** What one topic holds for an input record. */
export interface Searched {
  readonly topic: string;
  /** How many records were searched, and from what time on; ISO 8601. */
  readonly records: number;
  readonly from: string;
  /** False: the limit was reached before the end of the topic. */
  readonly complete: boolean;
  readonly found: readonly ReturnType<typeof plainRecord>[];
}

const MOST_FOUND = 10;

/**
 * Searches for what became of an input: an output by its `sluice-source`, a dead letter by its envelope. Both normally carry the
 * input's timestamp, so the search begins there; it looks at `most` records at most.
 */
export async function searchTopic(
  look: Look,
  { deadLetter }: Topology,
  topic: string,
  input: Address & { readonly timestampMs: number },
  most: number,
): Promise<Searched> {
  const extents = await look.extents(topic);
  const starts = input.timestampMs < 0 ? [] : await look.log.offsetsAt(topic, input.timestampMs);
  const ranges = new Map(
    extents.map(({ start, end }, p) => [p, { from: Math.max(start, starts[p] ?? start), to: end }]),
  );
  const source = `${input.topic}/${input.partition}/${input.offset}`;
  const isOfInput = (record: LogRecord): boolean => {
    if (topic === deadLetter.topic) {
      const letter = letterOf(record);
      if (letter !== undefined)
        return `${letter.source.topic}/${letter.source.partition}/${letter.source.offset}` === source;
    }
    return record.headers.some(({ name, value }) => name === 'sluice-source' && value?.toString('utf8') === source);
  };
  const found: Searched['found'][number][] = [];
  let records = 0;
  let complete = true;
  await readByTime(look.log, topic, ranges, async (record) => {
    if (records === most) {
      complete = false;
      return false;
    }
    records++;
    if (!isOfInput(record)) return true;
    const key = await look.values.key(record.key);
    found.push(plainRecord(topic, record, key, await look.values.value(topic, record.value)));
    complete = found.length < MOST_FOUND;
    return complete;
  });
  const from = input.timestampMs < 0 ? 'the beginning' : new Date(input.timestampMs).toISOString();
  return { topic, records, from, complete, found };
}
