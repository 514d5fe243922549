import { Answered } from '../../kernel/bounded-source.ts';
import { SluiceError } from '../../kernel/errors.ts';
import type { Look } from '../look/connect.ts';
import type { Bookmark } from './bookmark.ts';

/**
 * What a killed batch published after its last bookmark, found by the headers `sluice-source` and `sluice-model` in its output topic.
 * Limits: records that the broker had received but not yet appended are missed and published twice. So are records deleted from the
 * topic since, and records behind a transaction that was open at the kill and still is, because only committed records are read.
 */
export async function answeredSince(
  look: Look,
  topic: string,
  { ends = [], name, next }: Bookmark,
  model: string,
): Promise<{ readonly answered: Answered; readonly count: number }> {
  const found = new Map<number, Set<number>>();
  let count = 0;
  for (const [partition, { start, end }] of (await look.extents(topic)).entries()) {
    const from = ends[partition] ?? start;
    if (from > end) {
      throw new SluiceError(
        'usage-invalid',
        `topic "${topic}" is not the one that this batch wrote to: partition ${partition} ends at offset ${end}, but had reached ${from}; leave out --resume to start over`,
      );
    }
    await look.log.read(topic, partition, { from: Math.max(start, from), to: end }, ({ headers }) => {
      const textOf = (wanted: string): string =>
        headers.find((header) => header.name === wanted)?.value?.toString('utf8') ?? '';
      const source = textOf('sluice-source');
      if (!source.startsWith(`${name}/`) || textOf('sluice-model') !== model) return true;
      const [input, offset] = source
        .slice(name.length + 1)
        .split('/')
        .map(Number);
      if (next[input] === undefined || !(offset >= next[input])) return true;
      const offsets = found.get(input) ?? new Set<number>();
      found.set(input, offsets);
      if (!offsets.has(offset)) count++;
      offsets.add(offset);
      return true;
    });
  }
  return { answered: new Answered(found), count };
}
