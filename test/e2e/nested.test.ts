import assert from 'node:assert/strict';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { runHere } from '../fixtures/io.ts';
import { ROOT } from '../fixtures/sluice.ts';

/** Records inside of events over Kafka, registry and Bigtable: in the bundle, in a key of enrich, in key and fields of the output. */
const folder = mkdtempSync(join(tmpdir(), 'sluice-nested-'));
after(() => rmSync(folder, { recursive: true }));
const put = (name: string, text: string): void => writeFileSync(join(folder, name), text);

const EVENT = {
  type: 'record',
  name: 'Payment',
  fields: [
    { name: 'id', type: 'long' },
    {
      name: 'customer',
      type: [
        'null',
        {
          type: 'record',
          name: 'Customer',
          fields: [
            { name: 'id', type: 'string' },
            { name: 'tier', type: { type: 'enum', name: 'Tier', symbols: ['LOW', 'HIGH'] } },
            { name: 'scores', type: { type: 'array', items: 'float' } },
          ],
        },
      ],
    },
    { name: 'place', type: { type: 'record', name: 'Place', fields: [{ name: 'lat', type: ['null', 'double'] }] } },
  ],
};
const OUTPUT = {
  type: 'record',
  name: 'Scored',
  fields: [
    { name: 'id', type: 'long' },
    { name: 'customer', type: ['null', 'string'] },
    { name: 'scores', type: ['null', { type: 'array', items: 'float' }] },
    { name: 'probability', type: 'float' },
  ],
};
const TOPOLOGY = `topology: pay
connections:
  kafka: { brokers: localhost:9092 }
  registry: { url: http://localhost:8081 }
  bigtable: { project: dev, instance: dev }
source:
  topics: [pay.events]
  group: pay
  value: { avro: event.avsc, wire: confluent }
enrich:
  - { from: bigtable, table: people, key: "{customer.id}", views: { person: { family: agg, columns: [share] } } }
model: { bundle: models/pay }
output:
  topic: pay.scored
  key: "{id}"
  value: { avro: output.avsc, wire: confluent }
  fields: { id: event.id, customer: event.customer.id, scores: event.customer.scores, probability: prediction.probability }
deadLetter: { topic: pay.dead }
`;
const BUNDLE = `bundle: pay
version: 1
model: model.onnx
inputs:
  features:
    share: person.share ?? 0
    high: (event.customer.tier == "HIGH") ?? 0
    total: sum(event.customer.scores[2]) ?? 0
    lat: event.place.lat ?? 0
prediction:
  probability: probability[0]
`;
const person = (id: string, tier: string) => ({ id, tier, scores: [1, 2] });
const EVENTS = [
  { id: 1, customer: person('ada', 'HIGH'), place: { lat: 1 } },
  { id: 2, customer: null, place: { lat: null } },
  { id: 3, customer: { ...person('bob', 'LOW'), scores: [1, 2, 3] }, place: { lat: 1 } },
];

mkdirSync(join(folder, 'models/pay/1'), { recursive: true });
mkdirSync(join(folder, 'features'));
cpSync(join(ROOT, 'models/hello/1/model.onnx'), join(folder, 'models/pay/1/model.onnx'));
put('event.avsc', JSON.stringify(EVENT));
put('output.avsc', JSON.stringify(OUTPUT));
put('pay.yaml', TOPOLOGY);
put('models/pay/1/bundle.yaml', BUNDLE);
put('features/people.jsonl', '{"key":"ada","agg":{"share":0.75}}\n');
put('pay.events.jsonl', EVENTS.map((event) => `${JSON.stringify(event)}\n`).join(''));

test('records inside of events go through embedded Kafka, registry and Bigtable', async () => {
  const { code, stdout, stderr } = await runHere(['dev', join(folder, 'pay.yaml'), '--exit', '--json', '--no-listen']);
  assert.equal(code, 0, stderr + stdout);
  const told = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  const outputs = told
    .filter(({ event }) => event === 'prediction')
    .map(({ value }) => value as Readonly<Record<string, unknown>>)
    .toSorted((a, b) => Number(a.id) - Number(b.id));
  assert.deepEqual(
    outputs.map(({ id, customer, scores }) => ({ id, customer, scores })),
    [
      { id: 1, customer: 'ada', scores: [1, 2] },
      { id: 2, customer: null, scores: null },
    ],
  );
  const [letter] = told.filter(({ event }) => event === 'dead-letter');
  assert.equal(letter.reason, 'decode-failed', 'more scores than the bundle reads');
});

test('explain shows the row of the model and the key, and features get the row of an event', async () => {
  const explain = ['explain', join(folder, 'pay.yaml'), '--input', join(folder, 'pay.events.jsonl')];
  const features = ['--features', join(folder, 'features')];
  const first = await runHere([...explain, '--line', '1', ...features]);
  assert.match(first.stdout, /row +features: share 0\.75 +high 1 +total 3 +lat 1\n/);
  const get = ['features', 'get', join(folder, 'pay.yaml'), '--event', join(folder, 'pay.events.jsonl')];
  const got = await runHere([...get, ...features, '--json']);
  const rows = got.stdout.trim().split('\n');
  assert.match(rows[0], /"key":"ada".*0\.75/);
  const third = await runHere([...explain, '--line', '3', ...features]);
  assert.match(third.stdout, /field customer\.scores is not what .*event\.avsc says/);
});
