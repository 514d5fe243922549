import { SluiceError } from '../../kernel/errors.ts';
import type { Extent, TopicLog } from '../../ports/topic-log.ts';
import { parseMoment } from './moment.ts';

/** A place in every partition of a topic, from `--from` or `--to`. */
export type Bound =
  | { readonly kind: 'earliest' | 'latest' }
  | { readonly kind: 'offset'; readonly offset: number }
  /** By partition; partitions without an entry are excluded. */
  | { readonly kind: 'offsets'; readonly offsets: ReadonlyMap<number, number> }
  /** This many records before the end of each partition. */
  | { readonly kind: 'last'; readonly records: number }
  | { readonly kind: 'time'; readonly timestampMs: number };

export type BoundOption = '--from' | '--to';

const FORMS =
  'earliest, latest, an offset (1200), offsets by partition (0:1200,1:1350), the last so many (-20), a time ago (-10m, -2h), an ISO time (2026-01-31T12:00:00Z)';

/** Parses `--from` or `--to`; throws `usage-invalid`. */
export function parseBound(option: BoundOption, text: string, nowMs: number): Bound {
  if (text === 'earliest' || text === 'latest') return { kind: text };
  if (/^\d{1,16}$/.test(text)) return { kind: 'offset', offset: Number(text) };
  if (/^-\d{1,9}$/.test(text)) return { kind: 'last', records: Number(text.slice(1)) };
  if (/^\d{1,9}:\d{1,16}(,\d{1,9}:\d{1,16})*$/.test(text)) return { kind: 'offsets', offsets: offsetsIn(option, text) };
  const timestampMs = parseMoment(text, nowMs);
  if (timestampMs !== undefined) return { kind: 'time', timestampMs };
  throw new SluiceError('usage-invalid', `${option}: "${text}" is none of: ${FORMS}`);
}

function offsetsIn(option: BoundOption, text: string): ReadonlyMap<number, number> {
  const offsets = new Map<number, number>();
  for (const each of text.split(',')) {
    const [partition, offset] = each.split(':').map(Number);
    if (offsets.has(partition)) {
      throw new SluiceError(
        'usage-invalid',
        `${option}: "${text}" names partition ${partition} twice; give one offset`,
      );
    }
    offsets.set(partition, offset);
  }
  return offsets;
}

/**
 * Resolves a bound to offsets, for the partitions that it includes. An offset for all partitions is clamped to the range of each, and is an
 * error if it is outside all of them; an offset for a named partition must exist in it.
 */
export async function offsetsOf(
  bound: Bound,
  option: BoundOption,
  topic: string,
  extents: ReadonlyMap<number, Extent>,
  log: Pick<TopicLog, 'offsetsAt'>,
): Promise<Map<number, number>> {
  if (bound.kind === 'offsets') return namedOffsets(bound.offsets, option, topic, extents);
  const byTime = bound.kind === 'time' ? await log.offsetsAt(topic, bound.timestampMs) : [];
  if (bound.kind === 'offset') checkOffset(bound.offset, option, topic, extents);
  const offsetOf = (partition: number, { start, end }: Extent): number => {
    switch (bound.kind) {
      case 'earliest':
        return start;
      case 'latest':
        return end;
      case 'offset':
        return Math.min(end, Math.max(start, bound.offset));
      case 'last':
        return Math.max(start, end - bound.records);
      case 'time':
        return byTime[partition] ?? end;
    }
  };
  return new Map([...extents].map(([partition, extent]) => [partition, offsetOf(partition, extent)]));
}

function namedOffsets(
  offsets: ReadonlyMap<number, number>,
  option: BoundOption,
  topic: string,
  extents: ReadonlyMap<number, Extent>,
): Map<number, number> {
  for (const [partition, offset] of offsets) {
    const extent = extents.get(partition);
    if (extent === undefined) {
      throw noPartition(option, topic, partition, extents.size);
    }
    if (offset < extent.start || offset > extent.end) {
      throw new SluiceError(
        'usage-invalid',
        `${option}: there is no offset ${offset} in ${topic}/${partition}, which ${extentText(extent)}; give one of these`,
      );
    }
  }
  return new Map(offsets);
}

function checkOffset(offset: number, option: BoundOption, topic: string, extents: ReadonlyMap<number, Extent>): void {
  if ([...extents.values()].some(({ start, end }) => offset >= start && offset <= end)) return;
  const there = [...extents].map(([partition, extent]) => `${topic}/${partition} ${extentText(extent)}`).join(', ');
  throw new SluiceError(
    'usage-invalid',
    `${option}: there is no offset ${offset}: ${there}; give one of these, or earliest or latest`,
  );
}

/** `holds offsets 4 to 9`, or `is empty, its next offset is 10`. */
export function extentText({ start, end }: Extent): string {
  return start === end ? `is empty, its next offset is ${end}` : `holds offsets ${start} to ${end - 1}`;
}

export function noPartition(option: string, topic: string, partition: number, count: number): SluiceError {
  const there = count === 1 ? 'it has partition 0 only' : `it has partitions 0 to ${count - 1}`;
  return new SluiceError('usage-invalid', `${option}: topic "${topic}" has no partition ${partition}; ${there}`);
}
