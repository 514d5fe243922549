import type { RecordSlab } from '../../../kernel/record-slab.ts';

/** A value of a plain JSON object: numbers as they are written, so that no digit is lost. */
export type Cell = string | boolean | null | NumberText | readonly unknown[] | object;

export class NumberText {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

type Reviver = (key: string, value: unknown, context?: { readonly source?: string }) => unknown;

const KEEP_DIGITS: Reviver = (_key, value, context) =>
  typeof value === 'number' ? new NumberText(context?.source ?? String(value)) : value;

/** Row `i`, which is a JSON object, by member. */
export function rowCells(rows: RecordSlab, i: number): Readonly<Record<string, Cell>> {
  return JSON.parse(rows.arena.toString('utf8', rows.valueStart[i], rows.valueEnd[i]), KEEP_DIGITS as never);
}

/** Lists and objects as JSON again. */
export function cellText(cell: unknown): string {
  if (cell instanceof NumberText) return cell.text;
  if (Array.isArray(cell)) return `[${cell.map(cellText).join(',')}]`;
  if (typeof cell !== 'object' || cell === null) return JSON.stringify(cell);
  return `{${Object.entries(cell)
    .map(([name, value]) => `${JSON.stringify(name)}:${cellText(value)}`)
    .join(',')}}`;
}
