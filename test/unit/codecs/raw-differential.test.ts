import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { compileAvroDecoder } from '../../../src/codecs/avro/decoder.ts';
import { parseAvroRecord } from '../../../src/codecs/avro/schema.ts';
import type { ColumnWant } from '../../../src/codecs/types.ts';
import { EvolvingAvro } from './evolving-avro.ts';
import type { RandomSchema } from './random-avro.ts';
import { decodeOne, mulberry32, oracle } from './support.ts';

/** Wants for every field as a whole. */
function rawWants(schema: RandomSchema): ColumnWant[] {
  return parseAvroRecord(schema).fields.map(({ name, type }) => ({ field: name, kind: 'raw', width: 1, type }));
}

/** Our fields, concatenated, are a record of the reader's schema: Avro has nothing between fields. */
function decoded(writer: RandomSchema, reader: RandomSchema, bytes: Buffer): Buffer | undefined {
  const wants = rawWants(reader);
  const parts = decodeOne(compileAvroDecoder({ writer, reader, wants }), wants, bytes);
  return parts && Buffer.concat(parts as Buffer[]);
}

test('a value passed on whole under its writer’s schema has the bytes that avsc writes', () => {
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

test('a value passed on whole under another schema is what avsc resolves it to', () => {
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
        // Written once more, because avsc leaves an int that it promotes to a float unchanged.
        expected = to.fromBuffer(to.toBuffer(to.fromBuffer(bytes, to.createResolver(from) as never)));
      } catch (error) {
        assert.ok(error instanceof Error);
        // avsc refuses the schema where we refuse the record: if either refuses, there must be no output.
        refused++;
        return;
      }
      const got = decoded(writer, reader, bytes);
      assert.ok(got, 'refused');
      assert.deepEqual(to.fromBuffer(got), expected);
      resolved++;
    }),
    { seed: 12, numRuns: 2_000 },
  );
  assert.ok(resolved > 1_000, `${resolved} resolved, ${refused} refused`);
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

const record = (name: string, fields: readonly object[]): object => ({ type: 'record', name, fields });
const event = (type: unknown): RandomSchema => ({ type: 'record', name: 'E', fields: [{ name: 'x', type }] });

test('in a union the branch with the same name comes first, in any order of branches', () => {
  const [a, b] = [record('A', [{ name: 'n', type: 'int' }]), record('B', [{ name: 'n', type: 'int' }])];
  const [low, high] = ['Low', 'High'].map((name) => ({ type: 'enum', name, symbols: ['X', 'Y'] }));
  const [writer, reader] = [event([a, b, low, high]), event([high, b, 'null', low, a])];
  for (const value of [{ A: { n: 1 } }, { B: { n: 2 } }, { Low: 'Y' }, { High: 'X' }]) {
    const got = decoded(writer, reader, oracle(writer).toBuffer({ x: value }));
    assert.deepEqual(got, oracle(reader).toBuffer({ x: value }));
  }
});

test('text that is not UTF-8 is not passed on, under the same schema or another, as a value or as the key of a map', () => {
  const map = event({ type: 'map', values: 'int' });
  const list = event({ type: 'array', items: 'string' });
  const wider = [
    [map, event({ type: 'map', values: 'double' }), Buffer.from([2, 4, 0xc3, 0x28, 2, 0])],
    [list, event({ type: 'array', items: ['null', 'string'] }), Buffer.from([2, 4, 0xc3, 0x28, 0])],
    // A block that states its length is checked too.
    [list, list, Buffer.from([1, 6, 4, 0xc3, 0x28, 0])],
  ] as const;
  for (const [writer, reader, bytes] of wider) {
    assert.equal(decoded(writer, reader, bytes), undefined);
    assert.equal(decoded(writer, writer, bytes), undefined);
    const right = Buffer.from(bytes);
    right[right.indexOf(0x28)] = 0xbc;
    assert.ok(decoded(writer, reader, right));
  }
});

test('a value that grows to many times its record is refused, whatever the default', () => {
  const [writer, long] = [record('P', []), { name: 'd', type: 'string', default: 'x'.repeat(1_000) }];
  const list = (items: object): RandomSchema => event({ type: 'array', items });
  const bytes = (count: number): Buffer => oracle(list(writer)).toBuffer({ x: Array(count).fill({}) });
  assert.ok(decoded(list(writer), list(record('P', [long])), bytes(50)));
  assert.equal(decoded(list(writer), list(record('P', [long])), bytes(60_000)), undefined);
});
