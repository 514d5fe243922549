import type { CheckFinding } from '../../documents/finding.ts';
import { formatFindings } from '../../documents/finding.ts';
import type { Io } from '../io.ts';

/** What happens in `sluice dev`, in order; with `--json`, one line each on standard output. */
export type DevEvent =
  | {
      readonly event: 'listening';
      readonly env: Readonly<Record<string, string>>;
      readonly console: string | undefined;
    }
  | { readonly event: 'topics'; readonly topics: readonly string[]; readonly partitions: number }
  | { readonly event: 'schemas'; readonly subjects: readonly { readonly subject: string; readonly id: number }[] }
  | {
      readonly event: 'features';
      readonly tables: readonly { readonly table: string; readonly rows: number; readonly file: string | undefined }[];
    }
  | { readonly event: 'events'; readonly file: string; readonly lines: number; readonly topic: string }
  | { readonly event: 'event-refused'; readonly file: string; readonly line: number; readonly reason: string }
  | {
      readonly event: 'settled';
      readonly sent: number;
      readonly published: number;
      readonly deadLettered: number;
      readonly dropped: number;
      readonly notSent: number;
    }
  | {
      readonly event: 'cases';
      readonly file: string;
      readonly cases: number;
      readonly failed: readonly { readonly name: string; readonly line: number; readonly differences: unknown }[];
    }
  | { readonly event: 'note'; readonly text: string }
  | { readonly event: 'running'; readonly topology: string; readonly model: string; readonly again: boolean }
  | {
      readonly event: 'prediction';
      readonly source: string;
      readonly key: string | null;
      /** Undefined if it cannot be read. */
      readonly value: unknown;
    }
  | {
      readonly event: 'dead-letter';
      readonly source: string;
      readonly reason: string;
      readonly stage: string;
      readonly value: string | null;
    }
  | { readonly event: 'changed'; readonly files: readonly string[] }
  | { readonly event: 'findings'; readonly findings: readonly CheckFinding[] }
  | { readonly event: 'refused'; readonly reason: string }
  | { readonly event: 'failed'; readonly reason: string }
  | { readonly event: 'ended'; readonly [figure: string]: unknown };

export interface DevReport {
  /** `text`: the event for people, one or more lines; on standard error, or on standard output with `asData`. */
  tell(event: DevEvent, text: string, asData?: boolean): void;
  findings(findings: readonly CheckFinding[]): void;
}

/** Plain lines: talk on standard error, predictions and dead letters on standard output. With `json`, only events, on standard output. */
export function createDevReport({ stdout, stderr }: Pick<Io, 'stdout' | 'stderr'>, json: boolean): DevReport {
  const tell: DevReport['tell'] = (event, text, asData = false) => {
    if (json) stdout.write(`${JSON.stringify(event)}\n`);
    else if (text !== '') (asData ? stdout : stderr).write(`${text}\n`);
  };
  return {
    tell,
    findings: (findings) => tell({ event: 'findings', findings }, formatFindings(findings).trimEnd()),
  };
}
