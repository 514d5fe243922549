import assert from 'node:assert/strict';
import { join } from 'node:path';
import test from 'node:test';
import { type LoadedTopology, loadTopology } from '../../../src/topology/load.ts';
import { folderWith, SAMPLE } from './sample.ts';

const STOCK = SAMPLE.replace('  kafka:\n', '  kafka:\n    client: stock\n');

function load(text: string): LoadedTopology {
  const { folder, remove } = folderWith({ 'topology.yaml': text });
  try {
    return loadTopology(join(folder, 'topology.yaml'), {});
  } finally {
    remove();
  }
}

test('the Kafka client is ours unless the topology says otherwise', () => {
  const clientOf = (text: string): unknown => {
    const loaded = load(text);
    assert.ok(loaded.ok);
    return loaded.topology.connections.kafka?.client;
  };
  assert.equal(clientOf(SAMPLE), 'columnar');
  assert.equal(clientOf(STOCK), 'stock');
});

test('exactly-once delivery is not written by the stock client', () => {
  const loaded = load(STOCK.replace('delivery: at-least-once', 'delivery: exactly-once'));
  assert.equal(loaded.ok, false);
  const [finding] = loaded.findings;
  assert.deepEqual([finding.path, finding.line, finding.severity], ['connections.kafka.client', 4, 'error']);
  assert.match(finding.remedy, /client: columnar/);
});
