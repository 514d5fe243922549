import { classify } from '../../kernel/errors.ts';

/**
 * Result of a check. `ok` and `note` need no action; with a `warning` the pipeline runs, but not as well as it could; a `problem`
 * prevents it from running or from being correct.
 */
export interface Diagnosis {
  readonly status: 'ok' | 'note' | 'warning' | 'problem';
  /** What was checked: `broker`, `topic`, `registry` … */
  readonly check: string;
  readonly what: string;
  /** What to do; present for every warning and problem. */
  readonly remedy?: string;
}

export function ok(check: string, what: string): Diagnosis {
  return { status: 'ok', check, what };
}

export function note(check: string, what: string, remedy?: string): Diagnosis {
  return { status: 'note', check, what, ...(remedy !== undefined && { remedy }) };
}

export function warning(check: string, what: string, remedy: string): Diagnosis {
  return { status: 'warning', check, what, remedy };
}

export function problem(check: string, what: string, remedy: string): Diagnosis {
  return { status: 'problem', check, what, remedy };
}

/** Converts a SluiceError, whose message says what happened and, after the last semicolon, what to do. */
export function failed(check: string, thrown: unknown, otherwise: string): Diagnosis {
  const { message } = classify(thrown);
  const at = message.lastIndexOf('; ');
  return at < 0 ? problem(check, message, otherwise) : problem(check, message.slice(0, at), message.slice(at + 2));
}

/** One line each: status, check, result, remedy. */
export function textOf(findings: readonly Diagnosis[]): string {
  const width = Math.max(...findings.map(({ check }) => check.length));
  return findings
    .map(({ status, check, what, remedy }) => {
      const line = `${status.padEnd(7)}  ${check.padEnd(width)}  ${what}${remedy === undefined ? '' : `; ${remedy}`}`;
      return `${line.replaceAll(/\s*\n\s*/g, ' ')}\n`;
    })
    .join('');
}

export function closing(findings: readonly Diagnosis[]): string {
  const many = (status: Diagnosis['status']): string => {
    const count = findings.filter((finding) => finding.status === status).length;
    return `${count} ${status}${count === 1 ? '' : 's'}`;
  };
  return `${many('problem')}, ${many('warning')}`;
}
