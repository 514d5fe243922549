import { closeSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { SluiceError } from '../../kernel/errors.ts';
import type { Range } from '../../ports/topic-log.ts';
import type { Ends } from './endpoints.ts';

/** Counts of records by fate. */
export interface Counts {
  readonly published: number;
  readonly 'dead-lettered': number;
  readonly dropped: number;
  /** Dead letters by reason. */
  readonly reasons: Readonly<Record<string, number>>;
}

/**
 * How far a batch has come: every record before `next` is settled, and its output is within the first `keep` bytes of the files, or
 * before `ends` in the output topic. A resumed run truncates the files to those lengths.
 */
export interface Bookmark {
  readonly form: typeof FORM;
  /** What must not change between runs, as readable text: topology, model, input, … */
  readonly identity: Readonly<Record<string, string>>;
  /** The input's name in output headers. */
  readonly name: string;
  /** Partition → next offset. */
  readonly next: Readonly<Record<string, number>>;
  /** For a topic: the range of each partition to read. */
  readonly ranges?: Readonly<Record<string, Range>> | undefined;
  /** Bytes or offsets read so far; approximate for files. */
  readonly read: number;
  readonly keep: { readonly output: number; readonly deadLetters: number };
  /** End offsets by partition of the output topic. */
  readonly ends?: readonly number[] | undefined;
  readonly counts: Counts;
  /** The `--limit` of the run that wrote it; undefined: to the end of the input. */
  readonly limit?: number | undefined;
  /** Nothing is left to do. The bookmark is kept if `--resume` was given, so that a loop that restarts the batch can stop. */
  readonly whole?: boolean;
}

export const FORM = 'sluice batch, 1';

/** Where a batch keeps its bookmark, or why it has none. */
export type BookmarkPlace = { readonly file: string } | { readonly none: string };

export interface BookmarkOptions extends Ends {
  readonly outputFormat: string;
  /** Instead of the one beside the output. */
  readonly bookmark?: string | undefined;
}

export function bookmarkPlace({ input, output, outputFormat, bookmark }: BookmarkOptions): BookmarkPlace {
  if (input.kind === 'file' && !mayBeRegular(input.file)) {
    return { none: `${input.file === '-' ? 'standard input' : input.file} can be read once only; give a file` };
  }
  if (output.kind === 'topic') {
    if (bookmark !== undefined) return { file: bookmark };
    return {
      none: 'of a batch into a topic nothing is noted unless it is said where; give --bookmark FILE, at the first run too',
    };
  }
  if (!mayBeRegular(output.file)) {
    return { none: `${output.file === '-' ? 'standard output' : output.file} cannot be gone on with; give a file` };
  }
  if (outputFormat === 'parquet') {
    return {
      none: `${output.file} is Parquet, which nobody can read before its last byte is written; give an output that can be gone on with (.avro, .csv, JSON Lines, .gz and .zst too)`,
    };
  }
  return { file: bookmark ?? `${output.file}.bookmark` };
}

function mayBeRegular(file: string): boolean {
  return file !== '-' && (statSync(file, { throwIfNoEntry: false })?.isFile() ?? true);
}

/** Undefined if there is none. */
export function readBookmark(file: string): Bookmark | undefined {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new SluiceError('file-invalid', `cannot read ${file}: ${(thrown as Error).message}`, thrown);
  }
  const found = parsed(text);
  if (found !== undefined) return found;
  throw new SluiceError(
    'file-invalid',
    `${file} is not a bookmark of this version of batch; remove it, and leave out --resume to start over`,
  );
}

function parsed(text: string): Bookmark | undefined {
  try {
    const found = JSON.parse(text) as Bookmark;
    return found.form === FORM ? found : undefined;
  } catch {
    return undefined;
  }
}

/** Writes atomically; on disk when it returns. */
export function writeBookmark(file: string, bookmark: Bookmark): void {
  const next = `${file}.new`;
  try {
    const disk = openSync(next, 'w');
    try {
      writeFileSync(disk, `${JSON.stringify(bookmark, undefined, 2)}\n`);
      fsyncSync(disk);
    } finally {
      closeSync(disk);
    }
    renameSync(next, file);
  } catch (thrown) {
    throw new SluiceError(
      'file-failed',
      `cannot write ${file}, which says how far the batch is: ${(thrown as Error).message}; make room for it, or name another by --bookmark`,
      thrown,
    );
  }
}

export function removeBookmark(file: string): void {
  for (const each of [file, `${file}.new`]) rmSync(each, { force: true });
}
