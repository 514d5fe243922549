import { createRedisSharedCache } from '../../adapters/redis/shared-cache.ts';
import type { StoreName, ViewSpec } from '../../kernel/cells/views.ts';
import type { ReadPlan } from '../../plan/plan.ts';
import type { Topology } from '../../plan/topology.ts';
import type { FeatureStore } from '../../ports/feature-store.ts';
import type { SharedCache } from '../../ports/shared-cache.ts';
import { createSecondLevel } from '../../stages/features/second-level.ts';
import type { KeptSettings } from '../../stages/features/second-level-rows.ts';
import type { StoreDeps } from './stores.ts';

/** Commands that only look connect anew, and can wait for the connection. */
const LOOK_TIMEOUT_MS = 2_000;

/**
 * `store` behind the second level that its reads ask for, or `store` itself if no read does or no connection is configured. With
 * `onlyLook`, nothing is written to the second level.
 */
export function withSecondLevel(
  store: FeatureStore,
  topology: Topology,
  reads: readonly Pick<ReadPlan, 'views' | 'from' | 'cache'>[],
  deps: StoreDeps & { readonly random: () => number },
  { onlyLook = false }: { readonly onlyLook?: boolean } = {},
): FeatureStore {
  const { redis } = topology.connections;
  const kept = new Map<readonly ViewSpec[], KeptSettings>(
    reads.flatMap(({ views, from, cache }) => {
      const settings = cache?.secondLevel;
      if (settings === undefined) return [];
      const timeoutMs = onlyLook ? LOOK_TIMEOUT_MS : settings.timeoutMs;
      return [[views, { ...settings, timeoutMs, store: identityOf(from, topology, deps) }] as const];
    }),
  );
  if (kept.size === 0 || redis === undefined) return store;
  const sharedCache = createRedisSharedCache(deps, redis);
  return createSecondLevel(
    { ...deps, store, sharedCache: onlyLook ? unchanged(sharedCache) : sharedCache },
    ({ views }) => kept.get(views),
  );
}

function unchanged(sharedCache: SharedCache): SharedCache {
  return { ...sharedCache, keep: () => Promise.resolve(0), mark: () => Promise.resolve() };
}

/** Keeps rows of different stores apart, even if they have the same shape. */
function identityOf(from: StoreName, { connections }: Topology, { env }: StoreDeps): string {
  const { bigtable, files } = connections;
  if (from === 'bigtable') {
    return JSON.stringify([from, bigtable?.project, bigtable?.instance, env.BIGTABLE_EMULATOR_HOST ?? '']);
  }
  return JSON.stringify([from, files?.folder]);
}
