/**
 * The pipeline that is broken: Avro in and out through the registry, one feature out of Bigtable, and a model of two operators,
 * `log(x + f)`, so that every output can be worked out by hand and some inputs have none.
 */
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import avro from 'avsc';
import { onnxModel } from '../../fixtures/onnx.ts';

export const TOPICS = { input: 'events', output: 'scores', deadLetter: 'dead', group: 'scorers' } as const;
export const PARTITIONS = { input: 4, output: 3, deadLetter: 2 } as const;
export const MAX_IN_FLIGHT = 150;

const FIELDS = [
  { name: 'id', type: 'long' },
  { name: 'key', type: ['null', 'string'], default: null },
  { name: 'x', aliases: ['amount'], type: ['null', 'double'], default: null },
];
/** Writers' schemas: the same fields, and another that nobody reads. Each has its own id. */
export const WRITERS: readonly string[] = ['a', 'b', 'c'].map((name) =>
  JSON.stringify({
    type: 'record',
    name: 'Event',
    fields: [...FIELDS, { name: `extra_${name}`, type: 'int', default: 0 }],
  }),
);
const SCORE = { type: 'record', name: 'Score', fields: ['id:long', 'score:float'].map(field) };

export const scoreType = avro.Type.forSchema(SCORE as avro.Schema);
export const eventTypes = WRITERS.map((schema) => avro.Type.forSchema(JSON.parse(schema)));

/** Features by key: the others have none, which the bundle takes for 0. */
export const FEATURES: ReadonlyMap<string, number> = new Map([0, 1, 2, 3].map((n) => [`k${n}`, n]));

export const expectedScore = (key: string | null, x: number | null): number =>
  Math.fround(Math.log(Math.fround(x ?? 1) + ((key === null ? undefined : FEATURES.get(key)) ?? 0)));

export interface Settings {
  readonly brokers: string;
  readonly registry: string;
  readonly clientId: string;
  /** Keys of `flow:` beyond the usual. */
  readonly flow?: string;
  readonly drain?: string;
  /** Of the bundle: another version has another digest. Default 1. */
  readonly version?: number;
  readonly group?: string;
  /** Of the feature rows: what `cache:` says. */
  readonly cache?: string;
}

/** Writes topology, schemas and bundle into a new folder, and gives the topology's path. */
export function writePipeline({
  brokers,
  registry,
  clientId,
  flow = '',
  drain = '3s',
  version = 1,
  group = TOPICS.group,
  cache = '{ entries: 3, ttl: 200ms, negativeTtl: 100ms }',
}: Settings): string {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-nemesis-'));
  const bundle = join(folder, `models/log/${version}`);
  mkdirSync(bundle, { recursive: true });
  // Under the same name everywhere: the bundle's digest is over names and contents.
  const model = onnxModel({
    inputs: [{ name: 'features', dtype: 'float32', shape: ['n', 2] }],
    outputs: [{ name: 'score', dtype: 'float32', shape: ['n', 1] }],
    nodes: [
      { op: 'ReduceSum', inputs: ['features', 'axes'], output: 'sum', ints: { keepdims: 1 } },
      { op: 'Log', inputs: ['sum'], output: 'score' },
    ],
    constants: { axes: [1] },
  });
  writeFileSync(join(bundle, 'model.onnx'), model);
  writeFileSync(join(folder, 'event.avsc'), JSON.stringify({ type: 'record', name: 'Event', fields: FIELDS }));
  writeFileSync(join(folder, 'score.avsc'), JSON.stringify(SCORE));
  writeFileSync(
    join(bundle, 'bundle.yaml'),
    `bundle: log
version: ${version}
model: model.onnx
inputs:
  features:
    x: event.x ?? 1
    f: side.f ?? 0
prediction:
  score: score[0]
`,
  );
  const topology = join(folder, 'nemesis.yaml');
  writeFileSync(
    topology,
    `topology: nemesis
connections:
  kafka: { brokers: "${brokers}", clientId: ${clientId} }
  registry: { url: "${registry}" }
  bigtable: { project: dev, instance: dev }
source:
  topics: [${TOPICS.input}]
  group: ${group}
  value: { avro: event.avsc, wire: confluent }
enrich:
  - from: bigtable
    table: sides
    key: "{key}"
    views: { side: { family: fam, columns: [f] } }
    cache: ${cache}
model:
  bundle: models/log
  device: cpu
flow:
  latencyBudget: 20ms
  maxBatch: 32
  maxInFlight: { records: ${MAX_IN_FLIGHT}, bytes: 1MiB }
  drain: ${drain}
${flow}
output:
  topic: ${TOPICS.output}
  key: "{id}"
  value: { avro: score.avsc, wire: confluent }
  fields: { id: event.id, score: prediction.score }
deadLetter: { topic: ${TOPICS.deadLetter} }
`,
  );
  return topology;
}

function field(text: string): { name: string; type: string } {
  const [name, type] = text.split(':');
  return { name, type };
}
