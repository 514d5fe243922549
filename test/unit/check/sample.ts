import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TensorSpec } from '../../../src/ports/model.ts';

/** Four files that fit together; each test breaks one of them. */
export const FILES = {
  'topology.yaml': `topology: sample
connections:
  bigtable: { project: dev, instance: dev }
source:
  topics: [in]
  group: sample
  value: { avro: event.avsc, wire: plain }
enrich:
  - from: bigtable
    table: airport
    key: "{origin}"
    views: { origin: { family: dep, columns: [late] } }
  - from: bigtable
    table: airport
    key: "{origin}"
    views: { hist: { family: slots, columns: ["n[4]"] } }
model:
  bundle: models/sample
output:
  topic: out
  key: "{id}"
  value: { avro: output.avsc, wire: plain }
  fields:
    id: event.id
    score: prediction.score
    band: prediction.band
    model: model.digest
deadLetter: { topic: dead }
`,
  'models/sample/1/bundle.yaml': `bundle: sample
version: 1
model: model.onnx
let:
  late: origin.late ?? 0.2
inputs:
  features:
    late: late
    amount: event.amount ?? 0
    hist: window(hist.n, 0, 0, 1) ?? 0
prediction:
  score: probability[0]
  band: band(prediction.score, "low", 0.5, "high")
`,
  'models/sample/1/model.onnx': 'not read by these tests\n',
  'event.avsc': `{
  "type": "record",
  "name": "Event",
  "fields": [
    { "name": "id", "type": "long" },
    { "name": "origin", "type": ["null", "string"], "default": null },
    { "name": "amount", "type": ["null", "double"], "default": null },
    { "name": "tags", "type": { "type": "array", "items": "string" } },
    { "name": "curve", "type": { "type": "array", "items": "float" } }
  ]
}
`,
  'output.avsc': `{
  "type": "record",
  "name": "Risk",
  "fields": [
    { "name": "id", "type": "long" },
    { "name": "score", "type": "float" },
    { "name": "band", "type": "string" },
    { "name": "model", "type": "string" },
    { "name": "note", "type": "string", "default": "" }
  ]
}
`,
} as const;

export type FileName = keyof typeof FILES;

export const SIGNATURE: { inputs: readonly TensorSpec[]; outputs: readonly TensorSpec[] } = {
  inputs: [{ name: 'features', dtype: 'float32', shape: ['N', 4] }],
  outputs: [
    { name: 'label', dtype: 'int64', shape: ['N'] },
    { name: 'probability', dtype: 'float32', shape: ['N', 2] },
    { name: 'zipmap', dtype: 'other', shape: [] },
    { name: 'open', dtype: 'float32', shape: ['N', 'M'] },
  ],
};

/** Writes FILES, some of them replaced, to a temporary folder. */
export function writeSample(changed: Partial<Record<FileName, string>> = {}): { folder: string; remove(): void } {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-check-'));
  mkdirSync(join(folder, 'models/sample/1'), { recursive: true });
  for (const [name, text] of Object.entries({ ...FILES, ...changed })) writeFileSync(join(folder, name), text);
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}
