import assert from 'node:assert/strict';
import { join } from 'node:path';
import test from 'node:test';
import { prepare } from '../../../src/check/prepare.ts';
import { pathInSchema } from '../../../src/check/schema-place.ts';
import { formatSummary, summarize } from '../../../src/check/summary.ts';
import { formatFindings } from '../../../src/documents/finding.ts';
import type { Plan } from '../../../src/plan/plan.ts';
import { FILES, type FileName, SIGNATURE, writeSample } from './sample.ts';

/** The sample with a customer record in the event, read by bundle, keys and output. */
const EVENT = `{
  "type": "record",
  "name": "Event",
  "fields": [
    { "name": "id", "type": "long" },
    { "name": "origin", "type": ["null", "string"], "default": null },
    { "name": "amount", "type": "double" },
    { "name": "customer", "type": ["null", {
      "type": "record", "name": "Customer", "fields": [
        { "name": "id", "type": "string" },
        { "name": "age", "type": "int" },
        { "name": "address", "type": { "type": "record", "name": "Address", "fields": [
          { "name": "zip", "type": ["null", "string"], "default": null },
          { "name": "scores", "type": { "type": "array", "items": "float" } }
        ] } },
        { "name": "orders", "type": { "type": "array", "items": "Address" } },
        { "name": "labels", "type": { "type": "map", "values": "string" } }
      ]
    }] },
    { "name": "billing", "type": "Address" }
  ]
}
`;
const NESTED: Partial<Record<FileName, string>> = {
  'event.avsc': EVENT,
  'models/sample/1/bundle.yaml': FILES['models/sample/1/bundle.yaml'].replace(
    'amount: event.amount ?? 0',
    'amount: event.customer.age ?? 40',
  ),
  'topology.yaml': FILES['topology.yaml']
    .replace('key: "{id}"', 'key: "{customer.id}#{id}"')
    .replace('    id: event.id\n', '    id: event.id\n    note: event.billing.zip\n'),
  'output.avsc': FILES['output.avsc'].replace('"note", "type": "string"', '"note", "type": ["string", "null"]'),
};

async function prepared(files: Partial<Record<FileName, string>>) {
  const { folder, remove } = writeSample(files);
  try {
    const found = await prepare(join(folder, 'topology.yaml'), {
      env: {},
      runtime: { inspect: async () => SIGNATURE },
    });
    const texts = found.findings.map(({ file, line, column, path, message, remedy, excerpt, severity }) => ({
      place: `${file.slice(folder.length + 1)}:${line}:${column}`,
      text: `${severity} ${path}: ${message} → ${remedy}`,
      excerpt,
    }));
    return { ...found, texts };
  } finally {
    remove();
  }
}

async function planned(): Promise<Plan> {
  const { plan, findings } = await prepared(NESTED);
  assert.ok(plan, formatFindings(findings));
  return plan;
}

test('expressions, keys and output fields read nested records, each path once', async () => {
  const plan = await planned();
  assert.deepEqual(
    plan.wants.map(({ field, kind }) => `${field} ${kind}`),
    ['customer.age number', 'origin string', 'customer.id string', 'id long', 'billing.zip string'],
  );
  assert.equal(plan.outputKey?.source, '{customer.id}#{id}');
  const summary = formatSummary(summarize(plan));
  assert.match(summary, / {2}customer\.age +null \| int +read as number\n/);
  assert.match(summary, / {2}note +string \| null +event\.billing\.zip\n/);
});

