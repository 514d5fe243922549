/** What a fault test has to report, a JSON line each, into the file that SLUICE_FAULTS_REPORT names; nothing if it names none. */
import { appendFileSync } from 'node:fs';

export interface Entry {
  /** Rows of the fault matrix. */
  readonly rows: readonly number[];
  /** Title of the test. */
  readonly test: string;
  /** Faults that were injected, by kind. */
  readonly faults?: Readonly<Record<string, number>>;
  /** Invariants that were looked at: `I1`… */
  readonly invariants?: readonly string[];
  readonly duplicates?: number;
  /** From healing, or from the fault where it heals by itself, until things went on or the lag was drained. */
  readonly recoveryMs?: number | readonly number[];
  /** Invariants that did not hold, with the seed where there is one. */
  readonly violations?: readonly string[];
  readonly seed?: number;
}

export function record(entry: Entry): void {
  const file = process.env.SLUICE_FAULTS_REPORT;
  if (file !== undefined && file !== '') appendFileSync(file, `${JSON.stringify(entry)}\n`);
}
