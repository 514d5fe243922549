/** Redis as a feature store, on a redis-server of the machine. */
import { test } from 'node:test';
import { redisMissing, startRedis } from '../fixtures/redis-server.ts';
import { featureStoreConformance } from './feature-store.ts';
import { REDIS_TRAITS, redisWorld } from './redis-store.ts';

const missing = redisMissing();
if (missing === undefined) {
  featureStoreConformance(
    'Redis',
    async () => {
      const server = await startRedis();
      return redisWorld([server], {}, server.stop);
    },
    REDIS_TRAITS,
  );
} else {
  test('Redis is a feature store', { skip: missing }, () => {});
}
