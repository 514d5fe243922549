import { classify } from '../../kernel/errors.ts';
import type { ReadPlan } from '../../plan/plan.ts';
import type { FeatureStore } from '../../ports/feature-store.ts';
import { type Diagnosis, failed, ok } from './finding.ts';

/** A key that no row has. */
const NO_ROW = Buffer.from('\0sluice-doctor');

/** Checks each table, with the families that its views read, by reading a row that does not exist. */
export async function checkStore(
  reads: readonly Pick<ReadPlan, 'table' | 'layout' | 'feast' | 'views' | 'rowWidth'>[],
  store: FeatureStore,
  { timeoutMs, where, key }: { readonly timeoutMs: number; readonly where: string; readonly key: string },
): Promise<Diagnosis[]> {
  const found: Diagnosis[] = [];
  try {
    for (const { table, layout, feast, views, rowWidth } of reads) {
      const families = [...new Set(views.map(({ family }) => family))];
      try {
        await store.open([table]);
        const into = {
          values: new Float64Array(rowWidth).fill(Number.NaN),
          writtenAtMs: new Float64Array(views.length),
        };
        await store.read({ table, layout, feast, keys: [NO_ROW], views, rowWidth, into, timeoutMs });
        found.push(ok('store', `table ${table} of ${where} with ${families.join(', ')} can be read`));
      } catch (thrown) {
        const failure = failed('store', thrown, `start it (${where}), or correct ${key}`);
        if (found.some(({ what }) => what === failure.what)) break;
        found.push(failure);
        // If the store is down for one table, it is for all.
        if (classify(thrown).disposition === 'retry') break;
      }
    }
  } finally {
    await store.close();
  }
  return found;
}
