import type { Clock } from '../../kernel/clock.ts';
import type { Credit } from '../../kernel/credit.ts';
import type { Source } from '../../ports/source.ts';
import { createFileSource } from './batch/file-source.ts';
import { openLines } from './batch/line-records.ts';

export interface JsonlSourceOptions {
  /** JSON Lines; `.gz` and `.zst` are unpacked on the way. */
  readonly file: string;
  /** Read instead of the file, whose name is then but a name. */
  readonly stdin?: NodeJS.ReadableStream | undefined;
  /** A frame has at most so many, and never more than the credit. */
  readonly frameRecords: number;
  /** Stop after this many records. */
  readonly limit: number;
  /** Called now and then with the bytes of the file read so far. */
  readonly onProgress: (readBytes: number) => void;
}

/** A file of JSON Lines as a source: a record a line, the offset is the line number from 0; empty lines are skipped, keeping the numbers of the others. */
export function createJsonlSource(
  deps: { readonly clock: Clock; readonly credit: Credit },
  { file, stdin, onProgress, frameRecords, limit }: JsonlSourceOptions,
): Source {
  const lines = openLines(file, { stdin, onProgress, maxValueBytes: deps.credit.maxBytes });
  return createFileSource(deps, lines, { name: file, frameRecords, limit });
}
