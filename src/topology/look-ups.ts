import type { TopologyFile } from './schema.ts';

/** An entry of enrich, or one of details converted to that form. */
export type LookUpEntry = TopologyFile['enrich'][number];

export interface PlacedLookUp {
  readonly list: 'enrich' | 'details';
  /** Index in its list. */
  readonly i: number;
  readonly entry: LookUpEntry;
}

/** Every entry that reads a store, with its place in the file: the same rules apply to both lists. */
export function lookUpsIn({ enrich, details }: Pick<TopologyFile, 'enrich' | 'details'>): readonly PlacedLookUp[] {
  return [
    ...enrich.map((entry, i) => ({ list: 'enrich' as const, i, entry })),
    ...details.map((entry, i) => ({ list: 'details' as const, i, entry: asEnrich(entry) })),
  ];
}

/** `null` in details corresponds to `impute` in enrich. */
export function asEnrich(entry: TopologyFile['details'][number]): LookUpEntry {
  return { ...entry, onMissing: entry.onMissing ?? 'impute' };
}
