import type { protos } from '@google-cloud/bigtable-api';
import type { Layout, ViewSpec } from '../../kernel/cells/views.ts';

export type RowFilter = protos.google.bigtable.v2.IRowFilter;

/** The families (and with a cell per column, the columns) that are asked for, the latest cell of each column. */
export function filterOf(layout: Layout, views: readonly ViewSpec[]): RowFilter {
  const anyOf = (names: readonly string[]): string =>
    [...new Set(names)].map((name) => name.replace(/[^\w]/gu, '\\$&')).join('|');
  const filters: RowFilter[] = [{ familyNameRegexFilter: anyOf(views.map(({ family }) => family)) }];
  if (layout === 'cells') {
    const names = views.flatMap(({ columns }) => columns.map(({ name }) => Buffer.from(name).toString('latin1')));
    filters.push({ columnQualifierRegexFilter: Buffer.from(anyOf(names), 'latin1') });
  }
  filters.push({ cellsPerColumnLimitFilter: 1 });
  return { chain: { filters } };
}
