import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { type LoadedTopology, loadTopology } from '../../../src/topology/load.ts';
import { formatDuration } from '../../../src/topology/units.ts';
import { folderWith, SAMPLE } from './sample.ts';

function load(text: string): LoadedTopology {
  const { folder, remove } = folderWith({ 'topology.yaml': text });
  try {
    return loadTopology(join(folder, 'topology.yaml'), {});
  } finally {
    remove();
  }
}

function withLadder(ladder: string, from = '', to = ''): LoadedTopology {
  assert.ok(SAMPLE.includes(from));
  return load(`${SAMPLE.replace(from, to)}onOverload: ${ladder}\n`);
}

function findings(loaded: LoadedTopology): string[] {
  return loaded.findings.map(({ path, message, remedy }) => `${path}: ${message} → ${remedy}`);
}

test('without onOverload there is no ladder; with it, durations are milliseconds and what is not named is not declared', () => {
  const plain = load(SAMPLE);
  assert.ok(plain.ok);
  assert.equal(plain.topology.onOverload, undefined);
  const some = withLadder('{ staleCache: 1h, defaultFeatures: true }');
  assert.ok(some.ok, findings(some).join('\n'));
  assert.deepEqual(some.topology.onOverload, {
    lagMs: 30_000,
    largerBatches: undefined,
    staleCacheMs: 3_600_000,
    defaultFeatures: true,
    smallerModel: undefined,
    skipToLatestMs: undefined,
  });
  const all = withLadder(
    '{ lag: 10s, largerBatches: 1024, staleCache: 1h, defaultFeatures: true, smallerModel: models/small, skipToLatest: 10m }',
  );
  assert.ok(all.ok, findings(all).join('\n'));
  assert.equal(all.topology.onOverload?.smallerModel, 'models/small');
  assert.equal(all.topology.onOverload?.skipToLatestMs, 600_000);
});

test('no step turns an outage into dead letters or drops', () => {
  for (const policy of ['dead-letter', 'drop']) {
    const [said] = findings(withLadder('{ defaultFeatures: true }', 'onMissing: impute', `onMissing: ${policy}`));
    assert.match(said, /^enrich\[0\]\.onMissing: is .* an outage would .* the topic → write impute, or leave/);
    assert.ok(withLadder('{ staleCache: 1h }', 'onMissing: impute', `onMissing: ${policy}`).ok);
  }
  const [said] = findings(withLadder('{ staleCache: 1h }', 'onStale: use', 'onStale: dead-letter'));
  assert.match(
    said,
    /^enrich\[0\]\.views\.slots\.onStale: .* an outage would dead-letter the topic → write use or missing/,
  );
  assert.ok(withLadder('{ staleCache: 1h }', 'onStale: use', 'onStale: missing').ok);
});

test('a step that could never do anything is refused', () => {
  const cache = '    cache: { entries: 100000, ttl: 10m, negativeTtl: 1m }\n';
  const [uncached] = findings(withLadder('{ staleCache: 1h }', cache, ''));
  assert.match(uncached, /^onOverload\.staleCache: needs a cache/);
  const enrich = SAMPLE.slice(SAMPLE.indexOf('enrich:'), SAMPLE.indexOf('model:\n'));
  const bare = findings(withLadder('{ staleCache: 1h, defaultFeatures: true }', enrich, ''));
  assert.equal(bare.filter((line) => line.includes('needs features, and enrich names none')).length, 2);
  const off = findings(withLadder('{ defaultFeatures: false }'));
  assert.match(off[0], /^onOverload: declares no step/);
});

test('durations are told in the largest unit that keeps them whole', () => {
  const told = [1, 1_500, 2_000, 90_000, 600_000, 3_600_000, 86_400_000].map(formatDuration);
  assert.deepEqual(told, ['1ms', '1500ms', '2s', '90s', '10m', '1h', '1d']);
});
