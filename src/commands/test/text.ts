import type { Case, Difference } from '../../cases/types.ts';

export interface CaseResult {
  readonly one: Case;
  readonly differences: readonly Difference[];
  /** The results were written as expectations. */
  readonly updated: boolean;
}

/** Results of one file for people: passing cases in one line each, failing ones field by field. */
export function describeResults(file: string, results: readonly CaseResult[]): string {
  return results.map((result) => describeResult(file, result)).join('');
}

function describeResult(file: string, { one, differences, updated }: CaseResult): string {
  if (differences.length === 0) return `  ✓ ${one.name}\n`;
  const head = `  ${updated ? '↻' : '✗'} ${one.name}   ${file}:${one.line}:${one.column}\n`;
  const width = Math.max(...differences.map(({ field }) => field.length));
  const lines = differences.map(({ field, expected, got, off }) => {
    const by = off === undefined ? '' : `, off by ${Number(off.toPrecision(3))}`;
    const name = width === 0 ? '' : `${field.padEnd(width)}  `;
    return `      ${name}expected ${expected}, got ${got}${by}\n`;
  });
  return head + lines.join('');
}

export function summary(results: readonly CaseResult[]): string {
  const updated = results.filter((result) => result.updated).length;
  const failed = results.filter(({ differences }) => differences.length > 0).length - updated;
  const said = [`${results.length - failed - updated} of ${results.length} cases pass`];
  if (failed > 0)
    said.push(
      `${failed} ${failed === 1 ? 'fails' : 'fail'}: mend the bundle or the case; --update keeps what came out`,
    );
  if (updated > 0) said.push(`${updated} written as they came out: look at the difference before you keep it`);
  return said.join(', ');
}
