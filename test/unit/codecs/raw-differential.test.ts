import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { compileAvroDecoder } from '../../../src/codecs/avro-decoder.ts';
import { parseAvroRecord } from '../../../src/codecs/avro-schema.ts';
import type { ColumnWant } from '../../../src/codecs/types.ts';
import { EvolvingAvro } from './evolving-avro.ts';
import type { RandomSchema } from './random-avro.ts';
import { decodeOne, mulberry32, oracle } from './support.ts';

/** Wants for every field, whole. */
function rawWants(schema: RandomSchema): ColumnWant[] {
  return parseAvroRecord(schema).fields.map(({ name, type }) => ({ field: name, kind: 'raw', width: 1, type }));
}

/** Our fields one behind the other are a record of the reader's: Avro has nothing between them. */
function decoded(writer: RandomSchema, reader: RandomSchema, bytes: Buffer): Buffer | undefined {
  const wants = rawWants(reader);
  const parts = decodeOne(compileAvroDecoder({ writer, reader, wants }), wants, bytes);
  return parts && Buffer.concat(parts as Buffer[]);
}

test('what goes on whole under the schema that it was written with is the bytes that avsc writes', () => {
  fc.assert(
    fc.property(fc.integer(), (seed) => {
      const avro = new EvolvingAvro(mulberry32(seed));
      const schema = avro.schema();
      const bytes = oracle(schema).toBuffer(avro.value(schema));
      assert.deepEqual(decoded(schema, schema, bytes), bytes);
    }),
    { seed: 11, numRuns: 1_500 },
  );
});

test('what goes on whole under another schema is what avsc resolves it to', () => {
  let resolved = 0;
  let refused = 0;
  fc.assert(
    fc.property(fc.integer(), (seed) => {
      const avro = new EvolvingAvro(mulberry32(seed));
      const writer = avro.schema();
      const reader = avro.evolved(writer);
      if (reader.fields.length === 0) return;
      const [from, to] = [oracle(writer), oracle(reader)];
      const value = avro.value(writer);
      const bytes = from.toBuffer(value);
      let expected: unknown;
      try {
        // Written once more: avsc leaves an int that it promotes to a float as it is.
        expected = to.fromBuffer(to.toBuffer(to.fromBuffer(bytes, to.createResolver(from) as never)));
      } catch (error) {
        assert.ok(error instanceof Error);
        // avsc refuses a schema where we refuse the record: whatever is refused, nothing else than that may come out.
        refused++;
        return;
      }
      const got = decoded(writer, reader, bytes);
      assert.ok(got, 'refused');
      assert.deepEqual(to.fromBuffer(got), expected);
      resolved++;
    }),
    { seed: 12, numRuns: 3_000 },
  );
  assert.ok(resolved > 1_500, `${resolved} resolved, ${refused} refused`);
});

test('damaged values are refused, or are values that avsc reads too', () => {
  fc.assert(
    fc.property(
      fc.integer(),
      fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 3 }),
      (seed, damage) => {
        const avro = new EvolvingAvro(mulberry32(seed));
        const writer = avro.schema();
        const reader = avro.evolved(writer);
        const bytes = oracle(writer).toBuffer(avro.value(writer));
        for (const [at, byte] of damage) if (bytes.length > 0) bytes[at % bytes.length] = byte;
        let got: Buffer | undefined;
        try {
          got = decoded(writer, reader, bytes);
        } catch (error) {
          assert.match(String(error), /cannot be read as|has no default/);
          return;
        }
        if (got !== undefined) assert.doesNotThrow(() => oracle(reader).fromBuffer(got));
      },
    ),
    { seed: 13, numRuns: 2_000 },
  );
});
