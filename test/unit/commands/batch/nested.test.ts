import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { SchemaElement } from 'hyparquet';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { type Ran, runHere } from '../../../fixtures/io.ts';
import { container } from './avro-files.ts';

/** A topology that reads records inside of its events, made by `init`, over the same events in every format. */
const folder = mkdtempSync(join(tmpdir(), 'sluice-nested-'));
after(() => rmSync(folder, { recursive: true }));
const at = (...parts: string[]): string => join(folder, ...parts);

const record = (name: string, ...fields: object[]): object => ({ type: 'record', name, fields });
const PLACE = record('Place', { name: 'lat', type: 'double' }, { name: 'zip', type: 'string' });
const CUSTOMER = record(
  'Customer',
  { name: 'age', type: ['null', 'int'], default: null },
  { name: 'place', type: PLACE },
  { name: 'joined', type: { type: 'long', logicalType: 'timestamp-micros' } },
);
/** Before customers had an age. */
const CUSTOMER_OF_OLD = record('Customer', { name: 'joined', type: 'long' }, { name: 'place', type: PLACE });
const SCHEMA = record(
  'Payment',
  { name: 'id', type: 'long' },
  { name: 'amount', type: 'double' },
  { name: 'customer', type: ['null', CUSTOMER], default: null },
  { name: 'shop', type: 'Place' },
);

const person = (age: number | null, lat: number) => ({
  age,
  place: { lat, zip: `z${lat}` },
  joined: 1_700_000_000_000_123,
});
const EVENTS = [
  { id: 1, amount: 1, customer: person(2, 0.525), shop: { lat: 0.481, zip: 's' } },
  { id: 2, amount: 0.5, customer: person(null, -0.25), shop: { lat: 0, zip: '' } },
  { id: 3, amount: 2, customer: null, shop: { lat: 1.5, zip: 'é' } },
];

writeFileSync(at('payment.avsc'), JSON.stringify(SCHEMA));
const init = ['init', at('shop'), '--event', at('payment.avsc'), '--model', 'models/hello/1/model.onnx'];
const made = await runHere([...init, '--name', 'shop']);

function batch(name: string, content: string | Buffer): Promise<Ran> {
  writeFileSync(at(name), content);
  return runHere(['batch', at('shop', 'shop.yaml'), '--input', at(name), '--output', '-']);
}
const lines = EVENTS.map((event) => `${JSON.stringify(event)}\n`).join('');

test('init reads numbers of inner records, in the place of the record, and what it wrote fits', async () => {
  assert.equal(made.code, 0, made.stderr);
  assert.match(made.stderr, /It fits/);
  const bundle = readFileSync(at('shop', 'models', 'shop', '1', 'bundle.yaml'), 'utf8');
  assert.match(
    bundle,
    / {4}amount: event\.amount\n {4}customer_age: event\.customer\.age \?\? 0 .*\n {4}customer_place_lat: event\.customer\.place\.lat \?\? 0 .*\n {4}shop_lat: event\.shop\.lat\n/,
  );
  assert.match(
    bundle,
    /# customer\.place\.zip is text: a column a value, customer_place_zip_A: event\.customer\.place\.zip == "A"/,
  );
  assert.match(
    bundle,
    /# customer\.joined is a time: such as tod: cyclic\(mod\(floorDiv\(event\.customer\.joined, 60000000\)/,
  );
  for (const command of ['check', 'test']) {
    const { code, stderr } = await runHere([command, at('shop', 'shop.yaml')]);
    assert.equal(code, 0, stderr);
  }
});

test('cases have records inside of their events, and are warned of fields that the schema does not know', async () => {
  const event = { ...EVENTS[0], customer: { ...EVENTS[0].customer, agee: 1, place: { lat: 1, zip: 'z', zap: 2 } } };
  const cases = at('shop', 'more.cases.yaml');
  writeFileSync(cases, `cases:\n  - name: one\n    event: ${JSON.stringify(event)}\n    expect: { id: 1 }\n`);
  const { code, stderr } = await runHere(['test', at('shop', 'shop.yaml'), '--cases', cases]);
  assert.equal(code, 0, stderr);
  assert.match(
    stderr,
    /more\.cases\.yaml:3:\d+ warning: cases\[0\]\.event\.customer\.agee: record Customer of the schema has no field "agee"; did you mean "age"\?/,
  );
  assert.match(
    stderr,
    /event\.customer\.place\.zap: record Place of the schema has no field "zap"; did you mean "zip"\?/,
  );
});

test('an Avro container and Parquet are scored as JSON Lines are', async () => {
  const { code, stdout, stderr } = await batch('lines.jsonl', lines);
  assert.equal(code, 0, stderr);
  assert.equal(stdout.trim().split('\n').length, 3);
  assert.equal((await batch('container.avro', container(SCHEMA, EVENTS, 'deflate'))).stdout, stdout);
  const older = record(
    'Payment',
    { name: 'shop', type: record('Laden', { name: 'zip', type: 'string' }, { name: 'lat', type: 'float' }) },
    { name: 'customer', type: [CUSTOMER_OF_OLD, 'null'] },
    { name: 'amount', type: 'int' },
    { name: 'id', type: 'int' },
  );
  const whole = [{ id: 9, amount: 2, customer: null, shop: { lat: 1.5, zip: 'é' } }];
  const before = await batch('older.avro', container(older, whole, 'null'));
  assert.deepEqual(JSON.parse(before.stdout), { ...JSON.parse(stdout.trim().split('\n')[2]), id: 9 }, before.stderr);
  const parquet = await batch('structs.parquet', parquetOf(EVENTS));
  assert.deepEqual([parquet.stderr.includes('3 predictions'), parquet.stdout], [true, stdout], parquet.stderr);
});

