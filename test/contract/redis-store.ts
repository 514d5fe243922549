import type { RedisOptions } from '../../src/adapters/redis/connection.ts';
import { createRedisStore } from '../../src/adapters/redis/store.ts';
import { createRedisWriter } from '../../src/adapters/redis/writer.ts';
import { createSystemClock } from '../../src/kernel/system-clock.ts';
import type { RedisServer } from '../fixtures/redis-server.ts';
import { RecordingTelemetry } from '../fixtures/telemetry.ts';
import type { FeatureStoreWorld, Traits } from './feature-store-parts.ts';

export const REDIS_TRAITS: Traits = { cells: true, tables: false };

/** A store and a writer on servers that are there for all tests of a suite. */
export function redisWorld(
  servers: readonly RedisServer[],
  options: Partial<RedisOptions> = {},
  stop: () => Promise<void> = async () => {},
): FeatureStoreWorld {
  const deps = { clock: createSystemClock(), telemetry: new RecordingTelemetry(), random: () => 0.5 };
  const nodes = servers.map(({ port }) => ({ host: '127.0.0.1', port }));
  const all = { nodes, cluster: false, database: 0, ...options };
  const store = createRedisStore(deps, all);
  const writer = createRedisWriter(deps, all);
  return {
    store,
    writer,
    stall: () => {
      for (const server of servers) server.freeze();
    },
    crash: async () => {
      for (const server of servers) await server.kill();
    },
    restart: async () => {
      for (const server of servers) await server.boot();
    },
    async stop() {
      for (const server of servers) server.thaw();
      await store.close();
      await writer.close();
      await stop();
    },
  };
}
