import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { findEvents, findFeatures } from '../../../../src/commands/dev/places.ts';
import type { Topology } from '../../../../src/plan/topology.ts';

test('events are found beside the topology: those of its name first, then any, then those of the example', (context) => {
  const root = mkdtempSync(join(tmpdir(), 'sluice-places-'));
  context.after(() => rmSync(root, { recursive: true, force: true }));
  for (const folder of ['mine', 'examples/shop/features']) mkdirSync(join(root, folder), { recursive: true });
  const topology = { name: 'shop', file: join(root, 'mine/shop.yaml') } as Topology;
  assert.equal(findEvents(topology), undefined);
  for (const path of [
    'examples/shop/events.jsonl.gz',
    'mine/events.jsonl',
    'mine/shop.events.jsonl.gz',
    'mine/shop.events.jsonl',
  ]) {
    writeFileSync(join(root, path), '');
    assert.equal(findEvents(topology), join(root, path));
  }
  assert.equal(findFeatures(topology), join(root, 'examples/shop/features'));
});
