import type { TopologyFile } from './schema.ts';

/** An entry of enrich or of details, in the words of enrich. */
export type LookUpEntry = TopologyFile['enrich'][number];

export interface PlacedLookUp {
  readonly list: 'enrich' | 'details';
  /** Index in its list. */
  readonly i: number;
  readonly entry: LookUpEntry;
}

/** Every entry that reads a store, with its place in the file: what holds for one list holds for the other. */
export function lookUpsIn({ enrich, details }: Pick<TopologyFile, 'enrich' | 'details'>): readonly PlacedLookUp[] {
  return [
    ...enrich.map((entry, i) => ({ list: 'enrich' as const, i, entry })),
    ...details.map((entry, i) => ({ list: 'details' as const, i, entry: asEnrich(entry) })),
  ];
}

/** What details write as null is what the bundle may impute. */
export function asEnrich(entry: TopologyFile['details'][number]): LookUpEntry {
  return { ...entry, onMissing: entry.onMissing ?? 'impute' };
}
