/** What the tests of `onOverload` share: a second bundle, caches that are fresh for a moment, and what came out. */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { ExampleBench, Topics } from '../../contract/example-bench.ts';
import { onnxModel } from '../../fixtures/onnx.ts';
import { headerText } from '../../fixtures/reader.ts';

/** A bundle that makes do with one feature; no model of any worth. */
export function writeSmallBundle(folder: string): string {
  const home = join(folder, 'small', '1');
  mkdirSync(home, { recursive: true });
  const column = (name: string) => ({ name, dtype: 'float32', shape: ['rows', 1] }) as const;
  const model = {
    inputs: [column('x')],
    outputs: [column('p')],
    nodes: [{ op: 'Sigmoid', inputs: ['x'], output: 'p' }],
  };
  writeFileSync(join(home, 'model.onnx'), onnxModel(model));
  const lines = [
    'bundle: small',
    'version: 1',
    'model: model.onnx',
    'inputs:',
    '  x:',
    '    late: route.late_share ?? 0.2',
    'prediction:',
    '  probability: p[0]',
    '  band: band(prediction.probability, "low", 0.2, "medium", 0.5, "high")',
  ];
  writeFileSync(join(home, 'bundle.yaml'), `${lines.join('\n')}\n`);
  return dirname(home);
}

/** Rows are fresh for a moment only, in every look-up. */
export function shortCaches(yaml: string): string {
  const cached = yaml.replaceAll(
    '{ from: bigtable, table: airport,',
    '{ from: bigtable, table: airport, cache: { entries: 1000, ttl: 500ms, negativeTtl: 500ms },',
  );
  return cached.replace('ttl: 10m, negativeTtl: 1m', 'ttl: 500ms, negativeTtl: 500ms');
}

export interface Out {
  readonly degraded: string;
  readonly model: string;
}

export async function outputs({ read }: ExampleBench, topics: Topics): Promise<Out[]> {
  assert.deepEqual((await read(topics.deadLetter)).length, 0, 'no dead letters');
  const records = await read(topics.output);
  assert.equal(new Set(records.map((each) => headerText(each, 'sluice-source'))).size, records.length);
  return records.map((each) => ({
    degraded: headerText(each, 'sluice-degraded'),
    model: headerText(each, 'sluice-model'),
  }));
}
