import { isExact } from '../../adapters/files/feature-files.ts';
import type { Age } from '../../cases/schema.ts';
import type { Case } from '../../cases/types.ts';
import type { FeatureStore } from '../../ports/feature-store.ts';

/**
 * A store with the feature rows of the current case. Promise: answers as Bigtable does after `features load`: numbers are rounded to
 * float32 like floats in cells, integers and text are not; a view exists if any number of its cell does (packed: of its family); its
 * age is the one given in the case.
 */
export function createCaseStore(current: () => { readonly one: Case; readonly nowMs: number }): FeatureStore {
  return {
    open: () => Promise.resolve(),
    async read({ table, layout, keys, views, rowWidth, into }) {
      const { one, nowMs } = current();
      const rows = one.features[table] ?? {};
      const ages = one.ages[table] ?? {};
      keys.forEach((key, k) => {
        const row = own(rows, key.toString('utf8'));
        if (row === undefined || row === null) return;
        views.forEach((view, v) => {
          const { family, columns } = view;
          const cells = own(row, family);
          if (cells === undefined) return;
          const kept = (number: number): number => (isExact(view) ? number : Math.fround(number));
          let any = layout === 'packed' && Object.values(cells).some(hasNumber);
          for (const { name, offset } of columns) {
            const numbers = own(cells, name);
            if (numbers === undefined) continue;
            any ||= hasNumber(numbers);
            into.values.set([numbers].flat().map(kept), k * rowWidth + offset);
          }
          // 0 would mean that the store does not know.
          if (any) into.writtenAtMs[k * views.length + v] = Math.max(1, writtenAtMs(own(ages, family), nowMs));
        });
      });
    },
    close: () => Promise.resolve(),
  };
}

function writtenAtMs(age: Age | undefined, nowMs: number): number {
  if (age === undefined) return nowMs;
  return 'atMs' in age ? age.atMs : nowMs - age.agoMs;
}

function hasNumber(numbers: number | readonly number[]): boolean {
  return [numbers].flat().some((number) => !Number.isNaN(number));
}

function own<Value>(map: Readonly<Record<string, Value>>, name: string): Value | undefined {
  return Object.hasOwn(map, name) ? map[name] : undefined;
}
