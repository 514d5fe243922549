import { readLines } from '../lines.ts';
import type { ReadOptions, RecordFile } from './records.ts';

/** JSON Lines: a record per line, the offset is the line's number from 0. Empty lines are skipped, keeping the numbers of the others. */
export function openLines(file: string, { stdin, onProgress, maxValueBytes }: ReadOptions): RecordFile {
  return {
    writer: undefined,
    async *runs(signal) {
      let number = 0;
      for await (const line of readLines(file, { stdin, onProgress, maxLineBytes: maxValueBytes, signal })) {
        const at = number++;
        if (typeof line === 'number' || line.length > 0) yield { offsets: [at], values: [line] };
      }
    },
  };
}
