import assert from 'node:assert/strict';
import { test } from 'node:test';
import { maxBatchOf } from '../../../src/topology/max-batch.ts';
import type { TopologyFile } from '../../../src/topology/schema.ts';

const boundOf = (maxBatch: number | undefined, records: number, largerBatches?: number): number =>
  maxBatchOf({ flow: { maxBatch, maxInFlight: { records } }, onOverload: { largerBatches } } as TopologyFile);

test('a topology may name the rows a run at most; else there are enough, and never more than can come', () => {
  assert.equal(boundOf(256, 20_000), 256);
  assert.equal(boundOf(undefined, 20_000), 2_048);
  assert.equal(boundOf(undefined, 500), 500);
});

test('without a number, larger batches are larger', () => {
  assert.equal(boundOf(undefined, 20_000, 1_000), 500);
  assert.equal(boundOf(undefined, 20_000, 16_384), 2_048);
  assert.equal(boundOf(undefined, 20_000, 1), 1);
});
