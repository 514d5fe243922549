// biome-ignore-all lint/suspicious/noTemplateCurlyInString: such references are what is tested
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { formatFindings } from '../../../src/documents/finding.ts';
import type { Topology } from '../../../src/plan/topology.ts';
import { loadTopology } from '../../../src/topology/load.ts';
import { EVENT_SCHEMA, folderWith, SAMPLE } from './sample.ts';

const SMALLEST = `topology: smallest
source: { topics: [in], group: g, value: { json: schemas/event.avsc } }
model: { bundle: models/none }
output: { topic: out, value: { json: schemas/risk.avsc }, fields: { id: event.id } }
deadLetter: { topic: dead }
`;

function load(text: string, env: Record<string, string> = {}, prepare = (_folder: string) => {}) {
  const { folder, remove } = folderWith({ 'topology.yaml': text });
  try {
    prepare(folder);
    const loaded = loadTopology(join(folder, 'topology.yaml'), env);
    assert.ok(loaded.ok, loaded.ok ? '' : formatFindings(loaded.findings));
    return { ...loaded, folder };
  } finally {
    remove();
  }
}

test('every key arrives in the units of the program', () => {
  const { topology, folder, findings } = load(SAMPLE, { KAFKA_BROKERS: 'a:1, b:2' });
  assert.deepEqual(findings, []);
  const value = (name: string) => ({
    kind: 'avro',
    schemaFile: join(folder, `schemas/${name}.avsc`),
    schema: name === 'event' ? EVENT_SCHEMA : { ...EVENT_SCHEMA, name: 'Risk' },
    wire: 'confluent',
    ids: [],
  });
  const number = (name: string, offset: number) => ({ name, kind: 'number', width: 1, offset });
  const vector = (name: string, offset: number) => ({ name, kind: 'vector', width: 96, offset });
  const wanted = {
    name: 'sample',
    file: join(folder, 'topology.yaml'),
    connections: {
      kafka: { brokers: ['a:1', 'b:2'], clientId: 'sluice', sessionTimeoutMs: 10_000, client: 'columnar' },
      registry: { url: 'http://localhost:8081' },
      bigtable: { project: 'dev', instance: 'dev' },
    },
    source: {
      topics: ['flights.departed'],
      group: 'sample',
      from: 'earliest',
      value: value('event'),
      onTombstone: 'drop',
    },
    enrich: [
      {
        from: 'bigtable',
        table: 'route',
        key: '{origin}#{destination}',
        views: [
          {
            name: 'route',
            family: 'agg',
            columns: [number('late_share', 0), number('mean_delay', 1)],
            maxAgeMs: undefined,
            onStale: 'use',
          },
          {
            name: 'slots',
            family: 'slots',
            columns: [vector('n', 2), vector('l', 98)],
            maxAgeMs: 604_800_000,
            onStale: 'use',
          },
        ],
        onMissing: 'impute',
        layout: 'packed',
        cache: { entries: 100_000, ttlMs: 600_000, negativeTtlMs: 60_000 },
      },
    ],
    details: [],
    model: {
      bundle: 'models/flight-delay',
      device: 'auto',
      isolation: 'none',
      runTimeoutMs: 10_000,
      maxBytes: 0,
      placement: 'auto',
      sessions: undefined,
    },
    flow: {
      latencyBudgetMs: 50,
      maxBatch: 256,
      maxInFlight: { records: 20_000, bytes: 67_108_864 },
      order: 'partition',
      delivery: 'at-least-once',
      drainMs: 20_000,
    },
    output: {
      topic: 'flights.delay-risk',
      key: '{id}',
      value: value('risk'),
      fields: { id: 'event.id', probability: 'prediction.probability', model: 'model.digest' },
    },
    deadLetter: { topic: 'flights.dead-letter', limit: { ratio: 0.5, window: 10_000 } },
  };
  assert.deepEqual(JSON.parse(JSON.stringify(topology)), JSON.parse(JSON.stringify(wanted)));
});

