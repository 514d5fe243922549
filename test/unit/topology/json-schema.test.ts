import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { topologyJsonSchema } from '../../../src/topology/json-schema.ts';

const FILE = new URL('../../../topologies/topology.schema.json', import.meta.url);

interface Node {
  readonly properties?: Readonly<Record<string, Node>>;
  readonly items?: Node;
  readonly additionalProperties?: unknown;
  readonly anyOf?: readonly unknown[];
  readonly enum?: readonly string[];
}

test('the committed JSON Schema is up to date (node src/topology/write-json-schema.ts)', () => {
  assert.equal(readFileSync(FILE, 'utf8'), topologyJsonSchema());
});

test('it names every key, refuses others, and does not offer what is refused', () => {
  const schema: Node = JSON.parse(topologyJsonSchema());
  const keys = [
    'topology',
    'connections',
    'source',
    'enrich',
    'model',
    'details',
    'flow',
    'onOverload',
    'output',
    'deadLetter',
  ];
  assert.deepEqual(Object.keys(schema.properties ?? {}), keys);
  const kafka = schema.properties?.connections.properties?.kafka;
  assert.deepEqual(Object.keys(kafka?.properties ?? {}), [
    'brokers',
    'clientId',
    'sessionTimeout',
    'ssl',
    'sasl',
    'client',
  ]);
  assert.equal(kafka?.additionalProperties, false);
  const layout = schema.properties?.enrich.items?.properties?.layout;
  assert.deepEqual(layout?.anyOf, [
    { type: 'string', enum: ['packed', 'cells', 'feast'] },
    { type: 'string', pattern: '\\$\\{' },
  ]);
});
