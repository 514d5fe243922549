import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compileAvroDecoder } from '../../../src/codecs/avro/decoder.ts';
import { compileAvroEncoder } from '../../../src/codecs/avro/encoder.ts';
import { fieldsOf } from '../../../src/codecs/avro/fields.ts';
import type { ColumnWant } from '../../../src/codecs/types.ts';
import { RecordSlab } from '../../../src/kernel/record-slab.ts';
import { expected, RandomAvro, type RandomSchema } from './random-avro.ts';
import { columnsFor, decodeOne, mulberry32, oracle } from './support.ts';

/** Wants for the fields that can be columns; the first value gives the width of a vector. */
function wantsOf(schema: RandomSchema, value: Record<string, unknown>): ColumnWant[] {
  return fieldsOf(schema).flatMap((field): ColumnWant[] => {
    if (field.kind === 'other') return [];
    if (field.kind !== 'vector') return [{ field: field.name, kind: field.kind, width: 1 }];
    const sample = Object.values({ v: value[field.name] }).flatMap((v) =>
      v !== null && !Array.isArray(v) && !Buffer.isBuffer(v) ? Object.values(v as object) : [v],
    )[0];
    const width = Buffer.isBuffer(sample) ? sample.length / 4 : Array.isArray(sample) ? sample.length : 2;
    return [{ field: field.name, kind: 'vector', width }];
  });
}

test('what avsc writes, the decoder reads: any schema, any value, any choice of fields', () => {
  const random = mulberry32(20_240_601);
  const avro = new RandomAvro(random);
  let refused = 0;
  let read = 0;
  for (let round = 0; round < 1_500; round++) {
    const schema = avro.schema();
    const type = oracle(schema);
    const first = avro.value(schema) as Record<string, unknown>;
    const wants = wantsOf(schema, first).filter(() => random() < 0.8);
    const decoder = compileAvroDecoder({ writer: schema, wants });
    for (const value of [first, avro.value(schema), avro.value(schema)] as Record<string, unknown>[]) {
      const expectations = wants.map((want) => expected(value[want.field], want));
      const decoded = decodeOne(decoder, wants, type.toBuffer(value));
      if (expectations.includes(undefined)) {
        refused++;
        assert.equal(decoded, undefined, JSON.stringify({ schema, wants }));
      } else {
        read++;
        assert.deepEqual(decoded, expectations, JSON.stringify({ schema, wants }));
      }
    }
  }
  assert.ok(read > 2_000 && refused > 100, `${read} read, ${refused} refused`);
});

test('what the encoder writes is what avsc writes, byte for byte', () => {
  const random = mulberry32(77);
  const avro = new RandomAvro(random);
  let written = 0;
  for (let round = 0; round < 1_000; round++) {
    const schema = avro.flatSchema();
    const type = oracle(schema);
    const value = avro.value(schema) as Record<string, unknown>;
    const wants = wantsOf(schema, value);
    const bytes = type.toBuffer(value);
    const columns = columnsFor(wants, 1, bytes);
    assert.ok(compileAvroDecoder({ writer: schema, wants }).bind(bytes, columns)(0, bytes.length, 0));
    const prefix = Buffer.from([0, 0, 0, 1, 2]);
    const fields = wants.map(({ field }, slot) => ({ name: field, source: { from: 'event' as const, slot } }));
    const encoder = compileAvroEncoder({ schema, fields, wants, predictions: [], prefix });
    const slab = new RecordSlab(1, 16);
    slab.append(0, Buffer.from('key'), null, null);
    const start = slab.used;
    const fits = encoder.bind(columns, [])(0, slab);
    const finite = !JSON.stringify(Object.values(value), (_, v) =>
      typeof v === 'bigint' ? 0 : Math.abs(v) === Infinity ? 'inf' : v,
    ).includes('"inf"');
    assert.equal(fits, finite);
    if (!fits) {
      assert.equal(slab.used, start);
      continue;
    }
    written++;
    assert.deepEqual(slab.arena.subarray(start, slab.used), Buffer.concat([prefix, bytes]));
  }
  assert.ok(written > 500, `${written} written`);
});
