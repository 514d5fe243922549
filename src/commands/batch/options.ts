import type { FileFormat } from './formats.ts';

export interface BatchOptions {
  readonly topology: string;
  /** `.gz` and `.zst` are unpacked, `-` is standard input, `kafka:TOPIC` a topic. */
  readonly input: string;
  /** `.gz` and `.zst` are packed, `-` is standard output, `kafka:TOPIC` a topic. */
  readonly output: string;
  /** What the files are, where their names do not say it. */
  readonly inputFormat: FileFormat | undefined;
  readonly outputFormat: FileFormat | undefined;
  /** Places in the topic; undefined: all of it, as it is at the start. */
  readonly from: string | undefined;
  readonly to: string | undefined;
  readonly deadLetters: string | undefined;
  /** Folder of feature files, TABLE.jsonl[.gz]. */
  readonly features: string | undefined;
  readonly limit: number;
  /** Go on where a run before this one stood. */
  readonly resume: boolean;
  /** Where is noted how far it is; undefined: beside the output. */
  readonly bookmark: string | undefined;
  /** How often that is noted. */
  readonly bookmarkEveryMs?: number;
  /** The summary as JSON, on standard output; on standard error where the predictions go to standard output. */
  readonly json: boolean;
}
