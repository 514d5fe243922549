import { SluiceError } from '../../kernel/errors.ts';
import type { Extent, Range, TopicLog } from '../../ports/topic-log.ts';
import { type Bound, offsetsOf, parseBound } from '../look/bounds.ts';

export interface RangeOptions {
  /** Undefined: from the beginning. */
  readonly from?: string | undefined;
  /** Exclusive; undefined: the end of the topic when the batch starts. */
  readonly to?: string | undefined;
}

/** Resolves `--from` and `--to` to offsets, in order of partition; throws `usage-invalid` if they select nothing. */
export async function rangesOf(
  { from, to }: RangeOptions,
  topic: string,
  look: { readonly log: Pick<TopicLog, 'offsetsAt'>; extents(topic: string): Promise<readonly Extent[]> },
  nowMs: number,
): Promise<ReadonlyMap<number, Range>> {
  const first = parseBound('--from', from ?? 'earliest', nowMs);
  const last = parseBound('--to', to ?? 'latest', nowMs);
  if (first.kind === 'latest') {
    throw nothing(
      '--from latest: a batch reads up to the end that the topic has at the start, so there would be nothing to read',
    );
  }
  if (last.kind === 'earliest') throw nothing('--to earliest: there is nothing before that');
  const extents = new Map((await look.extents(topic)).entries());
  const starts = await offsetsOf(first, '--from', topic, extents, look.log);
  const ends = await offsetsOf(last, '--to', topic, extents, look.log);
  if (first.kind === 'offsets' && last.kind === 'offsets') checkSame(first, last);
  const partitions = [...starts.keys()].filter((partition) => ends.has(partition)).sort((a, b) => a - b);
  const ranges = new Map<number, Range>();
  for (const partition of partitions) {
    const range = { from: starts.get(partition) as number, to: ends.get(partition) as number };
    // One offset for all partitions may lie before the start of some: their range is then empty.
    ranges.set(partition, { from: range.from, to: Math.max(range.from, range.to) });
    const isNamed = first.kind === 'offsets' || last.kind === 'offsets';
    if (isNamed && range.from > range.to) {
      throw nothing(`of ${topic}/${partition}, --from is offset ${range.from} and --to is offset ${range.to}`);
    }
  }
  if (isBackwards(first, last)) throw nothing(`--from ${from} is not before --to ${to}`);
  return ranges;
}

function isBackwards(first: Bound, last: Bound): boolean {
  if (first.kind === 'offset' && last.kind === 'offset') return first.offset >= last.offset;
  if (first.kind === 'time' && last.kind === 'time') return first.timestampMs >= last.timestampMs;
  return first.kind === 'last' && last.kind === 'last' && first.records <= last.records;
}

function checkSame(first: Bound & { kind: 'offsets' }, last: Bound & { kind: 'offsets' }): void {
  const names = (bound: typeof first): string => [...bound.offsets.keys()].sort((a, b) => a - b).join(', ');
  if (names(first) === names(last)) return;
  throw nothing(`--from names partitions ${names(first)}, and --to partitions ${names(last)}; name the same ones`);
}

function nothing(message: string): SluiceError {
  return new SluiceError('usage-invalid', `${message}; correct --from or --to (--to is not included)`);
}

/** Number of offsets; there may be fewer records, because of compaction and transaction markers. */
export function sizeOf(ranges: ReadonlyMap<number, Range>): number {
  let offsets = 0;
  for (const { from, to } of ranges.values()) offsets += to - from;
  return offsets;
}
