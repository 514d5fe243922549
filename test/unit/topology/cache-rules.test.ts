import assert from 'node:assert/strict';
import { join } from 'node:path';
import test from 'node:test';
import { loadTopology } from '../../../src/topology/load.ts';
import { folderWith, SAMPLE } from './sample.ts';

function cacheOf(text: string): unknown {
  const { folder, remove } = folderWith({
    'topology.yaml': SAMPLE.replace('{ entries: 100000, ttl: 10m, negativeTtl: 1m }', text),
  });
  try {
    const loaded = loadTopology(join(folder, 'topology.yaml'), {});
    assert.ok(loaded.ok);
    return loaded.topology.enrich[0].cache;
  } finally {
    remove();
  }
}

test('a cache reads rows anew and hears of changes only where the topology says so', () => {
  const plain = { entries: 5, ttlMs: 600_000, negativeTtlMs: 60_000 };
  assert.deepEqual(cacheOf('{ entries: 5 }'), plain);
  assert.deepEqual(cacheOf('{ entries: 5, refreshAfter: 8m, invalidateBy: rows.changed }'), {
    ...plain,
    refreshAfterMs: 480_000,
    invalidateBy: 'rows.changed',
  });
});
