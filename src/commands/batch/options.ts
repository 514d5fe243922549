import type { FileFormat } from './formats.ts';

export interface BatchOptions {
  readonly topology: string;
  /** `.gz` and `.zst` are decompressed; `-` is standard input, `kafka:TOPIC` a topic. */
  readonly input: string;
  /** `.gz` and `.zst` are compressed; `-` is standard output, `kafka:TOPIC` a topic. */
  readonly output: string;
  /** Formats of the files, if their names do not tell. */
  readonly inputFormat: FileFormat | undefined;
  readonly outputFormat: FileFormat | undefined;
  /** Range of the topic; undefined: everything in it at the start. */
  readonly from: string | undefined;
  readonly to: string | undefined;
  readonly deadLetters: string | undefined;
  /** Folder of feature files, TABLE.jsonl[.gz]. */
  readonly features: string | undefined;
  readonly limit: number;
  /** Resume an earlier run. */
  readonly resume: boolean;
  /** Where the bookmark is kept; undefined: beside the output. */
  readonly bookmark: string | undefined;
  /** How often the bookmark is written. */
  readonly bookmarkEveryMs?: number;
  /** Write the summary as JSON to standard output, or to standard error if predictions go to standard output. */
  readonly json: boolean;
}
