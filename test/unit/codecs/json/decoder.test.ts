import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compileJsonDecoder } from '../../../../src/codecs/json/decoder.ts';
import type { ColumnWant } from '../../../../src/codecs/types.ts';
import { columnsFor, decodeOne, entry, want } from '../support.ts';

const SCHEMA = {
  type: 'record',
  name: 'Event',
  fields: [
    { name: 'id', type: 'long' },
    { name: 'origin', type: ['null', 'string'], default: null },
    { name: 'distance', type: ['null', 'int'] },
    { name: 'share', type: 'float', default: 0.1 },
    { name: 'ratio', type: ['double', 'null'], default: 1 },
    { name: 'level', type: { type: 'enum', name: 'Level', symbols: ['LOW', 'HIGH'] }, default: 'HIGH' },
    { name: 'on', type: 'boolean', default: false },
    { name: 'image', type: { type: 'array', items: 'float' }, default: [1, 2] },
    { name: 'raw', type: ['null', 'bytes'], default: null },
    { name: 'other', type: { type: 'map', values: 'string' } },
  ],
};

/** The wanted fields of one JSON text; `id` is filled in if it is not wanted. */
function decode(text: string | Buffer, ...wants: ColumnWant[]): unknown[] | undefined {
  return decodeOne(compileJsonDecoder({ schema: SCHEMA, wants }), wants, Buffer.from(text));
}

test('wanted fields become columns, in any order and with any white space; others are skipped', () => {
  const text = ' {\t"x": {"origin": "no", "a": [1, {"id": 2}]}, "origin" :"ATL"\r\n, "distance":300,"id": -7 } ';
  const wants = [want('id', 'long'), want('id', 'number'), want('origin', 'string'), want('distance', 'number')];
  assert.deepEqual(decode(text, ...wants), [-7n, -7, 'ATL', 300]);
});

test('absent fields are their default, or null if the type allows it; others are refused', () => {
  const wants = [
    want('origin', 'string'),
    want('distance', 'number'),
    want('share', 'number'),
    want('ratio', 'number'),
    want('level', 'string'),
    want('on', 'number'),
    want('image', 'vector', 2),
    want('raw', 'vector', 1),
  ];
  assert.deepEqual(decode('{}', ...wants), [null, null, Math.fround(0.1), 1, 'HIGH', 0, [1, 2], null]);
  assert.equal(decode('{}', want('id', 'long')), undefined);
});

test('null is accepted only for types that allow it', () => {
  const nullable = [
    want('origin', 'string'),
    want('distance', 'number'),
    want('ratio', 'number'),
    want('raw', 'vector', 1),
  ];
  const text = '{"origin":null,"distance":null,"ratio":null,"raw":null}';
  assert.deepEqual(decode(text, ...nullable), [null, null, null, null]);
  for (const field of ['id', 'share', 'on'])
    assert.equal(decode(`{"${field}":null}`, want(field, 'number')), undefined);
  assert.equal(decode('{"level":null}', want('level', 'string')), undefined);
});

test('a value of another type is refused if it is wanted, and skipped if not', () => {
  for (const value of ['"7"', 'true', '[7]', '{"long":7}', '7.5', '9007199254740993', '1e999']) {
    assert.equal(decode(`{"id":${value}}`, want('id', 'number')), undefined, value);
    assert.deepEqual(decode(`{"id":${value}}`), []);
  }
  for (const value of ['7', 'false', '["ATL"]', '{"string":"ATL"}']) {
    assert.equal(decode(`{"origin":${value}}`, want('origin', 'string')), undefined, value);
  }
  assert.equal(decode('{"level":"MEDIUM"}', want('level', 'string')), undefined);
  assert.equal(decode('{"on":1}', want('on', 'number')), undefined);
  assert.equal(decode('{"share":true}', want('share', 'number')), undefined);
});

test('numbers outside the range of their type are refused', () => {
  const distance = want('distance', 'number');
  assert.deepEqual(decode('{"distance":2147483647}', distance), [2147483647]);
  assert.deepEqual(decode('{"distance":-2147483648}', distance), [-2147483648]);
  assert.deepEqual(decode('{"distance":1.5e2}', distance), [150]);
  assert.deepEqual(decode('{"distance":-0}', distance), [0]);
  assert.equal(decode('{"distance":2147483648}', distance), undefined);
  assert.equal(decode('{"distance":1.5}', distance), undefined);
  assert.deepEqual(decode('{"share":0.1}', want('share', 'number')), [Math.fround(0.1)]);
  assert.equal(decode('{"share":1e39}', want('share', 'number')), undefined);
  assert.deepEqual(decode('{"ratio":1e308}', want('ratio', 'number')), [1e308]);
  assert.equal(decode('{"ratio":1e309}', want('ratio', 'number')), undefined);
});

