import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createDevTranscoder } from '../../../../src/commands/dev/transcoder.ts';
import { RecordSlab } from '../../../../src/kernel/record-slab.ts';
import type { Topology, ValueFormat } from '../../../../src/plan/topology.ts';
import { oracle } from '../../codecs/support.ts';

const SCHEMA = {
  type: 'record',
  name: 'Reading',
  fields: [
    { name: 'id', type: 'long' },
    { name: 'station', type: ['null', 'string'], default: null },
    { name: 'values', type: { type: 'array', items: 'double' }, default: [] },
    {
      name: 'place',
      type: ['null', { type: 'record', name: 'Place', fields: [{ name: 'lat', type: 'double' }] }],
      default: null,
    },
  ],
} as const;

function transcode(
  value: ValueFormat,
  lines: readonly string[],
  { key, schemaId }: { key?: string; schemaId?: number } = {},
) {
  const refused: string[] = [];
  const topology = { source: { topics: ['in'], value }, output: { key } } as unknown as Topology;
  const run = createDevTranscoder({
    topology,
    schemaId,
    refused: (line, reason) => refused.push(`${line}: ${reason}`),
  });
  const slab = new RecordSlab(4, 64);
  const keys: (string | null)[] = [];
  run(
    lines.map((line) => Buffer.from(line)),
    0,
    (one, append) => {
      keys.push(one?.toString() ?? null);
      append(slab, 5);
    },
  );
  const values = keys.map((_, i) => Buffer.from(slab.arena.subarray(slab.valueStart[i], slab.valueEnd[i])));
  return { keys, values, refused };
}

const avro: ValueFormat = { kind: 'avro', schemaFile: 'r.avsc', schema: SCHEMA, wire: 'confluent', ids: [] };
const json: ValueFormat = { kind: 'json', schemaFile: 'r.avsc', schema: SCHEMA };

describe('events of a file', () => {
  test('as Avro are what a reference decoder reads, nested types, defaults and large integers too', () => {
    const { values, keys, refused } = transcode(
      avro,
      ['{"id": 9007199254740993, "station": "SEA", "values": [1, 2.5], "place": {"lat": 47.5}}', '{"id": -3}'],
      { schemaId: 7, key: '{{{station}}}/{id}' },
    );
    assert.deepEqual(refused, []);
    assert.deepEqual(keys, ['{SEA}/9007199254740993', null]);
    assert.deepEqual([...values[0].subarray(0, 5)], [0, 0, 0, 0, 7]);
    const type = oracle(SCHEMA);
    assert.deepEqual(plain(type.fromBuffer(values[0].subarray(5))), {
      id: '9007199254740993',
      station: { string: 'SEA' },
      values: [1, 2.5],
      place: { Place: { lat: 47.5 } },
    });
    assert.deepEqual(plain(type.fromBuffer(values[1].subarray(5))), {
      id: '-3',
      station: null,
      values: [],
      place: null,
    });
  });

  test('say decimals, times and bytes as the path reads them in JSON', () => {
    const fields = [
      { name: 'price', type: { type: 'bytes', logicalType: 'decimal', precision: 9, scale: 2 } },
      { name: 'at', type: { type: 'long', logicalType: 'timestamp-millis' } },
      { name: 'curve', type: 'bytes' },
    ];
    const schema = { type: 'record', name: 'Sale', fields };
    const line = '{"price": 12.5, "at": "2024-05-01T12:30:00Z", "curve": [1, 2]}';
    const { values, refused } = transcode({ ...avro, schema }, [line], { schemaId: 7 });
    assert.deepEqual(refused, []);
    assert.deepEqual(plain(oracle(schema).fromBuffer(values[0].subarray(5))), {
      price: { type: 'Buffer', data: [0x04, 0xe2] },
      at: '1714566600000',
      curve: { type: 'Buffer', data: [0, 0, 0x80, 0x3f, 0, 0, 0, 0x40] },
    });
  });

  test('that are no value of the schema are left out, each with its line and field', () => {
    const { values, refused } = transcode(
      avro,
      ['{"id": 1}', 'nonsense', '[]', '{}', '{"id": "x"}', '{"id": 1, "station": 9223372036854775808}', '{"id": 2}'],
      { schemaId: 1 },
    );
    assert.equal(values.length, 2);
    assert.deepEqual(refused, [
      '2: is not a JSON object',
      '3: is not a JSON object',
      '4: has no "id", and the schema has no default for it',
      '5: "x" is no value for the field "id", long',
      '6: 9223372036854775808 is no value for the field "station", null | string',
    ]);
  });

  test('name the whole path of what does not fit inside of a record, and have keys made of such', () => {
    const inner = {
      type: 'record',
      name: 'Customer',
      fields: [
        { name: 'id', type: 'string' },
        { name: 'age', type: ['null', 'int'] },
      ],
    };
    const schema = { type: 'record', name: 'E', fields: [{ name: 'customer', type: ['null', inner] }] };
    const value = { kind: 'avro', schemaFile: 'e.avsc', schema, wire: 'plain', ids: [] } as const;
    const lines = [
      '{"customer":{"id":"K-1","age":3}}',
      '{"customer":null}',
      '{"customer":{"id":"K-2","age":"x"}}',
      '{"customer":{}}',
      '{"customer":7}',
    ];
    const { keys, refused } = transcode(value, lines, { key: 'c-{customer.id}' });
    assert.deepEqual(keys, ['c-K-1', null]);
    assert.deepEqual(refused, [
      '3: "x" is no value for the field "customer.age", null | int',
      '4: has no "customer.id", and the schema has no default for it',
      '5: 7 is no value for the field "customer", null | record Customer',
    ]);
  });

  test('may have decimals, times as text, and vectors in bytes, as events that are JSON may', () => {
    const fields = [
      { name: 'fare', type: { type: 'bytes', logicalType: 'decimal', precision: 9, scale: 2 } },
      { name: 'at', type: { type: 'long', logicalType: 'timestamp-millis' } },
      { name: 'v', type: ['null', 'bytes'], default: null },
    ];
    const schema = { type: 'record', name: 'Tap', fields };
    const { values, refused } = transcode({ kind: 'avro', schemaFile: 't.avsc', schema, wire: 'plain', ids: [] }, [
      '{"fare":12.3,"at":"2024-05-01T12:30:00Z","v":[1,0.5]}',
      '{"fare":"0.01","at":7}',
      '{"fare":0.001,"at":7}',
    ]);
    assert.deepEqual(refused, ['3: 0.001 is no value for the field "fare", decimal(9, 2)']);
    const [first, second] = values;
    assert.equal(first.readInt16BE(1), 1230);
    assert.equal(first.length, 3 + 6 + 1 + 1 + 8);
    assert.deepEqual([...second], [2, 1, 14, 0]);
  });

  test('as JSON go as they stand, faulty ones too: the pipeline says what becomes of them', () => {
    const lines = ['{"id": 1 , "station":"A"}', 'nonsense', '{"id": "x"}'];
    const { values, keys, refused } = transcode(json, lines, { key: '{id}' });
    assert.deepEqual([values.map(String), keys, refused], [lines, ['1', null, 'x'], []]);
    assert.deepEqual(transcode(json, lines).keys, [null, null, null]);
  });
});

function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value, (_, each) => (typeof each === 'bigint' ? String(each) : each)));
}