test('omitted keys have the documented default', () => {
  const { topology } = load(SMALLEST);
  assert.deepEqual(topology.flow, {
    latencyBudgetMs: 50,
    maxBatch: 2_048,
    maxInFlight: { records: 50_000, bytes: 67_108_864 },
    order: 'partition',
    delivery: 'at-least-once',
    drainMs: 20_000,
  });
  const { connections, source, model, output, enrich } = topology;
  assert.deepEqual(connections, { kafka: undefined, registry: undefined, bigtable: undefined });
  assert.equal(source.from, 'earliest');
  assert.equal(source.onTombstone, 'drop');
  assert.deepEqual(topology.deadLetter, { topic: 'dead', limit: { ratio: 0.5, window: 10_000 } });
  assert.equal(model.device, 'auto');
  assert.equal(output.key, undefined);
  assert.deepEqual(enrich, []);
});

test('the limit on dead letters may be off, another one, or partly another one', () => {
  const limitOf = (limit: string) =>
    load(SMALLEST.replace('{ topic: dead }', `{ topic: dead, limit: ${limit} }`)).topology.deadLetter.limit;
  assert.equal(limitOf('off'), undefined);
  assert.deepEqual(limitOf('{ ratio: 1, window: 100 }'), { ratio: 1, window: 100 });
  assert.deepEqual(limitOf('{ window: 1000000 }'), { ratio: 0.5, window: 1_000_000 });
  assert.equal(limitOf('"${NO_LIMIT:-off}"'), undefined);
});

test('a topology is frozen, all the way down', () => {
  const { topology } = load(SAMPLE);
  const thawed: string[] = [];
  (function walk(value: unknown, path: string): void {
    if (typeof value !== 'object' || value === null) return;
    if (!Object.isFrozen(value)) thawed.push(path);
    for (const [key, part] of Object.entries(value)) walk(part, `${path}.${key}`);
  })(topology satisfies Topology, 'topology');
  assert.deepEqual(thawed, []);
});

test('a path leads beside the topology file where something is there, else from the current directory', () => {
  const beside = load(SMALLEST.replace('models/none', 'models/here'), {}, (folder) => {
    mkdirSync(join(folder, 'models/here'), { recursive: true });
  });
  assert.equal(beside.topology.model.bundle, join(beside.folder, 'models/here'));
  assert.equal(load(SMALLEST).topology.model.bundle, 'models/none');
});

test('ids without a registry are taken; with a registry they are a warning', () => {
  const text = SMALLEST.replace('json: schemas/event.avsc', 'avro: schemas/event.avsc, wire: confluent, ids: [3, 4]');
  const { topology, findings } = load(text);
  assert.deepEqual(topology.source.value.kind === 'avro' && topology.source.value.ids, [3, 4]);
  assert.deepEqual(findings, []);
  const both = load(`${text}connections: { registry: { url: "http://r:1" } }\n`);
  assert.deepEqual(
    both.findings.map(({ severity, path }) => ({ severity, path })),
    [{ severity: 'warning', path: 'source.value.ids' }],
  );
});

test('look-ups without a bigtable connection are a warning: batch can bring its own rows', () => {
  const { findings } = load(SAMPLE.replace('  bigtable:\n    project: dev\n    instance: dev\n', ''));
  assert.deepEqual(
    findings.map(({ severity, path }) => ({ severity, path })),
    [{ severity: 'warning', path: 'enrich[0].from' }],
  );
});

test('a file that is missing, empty, or has a truncated schema is a finding, not an exception', () => {
  const { folder, remove } = folderWith({ 'empty.yaml': '', 'cut.yaml': SMALLEST });
  try {
    const first = (name: string) => {
      const loaded = loadTopology(join(folder, name), {});
      assert.ok(!loaded.ok);
      return loaded.findings[0];
    };
    assert.match(first('none.yaml').message, /there is no file .*none\.yaml/);
    const { message, remedy } = first('schemas');
    assert.match(`${message}; ${remedy}`, /schemas is a folder; give a topology file$/);
    assert.equal(first('empty.yaml').message, 'is empty');
    writeFileSync(join(folder, 'schemas/event.avsc'), '{ "type": "record",\n  "name": ');
    const cut = first('cut.yaml');
    assert.deepEqual([cut.file, cut.line], [join(folder, 'schemas/event.avsc'), 2]);
    assert.match(cut.message, /is not JSON/);
  } finally {
    remove();
  }
});

test('the topologies of the repository load, with nothing set in the environment', () => {
  for (const name of ['flight-delay', 'hello']) {
    const loaded = loadTopology(`topologies/${name}.yaml`, {});
    assert.ok(loaded.ok, loaded.ok ? '' : formatFindings(loaded.findings));
    assert.deepEqual(loaded.findings, []);
    assert.equal(loaded.topology.name, name);
  }
});