test('times inside of structs keep all of their digits', async () => {
  const next = at('shop', 'models', 'shop', '2');
  cpSync(at('shop', 'models', 'shop', '1'), next, { recursive: true });
  const text = readFileSync(join(next, 'bundle.yaml'), 'utf8')
    .replace('version: 1', 'version: 2')
    .replace(/customer_age: .*/, 'micros: mod(event.customer.joined ?? 0, 1000) / 100')
    .replace(/^golden: .*$/m, '');
  writeFileSync(join(next, 'bundle.yaml'), text);
  const expected = await batch('lines.jsonl', lines);
  assert.match(expected.stdout, /shop@2/, expected.stderr);
  assert.equal((await batch('structs.parquet', parquetOf(EVENTS))).stdout, expected.stdout);
  rmSync(next, { recursive: true });
});

test('a value of the wrong type is a dead letter, and explain names the whole path', async () => {
  const wrong = [
    [
      { ...EVENTS[0], customer: { ...person(1, 2), age: 'old' } },
      /field customer\.age is not what .*: "old" is no value for the field "customer\.age", null \| int/,
    ],
    [
      { ...EVENTS[0], customer: { ...person(1, 2), place: { zip: '' } } },
      /field customer\.place\.lat is not what .*: the value has no "customer\.place\.lat"/,
    ],
    [
      { ...EVENTS[0], shop: null },
      /field shop\.lat is not what .*: null is no value for the field "shop", record Place/,
    ],
    [{ ...EVENTS[0], customer: 7 }, /says: 7 is no value for the field "customer", null \| record Customer$/m],
  ] as const;
  writeFileSync(at('wrong.jsonl'), wrong.map(([event]) => `${JSON.stringify(event)}\n`).join(''));
  for (const [k, [, said]] of wrong.entries()) {
    const explain = ['explain', at('shop', 'shop.yaml'), '--input', at('wrong.jsonl'), '--line', String(k + 1)];
    assert.match((await runHere(explain)).stdout, said);
  }
});

test('CSV is refused with the paths that it cannot have, and a Parquet file that lacks one with its path', async () => {
  const csv = await batch('rows.csv', 'id,amount,customer,shop\n1,2,,\n');
  assert.equal(csv.code, 2);
  assert.match(
    csv.stderr,
    /rows\.csv is CSV, .* reads event\.customer\.age, event\.customer\.place\.lat, event\.shop\.lat: give JSON Lines, Avro or Parquet/,
  );
  const parquet = await batch('less.parquet', parquetOf(EVENTS, 'latitude'));
  assert.notEqual(parquet.code, 0);
  assert.match(
    parquet.stderr,
    /less\.parquet has no column shop\.lat, which the topology needs; it has shop\.latitude, shop\.zip/,
  );
});

/** Parquet with structs, the customer's optional. */
function parquetOf(events: typeof EVENTS, lat = 'lat'): Buffer {
  const group = (name: string, count: number, repetition_type: 'OPTIONAL' | 'REQUIRED'): SchemaElement => ({
    ...{ name, num_children: count, repetition_type },
  });
  const leaf = (name: string, type: SchemaElement['type'], more: Partial<SchemaElement> = {}): SchemaElement => ({
    ...{ name, type, repetition_type: 'REQUIRED', ...more },
  });
  const text = { converted_type: 'UTF8' } as const;
  const schema: SchemaElement[] = [
    { name: 'root', num_children: 4 },
    leaf('id', 'INT64'),
    leaf('amount', 'DOUBLE'),
    group('customer', 3, 'OPTIONAL'),
    leaf('age', 'INT64', { repetition_type: 'OPTIONAL' }),
    group('place', 2, 'REQUIRED'),
    leaf('lat', 'DOUBLE'),
    leaf('zip', 'BYTE_ARRAY', text),
    leaf('joined', 'INT64', { converted_type: 'TIMESTAMP_MICROS' }),
    group('shop', 2, 'REQUIRED'),
    leaf(lat, 'DOUBLE'),
    leaf('zip', 'BYTE_ARRAY', text),
  ];
  const whole = events.map(({ customer, shop, ...rest }) => ({
    ...rest,
    shop: { [lat]: shop.lat, zip: shop.zip },
    customer:
      customer === null
        ? null
        : { ...customer, age: customer.age === null ? null : BigInt(customer.age), joined: BigInt(customer.joined) },
  }));
  const column = (name: 'id' | 'amount' | 'customer' | 'shop') => ({
    name,
    data: whole.map((row) => (name === 'id' ? BigInt(row.id) : row[name])),
  });
  const columnData = [column('id'), column('amount'), column('customer'), column('shop')];
  return Buffer.from(parquetWriteBuffer({ columnData, schema }));
}
