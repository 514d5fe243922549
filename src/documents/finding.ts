/**
 * The kind of mistake, for machines; kinds are added, never renamed. file-invalid: keys, values and files of a topology, a bundle
 * or cases; schema-invalid: an .avsc; expression-invalid: a line of a bundle; model-mismatch: inputs and outputs of the model;
 * key-mismatch, output-mismatch: keys and output fields against the types that they name; golden-…: golden records.
 */
export type FindingCode =
  | 'file-invalid'
  | 'schema-invalid'
  | 'expression-invalid'
  | 'model-mismatch'
  | 'key-mismatch'
  | 'output-mismatch'
  | 'golden-invalid'
  | 'golden-missing'
  | 'golden-differs';

/** Something wrong in a file that a person wrote: where exactly, what, and the remedy. */
export interface CheckFinding {
  readonly code: FindingCode;
  readonly severity: 'error' | 'warning';
  readonly file: string;
  /** 1-based. */
  readonly line: number;
  /** 1-based. */
  readonly column: number;
  /** Dotted path of the key, `flow.latencyBudget`; empty for the whole file. */
  readonly path: string;
  readonly message: string;
  /** What to write instead. */
  readonly remedy: string;
  /** The unchanged line of the file. */
  readonly excerpt: string;
}

/** Sets the code of findings that have none yet. */
export function ofKind(code: FindingCode, findings: CheckFinding[]): void {
  for (let k = 0; k < findings.length; k++) {
    if (findings[k].code === 'file-invalid') findings[k] = { ...findings[k], code };
  }
}

const EXCERPT_WIDTH = 160;

export function hasErrors(findings: readonly CheckFinding[]): boolean {
  return findings.some((finding) => finding.severity === 'error');
}

/** Findings for people, as a compiler prints them: place, path and message; the line with a caret; the remedy. */
export function formatFindings(findings: readonly CheckFinding[]): string {
  return findings.map(formatFinding).join('\n');
}

function formatFinding(finding: CheckFinding): string {
  const place = `${finding.file}:${finding.line}:${finding.column}`;
  const warning = finding.severity === 'warning' ? 'warning: ' : '';
  const path = finding.path === '' ? '' : `${finding.path}: `;
  const lines = [`${place} ${warning}${path}${finding.message}`];
  if (finding.excerpt.trim() !== '') {
    const number = String(finding.line).padStart(5);
    const { text, caret } = window(finding.excerpt, finding.column);
    lines.push(`${number} | ${text}`, `${' '.repeat(number.length)} | ${caret}^`);
  }
  lines.push(`   ${finding.remedy}`);
  return `${lines.join('\n')}\n`;
}

/** The part of a line around a column, and the padding that puts a caret under it (tabs stay tabs, so that both lines align). */
function window(line: string, column: number): { text: string; caret: string } {
  const from = column <= EXCERPT_WIDTH ? 0 : column - 1 - EXCERPT_WIDTH / 2;
  const text = line.slice(from, from + EXCERPT_WIDTH);
  const caret = text.slice(0, column - 1 - from).replace(/[^\t]/g, ' ');
  return { text, caret };
}
