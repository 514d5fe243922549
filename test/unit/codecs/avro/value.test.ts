import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createAvroReader, shortest } from '../../../../src/codecs/avro/value.ts';
import { RandomAvro, type RandomSchema } from '../random-avro.ts';
import { mulberry32, oracle } from '../support.ts';

const read = (schema: unknown, bytes: Buffer, start = 0): unknown => createAvroReader(schema)(bytes, start);
const written = (schema: unknown, value: unknown): Buffer => oracle(schema as RandomSchema).toBuffer(value);

const SENSOR = {
  type: 'record',
  name: 'Sensor',
  fields: [
    { name: 'id', type: 'long' },
    { name: 'name', type: ['null', 'string'] },
    { name: 'state', type: { type: 'enum', name: 'State', symbols: ['ON', 'OFF'] } },
    { name: 'ok', type: 'boolean' },
    { name: 'share', type: 'float' },
    { name: 'level', type: 'double' },
    { name: 'raw', type: 'bytes' },
    { name: 'mac', type: { type: 'fixed', name: 'Mac', size: 2 } },
    { name: 'last', type: { type: 'array', items: 'int' } },
    { name: 'tags', type: { type: 'map', values: 'string' } },
    {
      name: 'inner',
      type: { type: 'record', name: 'Inner', fields: [{ name: 'x', type: ['null', 'int', 'string'] }] },
    },
  ],
};

const VALUE = {
  id: 9n,
  name: { string: 'näh' },
  state: 'OFF',
  ok: true,
  share: Math.fround(0.1),
  level: 0.25,
  raw: Buffer.from([0, 255]),
  mac: Buffer.from([1, 2]),
  last: [-1, 0, 70_000],
  tags: { a: 'b' },
  inner: { x: { string: 'y' } },
};

test('every type becomes what a person would write', () => {
  const bytes = written(SENSOR, VALUE);
  const seen = {
    ...{ id: 9, name: 'näh', state: 'OFF', ok: true, share: 0.1, level: 0.25, raw: '0x00ff', mac: '0x0102' },
    ...{ last: [-1, 0, 70_000], tags: { a: 'b' }, inner: { x: 'y' } },
  };
  assert.deepEqual(read(SENSOR, bytes), seen);
  assert.deepEqual(read(SENSOR, Buffer.concat([Buffer.alloc(5), bytes]), 5), seen);
});

test('numbers that JSON cannot express become text', () => {
  assert.equal(read('long', written('long', 9_223_372_036_854_775_807n)), '9223372036854775807');
  assert.equal(read('long', written('long', -9_007_199_254_740_993n)), '-9007199254740993');
  assert.equal(read('double', written('double', Number.NaN)), 'NaN');
  assert.equal(read('float', written('float', Number.NEGATIVE_INFINITY)), '-Infinity');
});

test('a field named like a property of every object is a field', () => {
  const schema = { type: 'record', name: 'R', fields: [{ name: '__proto__', type: 'int' }] };
  assert.deepEqual(Object.entries(read(schema, Buffer.from([2])) as object), [['__proto__', 1]]);
});

test('bytes that end early, go on too long or are invalid are not a value', () => {
  const bytes = written(SENSOR, VALUE);
  for (let end = 0; end < bytes.length; end++) assert.equal(read(SENSOR, bytes.subarray(0, end)), undefined, `${end}`);
  assert.equal(read(SENSOR, Buffer.concat([bytes, Buffer.alloc(1)])), undefined);
  assert.equal(read('boolean', Buffer.from([2])), undefined);
  assert.equal(read(['null', 'int'], Buffer.from([4])), undefined);
  assert.equal(read('string', Buffer.from([2, 0xff])), undefined);
});

test('nested lists of nulls do not multiply', () => {
  const nulls = { type: 'array', items: { type: 'array', items: 'null' } };
  const block = written({ type: 'array', items: 'null' }, new Array(60_000).fill(null));
  assert.equal(read(nulls, Buffer.concat([Buffer.from([4]), block, block, Buffer.from([0])])), undefined);
  assert.equal(
    (read(nulls, Buffer.concat([Buffer.from([2]), block, Buffer.from([0])])) as unknown[][])[0].length,
    60_000,
  );
  const deep: Record<string, unknown> = { type: 'record', name: 'D', fields: [{ name: 'd', type: ['null', 'D'] }] };
  assert.equal(read(deep, Buffer.alloc(1_000, 2)), undefined);
});

test('everything that avsc writes is read, for any schema; other bytes never throw', () => {
  const random = mulberry32(11);
  const avro = new RandomAvro(random);
  for (let round = 0; round < 500; round++) {
    const schema = avro.schema();
    const reader = createAvroReader(schema);
    const bytes = oracle(schema).toBuffer(avro.value(schema));
    const value = reader(bytes, 0) as object;
    assert.deepEqual(
      Object.keys(value),
      schema.fields.map(({ name }) => name),
    );
    const broken = Buffer.from(bytes);
    if (broken.length > 0) broken[avro.below(broken.length)] ^= 1 << avro.below(8);
    reader(broken, 0);
  }
});

test('a float32 has as many digits as it needs', () => {
  assert.deepEqual(
    [shortest(Math.fround(0.1)), shortest(0.1), shortest(3), shortest(Math.fround(1 / 3))],
    [0.1, 0.1, 3, 0.33333334],
  );
});

test('decimals are numbers, or their digits if a number cannot hold them all', () => {
  const schema = {
    type: 'record',
    name: 'Sale',
    fields: [
      { name: 'price', type: { type: 'bytes', logicalType: 'decimal', precision: 9, scale: 2 } },
      { name: 'wei', type: { type: 'fixed', name: 'Wei', size: 16, logicalType: 'decimal', precision: 38, scale: 18 } },
    ],
  };
  const wei = Buffer.alloc(16, 0xff);
  wei[8] = 0;
  const bytes = written(schema, { price: Buffer.from([0xfb, 0x2e]), wei });
  assert.deepEqual(read(schema, bytes), { price: -12.34, wei: '-18.374686479671623681' });
});
