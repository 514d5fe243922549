import { createBigtableStore } from '../../adapters/bigtable/store.ts';
import { createBigtableWriter } from '../../adapters/bigtable/writer.ts';
import { createFeatureFiles } from '../../adapters/files/feature-files.ts';
import { createRedisStore } from '../../adapters/redis/store.ts';
import { createRedisWriter } from '../../adapters/redis/writer.ts';
import type { StoreName } from '../../kernel/cells/views.ts';
import type { Clock } from '../../kernel/clock.ts';
import { SluiceError } from '../../kernel/errors.ts';
import type { ReadPlan } from '../../plan/plan.ts';
import type { Connections, Topology } from '../../plan/topology.ts';
import type { FeatureRead, FeatureStore, FeatureWriter } from '../../ports/feature-store.ts';
import type { Telemetry } from '../../ports/telemetry.ts';
import { NO_STORE } from './no-store.ts';

/** Makes the feature stores that a topology names, and combines them into one. */

export interface StoreDeps {
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  readonly env: Readonly<Record<string, string | undefined>>;
}

export type StoreRead = Pick<ReadPlan, 'from' | 'table' | 'views'>;

/** The key of `connections` that says where a store is. */
const CONNECTION: Readonly<Record<StoreName, keyof Connections>> = {
  bigtable: 'bigtable',
  redis: 'redis',
  file: 'files',
};

export function connectionOf(from: StoreName): keyof Connections {
  return CONNECTION[from];
}

export function connectionKey(from: StoreName): string {
  return `connections.${connectionOf(from)}`;
}

/** In the order in which the topology first names them. */
export function storesOf(reads: readonly { readonly from: StoreName }[]): readonly StoreName[] {
  return [...new Set(reads.map(({ from }) => from))];
}

/** For people, after the store's name. */
export function whereIs(from: StoreName, { connections }: Topology, { env }: Pick<StoreDeps, 'env'>): string {
  const { bigtable, redis, files } = connections;
  if (from === 'redis') return `at ${redis?.nodes.map(({ host, port }) => `${host}:${port}`).join(',')}`;
  if (from === 'file') return `folder ${files?.folder}`;
  const instance = `${bigtable?.project}/${bigtable?.instance}`;
  const host = env.BIGTABLE_EMULATOR_HOST;
  return host ? `${instance} on the emulator at ${host}` : instance;
}

export interface StoreOptions {
  readonly openTimeoutMs?: number;
  /** Changed files are reloaded: for long runs, whose answers for a key may change. */
  readonly reloadFiles?: boolean;
}

export function createStore(
  from: StoreName,
  topology: Topology,
  reads: readonly StoreRead[],
  deps: StoreDeps,
  { openTimeoutMs, reloadFiles = false }: StoreOptions = {},
): FeatureStore {
  const { bigtable, redis, files } = topology.connections;
  const options = openTimeoutMs === undefined ? {} : { openTimeoutMs };
  if (from === 'bigtable' && bigtable !== undefined) {
    const emulatorHost = deps.env.BIGTABLE_EMULATOR_HOST || undefined;
    return createBigtableStore(deps, { ...bigtable, emulatorHost, ...options });
  }
  if (from === 'redis' && redis !== undefined) return createRedisStore(deps, { ...redis, ...options });
  if (from === 'file' && files !== undefined) {
    const mine = reads.filter((read) => read.from === 'file');
    return createFeatureFiles({ folder: files.folder, reads: mine, reload: reloadFiles ? deps : undefined });
  }
  throw unconnected(from, topology);
}

export function createWriter(
  from: StoreName,
  topology: Topology,
  deps: StoreDeps & { readonly random: () => number },
): FeatureWriter {
  const { bigtable, redis } = topology.connections;
  if (from === 'bigtable' && bigtable !== undefined) {
    return createBigtableWriter(deps, { ...bigtable, emulatorHost: deps.env.BIGTABLE_EMULATOR_HOST || undefined });
  }
  if (from === 'redis' && redis !== undefined) return createRedisWriter(deps, redis);
  throw unconnected(from, topology);
}

/** All stores that `reads` need, as one: each read goes to its own store. */
export function createStores(
  topology: Topology,
  reads: readonly StoreRead[],
  deps: StoreDeps,
  options: StoreOptions = {},
): FeatureStore {
  const names = storesOf(reads);
  if (names.length === 0) return NO_STORE;
  const stores = new Map(names.map((from) => [from, createStore(from, topology, reads, deps, options)]));
  const [first] = stores.values();
  if (stores.size === 1) return first;
  const storeOf = ({ from, table }: FeatureRead): FeatureStore => {
    const store = from && stores.get(from);
    if (store === undefined) throw new SluiceError('invariant-broken', `a read of "${table}" names no store`);
    return store;
  };
  return {
    async open(tables) {
      const opening = [...stores].map(([from, store]) =>
        store.open(tables.filter((table) => reads.some((read) => read.from === from && read.table === table))),
      );
      await Promise.all(opening);
    },
    read: async (read) => storeOf(read).read(read),
    async close() {
      await Promise.all([...stores.values()].map((store) => store.close()));
    },
  };
}

function unconnected(from: StoreName, { file }: Topology): SluiceError {
  return new SluiceError(
    'topology-invalid',
    `${file} enriches from ${from} and names no ${connectionKey(from)}; add it, or give files in its place where the command takes --features DIR`,
  );
}
