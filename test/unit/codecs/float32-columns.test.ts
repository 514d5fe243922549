import assert from 'node:assert/strict';
import { test } from 'node:test';
import avsc from 'avsc';
import { compileAvroDecoder } from '../../../src/codecs/avro/decoder.ts';
import { holdsFloat32 } from '../../../src/codecs/avro/paths.ts';
import { endVectors, float32Wants, ReusedColumns } from '../../../src/codecs/avro/want-columns.ts';
import { compileJsonDecoder } from '../../../src/codecs/json/decoder.ts';
import type { ValueDecoder } from '../../../src/codecs/types.ts';
import type { Column } from '../../../src/kernel/columns.ts';
import { columnsFor, entry, mulberry32, want } from './support.ts';

const WIDTH = 40;
const random = mulberry32(7);
const FLOATS = Array.from({ length: WIDTH }, () => Math.fround(random() * 100 - 50));
const RAW = Buffer.from(Float32Array.from(FLOATS).buffer);

function record(type: unknown, more: object = {}): object {
  return {
    type: 'record',
    name: 'R',
    fields: [
      { name: 'a', type: 'int' },
      { name: 'v', type, ...more },
      { name: 'z', type: 'int' },
    ],
  };
}

const WANTS = [want('v', 'vector', WIDTH), want('z', 'number')];

function float32Columns(schema: unknown, count: number, arena: Buffer, before?: ReusedColumns): Column[] {
  const float32 = float32Wants(schema, WANTS);
  assert.equal(float32.size, 1);
  const reused = before ?? new ReusedColumns(WANTS, count, float32);
  const columns = reused.of(count, arena);
  assert.ok(columns[0].kind === 'vector' && columns[0].values instanceof Float32Array);
  return columns;
}

/** One value in both kinds of column, each between two values that must not change; undefined: refused. */
function bothWays(decoder: ValueDecoder, schema: unknown, value: Buffer): unknown {
  const arena = Buffer.concat([Buffer.from([0xff, 0x80, 0x02]), value, Buffer.from([0x02, 0x00])]);
  const answers = [columnsFor(WANTS, 3, arena), float32Columns(schema, 3, arena)].map((columns) => {
    if (!decoder.bind(arena, columns)(3, 3 + value.length, 1)) return undefined;
    endVectors(columns);
    for (const i of [0, 2]) assert.equal(entry(columns[0], i), null);
    for (const i of [0, 2]) {
      assert.ok(columns[0].kind === 'vector');
      assert.ok([...columns[0].values.subarray(i * WIDTH, (i + 1) * WIDTH)].every(Number.isNaN), 'not there is NaN');
    }
    return columns.map((column) => entry(column, 1));
  });
  assert.deepEqual(answers[1], answers[0]);
  return answers[1];
}

const long = (value: number): Buffer => avsc.Type.forSchema('long').toBuffer(value);
const A = long(3);
const Z = long(9);

/** Blocks with these numbers of items; negative: the block states its size. */
function blocks(...counts: number[]): Buffer {
  let at = 0;
  const parts = counts.flatMap((count) => {
    const items = Math.abs(count);
    const bytes = RAW.subarray(4 * at, 4 * (at + items));
    at += items;
    return count < 0 ? [long(count), long(bytes.length), bytes] : [long(count), bytes];
  });
  return Buffer.concat([...parts, long(0)]);
}

test('a vector of floats is the same in a float32 column, however it is cut into blocks', () => {
  const schema = record({ type: 'array', items: 'float' });
  const decoder = compileAvroDecoder({ writer: schema, wants: WANTS });
  for (const counts of [[40], [-40], [10, 30], [30, -10], [-30, 10], [1, 1, 38], [26, 14]]) {
    assert.deepEqual(bothWays(decoder, schema, Buffer.concat([A, blocks(...counts), Z])), [FLOATS, 9], `${counts}`);
  }
  for (const counts of [[], [39], [30, 9], [-39], [30, 30]]) {
    const value = Buffer.concat([A, blocks(...counts), Z]);
    assert.equal(bothWays(decoder, schema, value), undefined, `${counts}`);
  }
  const whole = Buffer.concat([A, blocks(-40), Z]);
  for (let length = 0; length < whole.length; length++) {
    assert.equal(bothWays(decoder, schema, whole.subarray(0, length)), undefined, `cut to ${length}`);
  }
  const wrongSize = Buffer.concat([A, long(-40), long(164), RAW, long(0), Z]);
  assert.equal(bothWays(decoder, schema, wrongSize), undefined, 'a block that does not keep to its size');
});

