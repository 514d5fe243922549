import type { ViewRef } from '../features/types.ts';
import type { EnrichSettings, ViewSettings } from '../plan/topology.ts';

/** One look-up for each record, its key still as text. */
export interface MergedRead {
  readonly from: EnrichSettings['from'];
  readonly table: string;
  readonly key: string;
  readonly layout: EnrichSettings['layout'];
  readonly feast?: EnrichSettings['feast'];
  readonly views: readonly ViewSettings[];
  readonly rowWidth: number;
  /** By view. */
  readonly onMissing: readonly EnrichSettings['onMissing'][];
  readonly cache: EnrichSettings['cache'];
  /** Index of the topology's first entry with this read. */
  readonly entry: number;
}

/** Entries with the same table, key and layout become one read; their columns are laid out again over the merged row. */
export function mergeReads(enrich: readonly EnrichSettings[]): readonly MergedRead[] {
  const groups = new Map<string, number[]>();
  enrich.forEach((entry, i) => {
    const same = JSON.stringify([entry.from, entry.table, entry.key, entry.layout, entry.feast]);
    groups.set(same, [...(groups.get(same) ?? []), i]);
  });
  return [...groups.values()].map((indexes) => {
    const entries = indexes.map((i) => enrich[i]);
    const [{ from, table, key, layout, feast }] = entries;
    let offset = 0;
    const views = entries
      .flatMap((entry) => entry.views)
      .map((view) => {
        const columns = view.columns.map((column) => {
          const moved = { ...column, offset };
          offset += column.width;
          return moved;
        });
        return { ...view, columns };
      });
    return {
      from,
      table,
      key,
      layout,
      ...(feast !== undefined && { feast }),
      views,
      rowWidth: offset,
      onMissing: entries.flatMap((entry) => entry.views.map(() => entry.onMissing)),
      cache: entries.find((entry) => entry.cache !== undefined)?.cache,
      entry: indexes[0],
    };
  });
}

/** What view names mean in expressions. */
export function viewScope(reads: readonly MergedRead[]): ReadonlyMap<string, ViewRef> {
  const scope = new Map<string, ViewRef>();
  reads.forEach(({ views, rowWidth, onMissing }, read) => {
    views.forEach((spec, view) => {
      scope.set(spec.name, { read, view, viewsInRead: views.length, rowWidth, spec, onMissing: onMissing[view] });
    });
  });
  return scope;
}
