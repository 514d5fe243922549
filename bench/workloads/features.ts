/** The store's contents for the enriched workload: seeded numbers, twelve a key, in the order of its model's inputs. */
import { seeded } from '../../test/fixtures/random.ts';

const SEED = 11;
const VIEWS: readonly (readonly [string, readonly string[]])[] = [
  ['profile', ['age_days', 'tier', 'repairs', 'distance']],
  ['day', ['mean', 'spread', 'least', 'most']],
  ['week', ['mean', 'spread', 'least', 'most']],
];
export const FEATURES_A_KEY = 12;

/** By key number. */
export function featureTable(keys: number): Float64Array {
  const random = seeded(SEED);
  return Float64Array.from({ length: keys * FEATURES_A_KEY }, () => Math.round(random() * 2e6 - 1e6) / 1e6);
}

export function keyOf(number: number): string {
  return `d${String(number).padStart(6, '0')}`;
}

/** As `sluice features load` reads them. */
export function featureLines(keys: number): string {
  const table = featureTable(keys);
  let at = 0;
  return Array.from({ length: keys }, (_, number) => {
    const families = VIEWS.map(([family, columns]) => [
      family,
      Object.fromEntries(columns.map((column) => [column, table[at++]])),
    ]);
    return `${JSON.stringify({ key: keyOf(number), ...Object.fromEntries(families) })}\n`;
  }).join('');
}
