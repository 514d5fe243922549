import { SluiceError } from '../../kernel/errors.ts';
import type { Extent, TopicLog } from '../../ports/topic-log.ts';
import { parseMoment } from '../look/moment.ts';

/** Where a look at a topic begins. */
export type From =
  | { readonly kind: 'earliest' | 'latest' }
  | { readonly kind: 'offset'; readonly offset: number }
  /** So many before the end of each partition. */
  | { readonly kind: 'last'; readonly records: number }
  | { readonly kind: 'time'; readonly timestampMs: number };

/** `--from`; throws `usage-invalid`. */
export function parseFrom(text: string, nowMs: number): From {
  if (text === 'earliest' || text === 'latest') return { kind: text };
  if (/^\d{1,16}$/.test(text)) return { kind: 'offset', offset: Number(text) };
  if (/^-\d{1,9}$/.test(text)) return { kind: 'last', records: Number(text.slice(1)) };
  const timestampMs = parseMoment(text, nowMs);
  if (timestampMs !== undefined) return { kind: 'time', timestampMs };
  throw new SluiceError(
    'usage-invalid',
    `--from: "${text}" is none of: earliest, latest, an offset (1200), the last so many (-20), a time ago (-10m, -2h), an ISO time (2026-01-31T12:00:00Z)`,
  );
}

/** The first offset to read, by partition. An offset that no partition has is an error, one that some have not begins where they do. */
export async function startsOf(
  from: From,
  topic: string,
  extents: ReadonlyMap<number, Extent>,
  log: Pick<TopicLog, 'offsetsAt'>,
): Promise<Map<number, number>> {
  const byTime = from.kind === 'time' ? await log.offsetsAt(topic, from.timestampMs) : [];
  if (from.kind === 'offset') checkOffset(from.offset, topic, extents);
  const startOf = (partition: number, { start, end }: Extent): number => {
    switch (from.kind) {
      case 'earliest':
        return start;
      case 'latest':
        return end;
      case 'offset':
        return Math.min(end, Math.max(start, from.offset));
      case 'last':
        return Math.max(start, end - from.records);
      case 'time':
        return byTime[partition] ?? end;
    }
  };
  return new Map([...extents].map(([partition, extent]) => [partition, startOf(partition, extent)]));
}

function checkOffset(offset: number, topic: string, extents: ReadonlyMap<number, Extent>): void {
  if ([...extents.values()].some(({ start, end }) => offset >= start && offset <= end)) return;
  const there = [...extents].map(([partition, extent]) => `${topic}/${partition} ${extentText(extent)}`).join(', ');
  throw new SluiceError(
    'usage-invalid',
    `--from: there is no offset ${offset}: ${there}; give one of these, or earliest or latest`,
  );
}

/** `holds offsets 4 to 9`, or `is empty, its next offset is 10`. */
export function extentText({ start, end }: Extent): string {
  return start === end ? `is empty, its next offset is ${end}` : `holds offsets ${start} to ${end - 1}`;
}
