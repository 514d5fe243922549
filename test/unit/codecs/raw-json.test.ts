import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { compileAvroDecoder } from '../../../src/codecs/avro/decoder.ts';
import { parseAvroRecord } from '../../../src/codecs/avro/schema.ts';
import { compileJsonDecoder } from '../../../src/codecs/json/decoder.ts';
import { compileJsonEncoder } from '../../../src/codecs/json/encoder.ts';
import type { ColumnWant, ValueDecoder } from '../../../src/codecs/types.ts';
import { RecordSlab } from '../../../src/kernel/record-slab.ts';
import { isSameJson, mayFail, parseDigits } from '../../fixtures/type-matrix/outputs.ts';
import { meaningOf } from '../../fixtures/type-matrix/values.ts';
import { RandomAvro, type RandomSchema } from './random-avro.ts';
import { columnsFor, decodeOne, mulberry32, oracle } from './support.ts';

function rawWants(schema: RandomSchema): ColumnWant[] {
  return parseAvroRecord(schema).fields.map(({ name, type }) => ({ field: name, kind: 'raw', width: 1, type }));
}

/** A value decoded and written as JSON, every field as a whole; undefined: JSON cannot express it. */
function asJson(schema: RandomSchema, decoder: ValueDecoder, value: Buffer): Buffer | undefined {
  const wants = rawWants(schema);
  const columns = columnsFor(wants, 1, value);
  assert.ok(decoder.bind(value, columns)(0, value.length, 0), `refused ${value}`);
  const fields = wants.map(({ field }, slot) => ({ name: field, source: { from: 'event' as const, slot } }));
  const slab = new RecordSlab(1, 16);
  const fits = compileJsonEncoder({ schema, fields, wants, predictions: [] }).bind(columns, [])(0, slab);
  return fits ? Buffer.from(slab.arena.subarray(0, slab.used)) : undefined;
}

test('a value from Avro becomes the equivalent JSON, and passes through JSON again unchanged', () => {
  let written = 0;
  fc.assert(
    fc.property(fc.integer(), (seed) => {
      const avro = new RandomAvro(mulberry32(seed));
      const schema = avro.schema();
      const value = avro.value(schema);
      const meaning = meaningOf(schema, value);
      const bytes = oracle(schema).toBuffer(value);
      const json = asJson(schema, compileAvroDecoder({ writer: schema, wants: rawWants(schema) }), bytes);
      if (json === undefined) return assert.ok(mayFail(meaning), 'not written');
      written++;
      const got = parseDigits(json.toString());
      assert.ok(isSameJson(meaning, got), `${json}`);
      const again = asJson(schema, compileJsonDecoder({ schema, wants: rawWants(schema) }), json);
      assert.deepEqual(String(again), String(json));
    }),
    { seed: 21, numRuns: 1_500 },
  );
  assert.ok(written > 800, `${written} written`);
});

test('damaged JSON is refused, or is a value of the schema that avsc reads too', () => {
  let read = 0;
  const damage = fc.array(fc.tuple(fc.nat(), fc.constantFrom(...'{}[]",:0-9.etnul\\ x')), {
    minLength: 1,
    maxLength: 3,
  });
  fc.assert(
    fc.property(fc.integer(), damage, (seed, places) => {
      const avro = new RandomAvro(mulberry32(seed));
      const schema = avro.schema();
      const bytes = oracle(schema).toBuffer(avro.value(schema));
      const json = asJson(schema, compileAvroDecoder({ writer: schema, wants: rawWants(schema) }), bytes);
      if (json === undefined) return;
      for (const [at, byte] of places) json[at % json.length] = byte.charCodeAt(0);
      const wants = rawWants(schema);
      const parts = decodeOne(compileJsonDecoder({ schema, wants }), wants, json);
      if (parts === undefined) return;
      read++;
      assert.doesNotThrow(() => oracle(schema).fromBuffer(Buffer.concat(parts as Buffer[])), `${json}`);
      assert.doesNotThrow(() => JSON.parse(json.toString()), `${json}`);
    }),
    { seed: 22, numRuns: 2_000 },
  );
  assert.ok(read > 100, `${read} read`);
});

test('members in any order, absent ones, and unknown ones', () => {
  const point = {
    type: 'record',
    name: 'P',
    fields: [
      { name: 'x', type: 'int' },
      { name: 'y', type: ['null', 'string'] },
      { name: 'z', type: 'double', default: 0.5 },
    ],
  };
  const schema = {
    type: 'record',
    name: 'E',
    fields: [{ name: 'p', type: ['null', point, { type: 'map', values: 'long' }] }],
  };
  const wants = rawWants(schema as RandomSchema);
  const read = (text: string): unknown => {
    const parts = decodeOne(compileJsonDecoder({ schema, wants }), wants, Buffer.from(text));
    return parts && (oracle(schema).fromBuffer(Buffer.concat(parts as Buffer[])) as { p: unknown }).p;
  };
  const plain = (value: unknown): unknown =>
    JSON.parse(JSON.stringify(value, (_, v) => (typeof v === 'bigint' ? Number(v) : v)));
  for (const [text, expected] of [
    ['{"p":{"z":2,"n":[{}],"y":"a\\u00fc","x":1}}', { P: { x: 1, y: { string: 'aü' }, z: 2 } }],
    ['{"p":{"x":1}}', { P: { x: 1, y: null, z: 0.5 } }],
    ['{"p":{"x":1,"x":2}}', { P: { x: 2, y: null, z: 0.5 } }],
    ['{"p":{"a":1,"b":-2}}', { map: { a: 1, b: -2 } }],
    ['{"p":null}', null],
    ['{}', null],
  ] as const) {
    assert.deepEqual(plain(read(text)), expected, text);
  }
  for (const text of ['{"p":{"x":1.5}}', '{"p":[]}', '{"p":"x"}', '{"p":{"x":1,"y":2}}'])
    assert.equal(read(text), undefined, text);
});
