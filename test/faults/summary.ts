/** What a long run ends with: rows, faults, invariants, duplicates, recovery times, and what did not hold. Pure. */
import type { Row } from './matrix.ts';
import type { Entry } from './report.ts';

/** A seed of the nemesis, or a suite of tests, that did not hold. */
export interface Failure {
  readonly what: string;
  /** Invariants, or what was said. */
  readonly why: string;
  /** A command that plays it again. */
  readonly again: string;
}

export interface Summary {
  readonly seconds: number;
  readonly seeds: number;
  /** Tests and seeds that reported. */
  readonly reports: number;
  readonly rows: {
    /** Something reported about them. */
    readonly run: number[];
    /** They have tests, in `npm test` or `npm run test:integration`, that report nothing here. */
    readonly elsewhere: number[];
    readonly argued: number[];
    readonly missing: number[];
  };
  readonly faults: Readonly<Record<string, number>>;
  readonly invariants: readonly string[];
  readonly duplicates: number;
  readonly recoveryMs: { readonly n: number; readonly p50: number; readonly p99: number; readonly max: number };
  /** Members of the nemesis that ended as failed and were started anew. */
  readonly restarts: number;
  readonly failures: readonly Failure[];
}

export function summarize(
  entries: readonly Entry[],
  rows: readonly Row[],
  ran: {
    readonly seconds: number;
    readonly seeds: number;
    readonly restarts: number;
    readonly failures: readonly Failure[];
  },
): Summary {
  const faults: Record<string, number> = {};
  const recoveries: number[] = [];
  const violated = entries.filter(({ violations = [] }) => violations.length > 0);
  for (const { faults: injected = {}, recoveryMs = [] } of entries) {
    for (const [kind, n] of Object.entries(injected)) faults[kind] = (faults[kind] ?? 0) + n;
    recoveries.push(...[recoveryMs].flat().filter(Number.isFinite));
  }
  recoveries.sort((a, b) => a - b);
  const at = (share: number): number =>
    Math.round(recoveries[Math.min(recoveries.length - 1, Math.floor(share * recoveries.length))] ?? Number.NaN);
  const reported = new Set(entries.flatMap((entry) => entry.rows));
  const numbers = (keep: (row: Row) => boolean): number[] => rows.filter(keep).map(({ row }) => row);
  return {
    seconds: Math.round(ran.seconds),
    seeds: ran.seeds,
    reports: entries.length,
    rows: {
      run: numbers(({ row }) => reported.has(row)),
      elsewhere: numbers(({ row, tests }) => !reported.has(row) && tests.length > 0),
      argued: numbers(({ row, tests, argued }) => !reported.has(row) && tests.length === 0 && argued !== undefined),
      missing: numbers(({ row, tests, argued }) => !reported.has(row) && tests.length === 0 && argued === undefined),
    },
    faults,
    invariants: [...new Set(entries.flatMap(({ invariants = [] }) => invariants))].sort(byNumber),
    duplicates: entries.reduce((sum, { duplicates = 0 }) => sum + duplicates, 0),
    recoveryMs: { n: recoveries.length, p50: at(0.5), p99: at(0.99), max: Math.round(recoveries.at(-1) ?? Number.NaN) },
    restarts: ran.restarts,
    failures: [
      ...ran.failures,
      ...violated.map(({ test, violations = [] }) => ({
        what: test,
        why: violations.join(', '),
        again: 'see its own test',
      })),
    ],
  };
}

export function printed(summary: Summary): string {
  const { rows, recoveryMs: r, faults, failures } = summary;
  const total = Object.values(faults).reduce((a, b) => a + b, 0);
  const lines: [string, string][] = [
    [
      'time',
      `${Math.floor(summary.seconds / 60)} min ${summary.seconds % 60} s; ${summary.seeds} seeds, ${summary.reports} reports`,
    ],
    ['rows of the matrix', `${rows.run.length} run: ${list(rows.run)}`],
    ['', `${rows.elsewhere.length} by tests that report nothing here: ${list(rows.elsewhere)}`],
    ['', `${rows.argued.length} argued: ${list(rows.argued)}; without anything: ${list(rows.missing)}`],
    ['faults injected', `${total}`],
    ...Object.entries(faults)
      .sort(([, a], [, b]) => b - a)
      .map(([kind, n]): [string, string] => ['', `${String(n).padStart(7)}  ${kind}`]),
    ['invariants checked', summary.invariants.join(' ')],
    ['duplicates', `${summary.duplicates}`],
    ['recovery', `p50 ${r.p50} ms, p99 ${r.p99} ms, max ${r.max} ms, of ${r.n}`],
    ['members restarted', `${summary.restarts}`],
    ['failed', failures.length === 0 ? 'nothing' : `${failures.length}`],
    ...failures.flatMap(({ what, why, again }): [string, string][] => [
      ['', `${what}: ${why}`],
      ['', `  again: ${again}`],
    ]),
  ];
  return `${lines.map(([name, text]) => `${name.padEnd(20)}${text}`).join('\n')}\n`;
}

const list = (numbers: readonly number[]): string => (numbers.length === 0 ? 'none' : numbers.join(' '));
const byNumber = (a: string, b: string): number => Number(a.slice(1)) - Number(b.slice(1));