/** What is written in place of `event.customer.age ?? 40`, and the finding. */
const WRONG: readonly (readonly [string, RegExp])[] = [
  [
    'event.customer.agee ?? 40',
    /^error inputs\.features\.amount: event\.customer is record Customer, which has no field "agee"; did you mean "event\.customer\.age"\? → its fields are event\.customer\.id, event\.customer\.age/,
  ],
  ['event.custmer.age ?? 40', /there is no event\.custmer\.age → did you mean event\.customer\.age\?/],
  ['event.customer.age', /^warning .* event\.customer\.age can be null and has no \?\?/],
  [
    'event.customer',
    /event\.customer is null \| record Customer, which expressions cannot read → name a field of the record: id, age/,
  ],
  [
    'event.customer.age.years',
    /event\.customer\.age is int, in which no field "years" can be named → name the field itself/,
  ],
  [
    'event.customer.orders.zip',
    /is array of record Address, in which .* → a list can be read only as a whole, and only if it holds numbers: have the producer/,
  ],
  [
    'event.customer.labels.vip',
    /is map of string, in which .* → of a map nothing is read: have the producer write .* as fields of a record/,
  ],
  ['event.customer.orders[0].zip', /\.zip can only follow a name: only numbers can be read from a list/],
  ['event.customer.address.scores', /is a vector of unknown width → write event\.customer\.address\.scores\[WIDTH\]/],
];

for (const [expression, said] of WRONG) {
  test(`says what is wrong with ${expression}, and where`, async () => {
    const bundle = 'models/sample/1/bundle.yaml';
    const { texts } = await prepared({
      ...NESTED,
      [bundle]: NESTED[bundle]?.replace('event.customer.age ?? 40', () => expression),
    });
    assert.equal(texts.length, 1, JSON.stringify(texts));
    assert.match(texts[0].text, said);
    assert.equal(texts[0].place, `${bundle}:9:13`);
    assert.match(texts[0].excerpt, /amount: event\./);
  });
}

test('says what is wrong in keys and output fields', async () => {
  const topology = NESTED['topology.yaml'] ?? '';
  const { texts } = await prepared({
    ...NESTED,
    'topology.yaml': topology
      .replace('{customer.id}', '{customer.idd}')
      .replace('{origin}', '{customer.address.zap}')
      .replace('event.billing.zip', 'event.billing.zop'),
  });
  const said = texts.map(({ text }) => text).join('\n');
  assert.match(
    said,
    /output\.key: \{customer\.idd\} names no field of .*event\.avsc: customer is record Customer, which has no field "idd"; did you mean "customer\.id"\?/,
  );
  assert.match(
    said,
    /enrich\[0\]\.key: \{customer\.address\.zap\} names no field .*customer\.address is record Address, .*did you mean "customer\.address\.zip"\?/,
  );
  assert.match(
    said,
    /output\.fields\.note: event\.billing is record Address, which has no field "zop"; did you mean "billing\.zip"\? \(.*event\.avsc\)/,
  );
});

test('a field of a nullable record may be null, so the output must allow null', async () => {
  const { texts } = await prepared({
    ...NESTED,
    'topology.yaml': (NESTED['topology.yaml'] ?? '').replace('event.billing.zip', 'event.customer.id'),
    'output.avsc': FILES['output.avsc'],
  });
  assert.match(
    texts.map(({ text }) => text).join('\n'),
    /output\.fields\.note: event\.customer\.id may be null, and the field \(.*output\.avsc:9:5\) does not allow null/,
  );
});

test('an invalid default is found at its place, even in a record that is defined elsewhere', async () => {
  const { texts } = await prepared({
    ...NESTED,
    'event.avsc': EVENT.replace(
      '["null", "string"], "default": null },\n          {',
      '["null", "string"], "default": 7 },\n          {',
    ),
  });
  assert.equal(texts[0]?.place, 'event.avsc:13:67');
  assert.match(texts[0].text, /the default of field "zip", 7, is not null \| string/);
});

test('the place of a field is in the definition of its record', () => {
  const schema: unknown = JSON.parse(EVENT);
  assert.deepEqual(pathInSchema(schema, ['customer', 'age']), ['fields', 3, 'type', 1, 'fields', 1]);
  assert.deepEqual(pathInSchema(schema, ['billing', 'scores']), [
    ...['fields', 3, 'type', 1, 'fields', 2, 'type', 'fields', 1],
  ]);
  assert.deepEqual(pathInSchema(schema, ['amount', 'x']), ['fields', 2]);
});
