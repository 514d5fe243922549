import { createFeatureFiles } from '../../adapters/files/feature-files.ts';
import { SluiceError } from '../../kernel/errors.ts';
import type { Plan } from '../../plan/plan.ts';
import type { FeatureStore } from '../../ports/feature-store.ts';
import type { Telemetry } from '../../ports/telemetry.ts';
import type { Io } from '../io.ts';
import { NO_STORE } from '../world/no-store.ts';
import { reach } from '../world/reach.ts';
import { createStores } from '../world/stores.ts';

/** Opens a folder of feature files; without one, the topology's own stores, if they are files or `online` is set. */
export async function openFeatures(
  plan: Plan,
  { folder, online }: { readonly folder: string | undefined; readonly online: boolean },
  { io, telemetry }: { readonly io: Io; readonly telemetry: Telemetry },
): Promise<FeatureStore> {
  if (plan.reads.length === 0) return NO_STORE;
  const tables = [...new Set(plan.reads.map(({ table }) => table))];
  if (folder !== undefined) {
    const files = createFeatureFiles({ folder, reads: plan.reads });
    await files.open(tables);
    return files;
  }
  if (!online && plan.reads.some(({ from }) => from !== 'file')) {
    throw new SluiceError(
      'usage-invalid',
      `${plan.topology.file} looks features up in ${tables.join(', ')}: give --features DIR, a folder with ${tables.map((table) => `${table}.jsonl`).join(', ')} (or .gz)`,
    );
  }
  const { clock, random, env } = io;
  const stores = createStores(plan.topology, plan.reads, { clock, telemetry, env });
  await reach({ clock, random, telemetry }, 'feature store', () => stores.open(tables));
  return stores;
}
