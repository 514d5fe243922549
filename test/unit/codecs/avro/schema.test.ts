import assert from 'node:assert/strict';
import { test } from 'node:test';
import avsc from 'avsc';
import { fieldsOf } from '../../../../src/codecs/avro/fields.ts';
import { type AvroRecord, parseAvroRecord, parseAvroSchema } from '../../../../src/codecs/avro/schema.ts';
import { RandomAvro } from '../random-avro.ts';
import { mulberry32 } from '../support.ts';

const record = (...types: unknown[]): unknown => ({
  type: 'record',
  name: 'R',
  fields: types.map((type, index) => ({ name: `f${index}`, type })),
});

test('names are resolved in their namespaces, and a recursive type is one object', () => {
  const schema = parseAvroRecord({
    type: 'record',
    name: 'Order',
    namespace: 'shop',
    fields: [
      { name: 'item', type: { type: 'fixed', name: 'Sku', size: 4 } },
      { name: 'again', type: 'Sku' },
      { name: 'full', type: 'shop.Sku' },
      { name: 'other', type: { type: 'enum', name: 'other.Level', symbols: ['A'] } },
      { name: 'parent', type: ['null', 'Order'] },
    ],
  });
  const [item, again, full, other, parent] = schema.fields.map((field) => field.type);
  assert.ok(item === again && item === full);
  assert.equal(schema.name, 'shop.Order');
  assert.equal((other as { name: string }).name, 'other.Level');
  assert.equal((parent as unknown as { branches: AvroRecord[] }).branches[1], schema);
  assert.ok(Object.isFrozen(schema) && Object.isFrozen(schema.fields) && Object.isFrozen(schema.fields[0]));
});

test('JSON that is not a schema is refused, with the place', () => {
  const bad: [unknown, RegExp][] = [
    [record('strnig'), /R?.*f0.*strnig/],
    [record({ type: 'array' }), /f0\.items/],
    [record(['int', 'int']), /f0 has int twice/],
    [record(['int', ['null']]), /union inside a union/],
    [record([]), /is an empty union/],
    [record({ type: 'enum', name: 'E', symbols: ['A', 'A'] }), /"A" twice/],
    [record({ type: 'enum', name: 'E', symbols: ['not-a-name'] }), /not-a-name/],
    [record({ type: 'enum', name: 'E', symbols: ['A'], default: 'B' }), /no symbol "B"/],
    [record({ type: 'fixed', name: 'F', size: -1 }), /size/],
    [record({ type: 'fixed', name: 'F', size: 1 }, { type: 'fixed', name: 'F', size: 1 }), /second time/],
    [record({ type: 'fixed', name: 'int', size: 1 }), /primitive/],
    [record({ type: 'fixed', name: 'a b', size: 1 }), /name/],
    [
      {
        type: 'record',
        name: 'R',
        fields: [
          { name: 'a', type: 'int' },
          { name: 'a', type: 'int' },
        ],
      },
      /second field "a"/,
    ],
    [
      { type: 'record', name: 'R', fields: [{ name: 'a.b', type: 'int' }] },
      /is named "a.b", and a name of Avro has the letters/,
    ],
    [{ type: 'record', name: 'R' }, /without "fields"/],
    [null, /neither/],
    [42, /neither/],
    [{}, /no "type"/],
    ['int', /must be an Avro record/],
  ];
  for (const [schema, message] of bad) {
    assert.throws(() => parseAvroRecord(schema), { code: 'contract-broken', message });
    if (schema !== 'int') assert.throws(() => avsc.Type.forSchema(schema as avsc.Schema));
  }
  assert.throws(() => parseAvroSchema(record('strnig'), 'schema-incompatible'), { code: 'schema-incompatible' });
});

test('an endlessly nested schema is refused, not walked', () => {
  let schema: unknown = 'int';
  for (let level = 0; level < 50_000; level++) schema = { type: 'array', items: schema };
  assert.throws(() => parseAvroSchema(schema), /64 levels/);
});

test('every schema that avsc accepts is accepted', () => {
  const avro = new RandomAvro(mulberry32(8));
  for (let round = 0; round < 500; round++) parseAvroRecord(avro.schema());
});

test('fieldsOf gives the kind of column that each field can be', () => {
  const summaries = fieldsOf(
    record(
      'int',
      { type: 'long', logicalType: 'timestamp-millis' },
      ['null', 'float'],
      ['boolean', 'null'],
      ['null', 'int', 'double'],
      ['null', 'string'],
      { type: 'enum', name: 'E', symbols: ['A'] },
      { type: 'array', items: 'float' },
      ['null', 'bytes'],
      { type: 'fixed', name: 'F', size: 12 },
      { type: 'fixed', name: 'G', size: 13 },
      { type: 'map', values: 'int' },
      ['string', 'int'],
      ['int', 'long'],
      'null',
    ),
  );
  assert.deepEqual(
    summaries.map(({ kind, nullable, width }) => `${kind}${nullable ? '?' : ''} ${width}`),
    [
      'number 1',
      'long 1',
      'number? 1',
      'number? 1',
      'number? 1',
      'string? 1',
      'string 1',
      'vector 0',
      'vector? 0',
      'vector 3',
      'other 1',
      'other 1',
      'other 1',
      'number 1',
      'other? 1',
    ],
  );
  assert.equal(summaries[1].logicalType, 'timestamp-millis');
  assert.equal(summaries[7].avroType, 'array of float');
  assert.equal(summaries[4].avroType, 'null | int | double');
});
