import { type Column, longColumn, numberColumn, stringColumn, vectorColumn } from '../kernel/columns.ts';
import type { ColumnWant } from './types.ts';

/** Fresh columns of `count` entries, everything missing, one a want: what `ValueDecoder.bind` takes. Text lies in `arena`. */
export function columnsOf(wants: readonly ColumnWant[], count: number, arena: Buffer): Column[] {
  return wants.map(({ kind, width }) => {
    if (kind === 'number') return numberColumn(count);
    if (kind === 'long') return longColumn(count);
    if (kind === 'string') return stringColumn(count, arena);
    return vectorColumn(count, width);
  });
}
