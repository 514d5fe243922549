import assert from 'node:assert/strict';
import { join } from 'node:path';
import test from 'node:test';
import { loadTopology } from '../../../src/topology/load.ts';
import { folderWith, SAMPLE } from './sample.ts';

const REDIS = '  redis: { url: "redis://localhost" }';

function loadedWith(text: string, connection: string) {
  const { folder, remove } = folderWith({
    'topology.yaml': SAMPLE.replace('{ entries: 100000, ttl: 10m, negativeTtl: 1m }', text).replace(
      'connections:\n',
      `connections:\n${connection}\n`,
    ),
  });
  try {
    return loadTopology(join(folder, 'topology.yaml'), {});
  } finally {
    remove();
  }
}

function cacheOf(text: string, connection = ''): unknown {
  const loaded = loadedWith(text, connection);
  assert.ok(loaded.ok);
  return loaded.topology.enrich[0].cache;
}

test('a second level ends no sooner than the first, and is for stores that are slower than Redis', () => {
  const said = (text: string): string[] => {
    const loaded = loadedWith(text, REDIS);
    return loaded.findings.map(({ path, message }) => `${path}: ${message}`);
  };
  assert.deepEqual(said('{ entries: 5, ttl: 10m, negativeTtl: 2m, secondLevel: { ttl: 5m } }'), [
    'enrich[0].cache.secondLevel.negativeTtl: is 1m, less than the negativeTtl of the cache, 2m: it bounds both together',
    'enrich[0].cache.secondLevel.ttl: is 5m, less than the ttl of the cache, 10m: it bounds both together',
  ]);
  assert.deepEqual(said('{ entries: 5, secondLevel: {} }'), []);
  const fromRedis = SAMPLE.replace('from: bigtable', 'from: redis').replace(
    'cache: { entries: 100000, ',
    'cache: { entries: 5, secondLevel: {}, ',
  );
  const { folder, remove } = folderWith({
    'topology.yaml': fromRedis.replace('  bigtable:\n    project: dev\n    instance: dev\n', `${REDIS}\n`),
  });
  try {
    const { findings } = loadTopology(join(folder, 'topology.yaml'), {});
    assert.deepEqual(
      findings.map(({ message }) => message),
      ['keeps rows in Redis, and that is where they come from'],
    );
  } finally {
    remove();
  }
});

test('a cache reads rows anew and hears of changes only where the topology says so', () => {
  const plain = { entries: 5, ttlMs: 600_000, negativeTtlMs: 60_000 };
  assert.deepEqual(cacheOf('{ entries: 5 }'), plain);
  assert.deepEqual(cacheOf('{ entries: 5, refreshAfter: 8m, invalidateBy: rows.changed }'), {
    ...plain,
    refreshAfterMs: 480_000,
    invalidateBy: 'rows.changed',
  });
  assert.deepEqual(cacheOf('{ entries: 5, secondLevel: { ttl: 2h } }', REDIS), {
    ...plain,
    secondLevel: { ttlMs: 7_200_000, negativeTtlMs: 60_000, timeoutMs: 50 },
  });
});