test('bytes and fixed are the same in a float32 column', () => {
  const bytes = record('bytes');
  const fixed = record({ type: 'fixed', name: 'F', size: 4 * WIDTH });
  const decoder = compileAvroDecoder({ writer: bytes, wants: WANTS });
  const value = Buffer.concat([A, long(RAW.length), RAW, Z]);
  assert.deepEqual(bothWays(decoder, bytes, value), [FLOATS, 9]);
  assert.equal(bothWays(decoder, bytes, Buffer.concat([A, long(156), RAW.subarray(4), Z])), undefined);
  const other = compileAvroDecoder({ writer: fixed, wants: WANTS });
  assert.deepEqual(bothWays(other, fixed, Buffer.concat([A, RAW, Z])), [FLOATS, 9]);
});

test('nulls, defaults and promoted items are the same in a float32 column', () => {
  const nullable = record(['null', { type: 'array', items: 'float' }], { default: null });
  const decoder = compileAvroDecoder({ writer: nullable, wants: WANTS });
  assert.deepEqual(bothWays(decoder, nullable, Buffer.concat([A, long(0), Z])), [null, 9]);
  assert.deepEqual(bothWays(decoder, nullable, Buffer.concat([A, long(1), blocks(40), Z])), [FLOATS, 9]);

  const lacks = { type: 'record', name: 'R', fields: [{ name: 'z', type: 'int' }] };
  const absent = compileAvroDecoder({ writer: lacks, reader: nullable, wants: WANTS });
  assert.deepEqual(bothWays(absent, nullable, Z), [null, 9]);
  const given = record({ type: 'array', items: 'float' }, { default: FLOATS.map(() => 0.1) });
  const filled = compileAvroDecoder({ writer: lacks, reader: given, wants: WANTS });
  assert.deepEqual(bothWays(filled, given, Z), [FLOATS.map(() => Math.fround(0.1)), 9]);

  const longs = record({ type: 'array', items: 'long' });
  const floats = record({ type: 'array', items: 'float' });
  const promoted = compileAvroDecoder({ writer: longs, reader: floats, wants: WANTS });
  const items = FLOATS.map((_, k) => 2 ** 30 + k);
  const value = Buffer.concat([A, long(40), ...items.map(long), long(0), Z]);
  assert.deepEqual(bothWays(promoted, floats, value), [items.map(Math.fround), 9]);
});

test('numbers from JSON are the same in a float32 column', () => {
  const schema = record(['null', { type: 'array', items: 'float' }], { default: null });
  const decoder = compileJsonDecoder({ schema, wants: WANTS });
  const json = (v: unknown): Buffer => Buffer.from(JSON.stringify({ a: 1, v, z: 2 }));
  assert.deepEqual(bothWays(decoder, schema, json(FLOATS)), [FLOATS, 2]);
  assert.deepEqual(bothWays(decoder, schema, json(null)), [null, 2]);
  assert.equal(bothWays(decoder, schema, json([...FLOATS.slice(1), 3.5e38])), undefined);
  assert.equal(bothWays(decoder, schema, json(FLOATS.slice(1))), undefined);
  const twice = Buffer.from(`{"a":1,"v":${JSON.stringify(FLOATS)},"v":null,"z":2}`);
  assert.deepEqual(bothWays(decoder, schema, twice), [null, 2], 'the null behind a value takes it back');
});

test('reused memory keeps nothing of its old content', () => {
  const schema = record(['null', { type: 'array', items: 'float' }], { default: null });
  const decoder = compileAvroDecoder({ writer: schema, wants: WANTS });
  const reused = new ReusedColumns(WANTS, 1, float32Wants(schema, WANTS));
  const seen = [Buffer.concat([A, long(1), blocks(40), Z]), Buffer.concat([A, long(0), Z])].map((value) => {
    const columns = float32Columns(schema, 1, value, reused);
    assert.ok(decoder.bind(value, columns)(0, value.length, 0));
    endVectors(columns);
    assert.ok(columns[0].kind === 'vector');
    return [...columns[0].values];
  });
  assert.deepEqual(seen, [FLOATS, FLOATS.map(() => Number.NaN)]);
});

test('only types that can hold nothing but float32 get float32 columns', () => {
  const holds = (type: unknown): boolean => holdsFloat32(record(type), 'v');
  assert.ok(holds({ type: 'array', items: 'float' }));
  assert.ok(holds(['null', 'bytes', { type: 'array', items: 'float' }]));
  for (const items of ['double', 'int', 'long']) assert.ok(!holds({ type: 'array', items }), items);
  assert.ok(!holds(['bytes', { type: 'array', items: 'double' }]));
});