test('longs are exact to the last digit, and refused beyond 64 bits', () => {
  const id = want('id', 'long');
  for (const digits of [
    '0',
    '-0',
    '9007199254740993',
    '999999999',
    '1000000000',
    '9223372036854775807',
    '-9223372036854775808',
  ]) {
    assert.deepEqual(decode(`{"id":${digits}}`, id), [BigInt(digits)], digits);
  }
  for (const digits of [
    '9223372036854775808',
    '-9223372036854775809',
    '18446744073709551616',
    '99999999999999999999',
  ]) {
    assert.equal(decode(`{"id":${digits}}`, id), undefined, digits);
  }
  assert.deepEqual(decode('{"id":1e3}', id), [1000n]);
  assert.deepEqual(decode('{"id":-5.0}', id), [-5n]);
  assert.equal(decode('{"id":1e17}', id), undefined);
});

test('text with escapes is resolved, next to text without', () => {
  const origin = want('origin', 'string');
  assert.deepEqual(decode('{"origin":"\\"\\\\\\/\\b\\f\\n\\r\\t"}', origin), ['"\\/\b\f\n\r\t']);
  assert.deepEqual(decode('{"origin":"\\u0000a\\u00e9\\u20aC\\uD83D\\uDEEb!"}', origin), ['\0aé€🛫!']);
  assert.deepEqual(decode('{"\\u006frigin":"ATL"}', origin), ['ATL']);
  assert.deepEqual(decode('{"level":"\\u004cOW"}', want('level', 'string')), ['LOW']);
  for (const half of ['\\ud83d', '\\udeeb', '\\ud83dx', '\\ud83d\\n', '\\ud83d\\u0041', '\\udeeb\\ud83d']) {
    assert.equal(decode(`{"origin":"${half}"}`, origin), undefined, half);
  }
});

test('resolving text leaves the arena and the column’s other entries unchanged', () => {
  const wants = [want('origin', 'string'), want('level', 'string')];
  const texts = ['{"origin":"A"}', '{"origin":"\\u0042","level":"LOW"}', '{"origin":"C\\n"}', '{"origin":"D"}'];
  const arena = Buffer.from(texts.join(''));
  const before = Buffer.from(arena);
  const columns = columnsFor(wants, texts.length, arena);
  const row = compileJsonDecoder({ schema: SCHEMA, wants }).bind(arena, columns);
  let at = 0;
  for (const [i, text] of texts.entries()) {
    assert.ok(row(at, at + text.length, i));
    at += text.length;
  }
  assert.deepEqual(
    [0, 1, 2, 3].map((i) => entry(columns[0], i)),
    ['A', 'B', 'C\n', 'D'],
  );
  assert.deepEqual(
    [0, 1, 2, 3].map((i) => entry(columns[1], i)),
    ['HIGH', 'LOW', 'HIGH', 'HIGH'],
  );
  assert.deepEqual(arena, before);
});

test('if a member occurs twice, its last value counts', () => {
  const wants = [want('origin', 'string'), want('distance', 'number'), want('raw', 'vector', 1), want('id', 'long')];
  const text = '{"id":1,"origin":"A","distance":1,"raw":[1],"id":2,"origin":null,"distance":null,"raw":null}';
  assert.deepEqual(decode(text, ...wants), [null, null, null, 2n]);
  assert.deepEqual(decode('{"origin":null,"origin":"B"}', want('origin', 'string')), ['B']);
});

test('vectors are arrays of exactly the wanted width, of numbers of the item type', () => {
  assert.deepEqual(decode('{"image":[ 0.1 , -2e1 ]}', want('image', 'vector', 2)), [[Math.fround(0.1), -20]]);
  assert.deepEqual(decode('{"image":[]}', want('image', 'vector', 2)), undefined);
  assert.deepEqual(decode('{"raw":[1.5,2]}', want('raw', 'vector', 2)), [[1.5, 2]]);
  for (const image of ['[1]', '[1,2,3]', '[1,2', '[1,2,]', '[1 2]', '[1,null]', '[1,"2"]', '[1,1e39]', '1', '"12"']) {
    assert.equal(decode(`{"image":${image}}`, want('image', 'vector', 2)), undefined, image);
  }
});

test('bytes that are not UTF-8 are refused anywhere', () => {
  const bad = Buffer.concat([Buffer.from('{"x":"'), Buffer.from([0xc3, 0x28]), Buffer.from('"}')]);
  assert.equal(decode(bad), undefined);
  assert.deepEqual(decode('{"x":"é","origin":"Zürich"}', want('origin', 'string')), ['Zürich']);
});

test('nesting is limited to 64 levels, including the object itself', () => {
  const nested = (levels: number): string => `{"x":${'['.repeat(levels - 1)}${']'.repeat(levels - 1)}}`;
  assert.deepEqual(decode(nested(64)), []);
  assert.equal(decode(nested(65)), undefined);
  assert.equal(decode(`{"x":${'{"x":'.repeat(100_000)}`), undefined);
});

test('a want that the schema cannot serve is a broken contract', () => {
  for (const wanted of [
    want('nothing', 'number'),
    want('origin', 'number'),
    want('ratio', 'long'),
    want('other', 'string'),
  ]) {
    assert.throws(() => compileJsonDecoder({ schema: SCHEMA, wants: [wanted] }), { code: 'contract-broken' });
  }
  assert.throws(() => compileJsonDecoder({ schema: SCHEMA, wants: [want('image', 'vector', 3)] }), /default/);
});
