import { statSync } from 'node:fs';
import { SluiceError } from '../../kernel/errors.ts';
import type { Extent } from '../../ports/topic-log.ts';
import { extentText } from '../look/bounds.ts';
import { type Bookmark, type BookmarkPlace, readBookmark } from './bookmark.ts';
import { settledOf } from './counts.ts';
import { type Ends, endText } from './endpoints.ts';
import { checkIdentity, type Identity } from './identity.ts';

export interface ResumeOptions extends Ends {
  readonly resume: boolean;
  readonly deadLetters: string | undefined;
}

/** The bookmark to resume from, checked on its own; undefined: start anew. Throws `usage-invalid` if it cannot be resumed. */
export function savedBookmark(place: BookmarkPlace, { resume, output }: ResumeOptions): Bookmark | undefined {
  if (!resume) return undefined;
  if ('none' in place) throw new SluiceError('usage-invalid', `--resume: ${place.none}`);
  const saved = readBookmark(place.file);
  if (saved !== undefined || output.kind === 'topic') return saved;
  const size = statSync(output.file, { throwIfNoEntry: false })?.size ?? 0;
  if (size === 0) return undefined;
  throw new SluiceError(
    'usage-invalid',
    `--resume: ${output.file} has no ${place.file} beside it: it is complete, or no batch wrote it; leave out --resume to write it again`,
  );
}

/** Whether a run with this limit has nothing left to do: the input has ended, or the limit was reached. */
export function isDone({ whole = false, counts, limit: before = Number.POSITIVE_INFINITY }: Bookmark, limit: number) {
  const settled = settledOf(counts);
  return whole && (settled < before || settled >= limit);
}

/** Offsets of the topic after the range that a batch read. */
export function offsetsBehind({ ranges = {} }: Bookmark, extents: readonly Extent[]): number {
  let offsets = 0;
  for (const [partition, { to }] of Object.entries(ranges))
    offsets += Math.max(0, (extents[Number(partition)]?.end ?? 0) - to);
  return offsets;
}

/** Checks that nothing the bookmark depends on has changed; throws `usage-invalid` that names what has. */
export function checkResume(saved: Bookmark, is: Identity, file: string, options: ResumeOptions): void {
  const what = endText(options.output);
  checkIdentity(saved.identity, is, { file, what });
  for (const [path, bytes] of [
    [options.output.kind === 'file' ? options.output.file : undefined, saved.keep.output],
    [options.deadLetters, saved.keep.deadLetters],
  ] as const) {
    if (path === undefined || bytes === 0) continue;
    const size = statSync(path, { throwIfNoEntry: false })?.size;
    if (size !== undefined && size >= bytes) continue;
    const has = size === undefined ? 'no longer exists' : `has ${size} bytes`;
    throw new SluiceError(
      'usage-invalid',
      `cannot resume ${what}: ${path} ${has}, but the batch had written ${bytes} bytes, according to ${file}; restore it, or leave out --resume to start over`,
    );
  }
}

/** Checks that everything still to be read is in the topic. */
export function checkRest(saved: Bookmark, topic: string, extents: readonly Extent[]): void {
  for (const [partition, { to }] of Object.entries(saved.ranges ?? {})) {
    const next = saved.next[partition];
    const extent = extents[Number(partition)];
    if (next >= to || (extent !== undefined && next >= extent.start && to <= extent.end)) continue;
    const there = extent === undefined ? 'no longer exists' : extentText(extent);
    throw new SluiceError(
      'usage-invalid',
      `cannot resume: offsets ${next} to ${to - 1} of ${topic}/${partition} are still to be read, but it ${there}; leave out --resume to start over with what there is`,
    );
  }
}
