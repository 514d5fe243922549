/** Bytes that fields passed on whole take in a frame, compared with their term of the bound, for large records and for ones made to grow. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type MemoryLimits, memoryBound } from '../../../src/check/memory.ts';
import { compileAvroDecoder } from '../../../src/codecs/avro/decoder.ts';
import type { AvroType } from '../../../src/codecs/avro/schema.ts';
import { columnsOf, wholeWants } from '../../../src/codecs/avro/want-columns.ts';
import { compileJsonDecoder } from '../../../src/codecs/json/decoder.ts';
import { compileJsonEncoder } from '../../../src/codecs/json/encoder.ts';
import { growthOfJson } from '../../../src/codecs/json/growth.ts';
import type { ValueDecoder } from '../../../src/codecs/types.ts';
import { RecordSlab } from '../../../src/kernel/record-slab.ts';
import { testPlan } from '../../fixtures/plan.ts';
import { RandomAvro } from '../codecs/random-avro.ts';
import { columnsFor, mulberry32, oracle } from '../codecs/support.ts';

/** Least length of a column, which also has room for one more decimal than it holds. */
const LEAST_BYTES = 2 * 1_024;
const LIMITS: MemoryLimits = {
  ...{ brokers: 1, fetchMaxBytes: 1, inflatedMaxBytes: 1, fetchMaxRecords: 1 },
  ...{ requestBytes: 0, modelBytes: 0, schemaBytes: 0 },
};

const one = (type: unknown): object => ({ type: 'record', name: 'E', fields: [{ name: 'x', type }] });

/** Allocated and used bytes of the columns of a frame with these values. */
function held(schema: object, decoder: ValueDecoder, values: readonly Buffer[]): { bytes: number; used: number } {
  const wants = wholeWants(schema);
  const arena = Buffer.concat(values);
  const columns = columnsOf(wants, values.length, arena);
  const rows = decoder.bind(arena, columns);
  let at = 0;
  for (const [i, { length }] of values.entries()) {
    assert.ok(rows(at, at + length, i), `refused ${values[i].subarray(0, 80)}`);
    at += length;
  }
  const raw = columns.flatMap((column) => (column.kind === 'raw' ? [column] : []));
  return {
    bytes: raw.reduce((sum, column) => sum + column.bytes.length, 0),
    used: raw.reduce((sum, column) => sum + column.used, 0),
  };
}

/** The term for one byte in flight, for a plan that passes on fields of this schema. */
function termOf(schema: object, kind: 'avro' | 'json', bytes: number, records = 1): number {
  const plan = testPlan({ flow: { maxInFlight: { records, bytes } } });
  const value =
    kind === 'json'
      ? { kind, schemaFile: 'e.avsc', schema }
      : { kind, schemaFile: 'e.avsc', schema, wire: 'plain' as const, ids: [] };
  const topology = { ...plan.topology, source: { ...plan.topology.source, value } };
  const { terms } = memoryBound({ ...plan, topology, wants: wholeWants(schema) }, LIMITS);
  return terms.find(({ name }) => name === 'passed on whole')?.bytes ?? 0;
}

test('large Avro records take no more than the term says, for any type', () => {
  const filled = (length: number) => 'x'.repeat(length);
  const cases: readonly (readonly [unknown, (n: number) => unknown])[] = [
    ['string', (n) => filled(100_000 + 37 * n)],
    [{ type: 'array', items: 'double' }, (n) => new Array(20_000 + n).fill(0.5)],
    [{ type: 'map', values: ['null', 'string'] }, (n) => ({ a: { string: filled(90_000) }, [`b${n}`]: null })],
    [
      { type: 'array', items: { type: 'record', name: 'P', fields: [{ name: 'a', type: 'long' }] } },
      (n) => new Array(50_000).fill({ a: BigInt(n) }),
    ],
  ];
  for (const [type, make] of cases) {
    const schema = one(type);
    for (const count of [1, 7, 20]) {
      const values = Array.from({ length: count }, (_, n) => oracle(schema).toBuffer({ x: make(n) }));
      const inFlight = values.reduce((sum, { length }) => sum + length, 0);
      const decoder = compileAvroDecoder({ writer: schema, wants: wholeWants(schema) });
      const { bytes } = held(schema, decoder, values);
      assert.ok(bytes <= termOf(schema, 'avro', inFlight) + LEAST_BYTES, `${bytes} of ${inFlight}`);
    }
  }
});

const decimal = { logicalType: 'decimal', precision: 100, scale: 0 };
const DEFAULTS = {
  ...{ type: 'record', name: 'D' },
  fields: [
    { name: 'a', type: 'string', default: 'a default of twenty.' },
    { name: 'b', type: { type: 'array', items: 'D' }, default: [] },
  ],
};

for (const [what, type, text] of [
  ['one-digit doubles', { type: 'array', items: 'double' }, (n: number) => `[${'0,'.repeat(n)}0]`],
  ['one-digit floats', { type: 'array', items: ['null', 'float'] }, (n: number) => `[${'7,'.repeat(n)}7]`],
  ['longs with an exponent', { type: 'array', items: 'long' }, (n: number) => `[${'9e15,'.repeat(n)}1]`],
  [
    'decimals of a hundred digits',
    { type: 'array', items: { type: 'bytes', ...decimal } },
    (n: number) => `[${'9e99,'.repeat(n)}1]`,
  ],
  [
    'small decimals of a large fixed',
    { type: 'array', items: { type: 'fixed', name: 'F', size: 24, ...decimal, precision: 50 } },
    (n: number) => `[${'1,'.repeat(n)}1]`,
  ],
  ['records of defaults', { type: 'array', items: DEFAULTS }, (n: number) => `[${'{},'.repeat(n)}{}]`],
  [
    'fixed of floats',
    { type: 'map', values: { type: 'fixed', name: 'F', size: 8 } },
    (n: number) => `{${'"":[1,1],'.repeat(n)}"":[1,1]}`,
  ],
  ['long text', 'string', (n: number) => `"${'x'.repeat(n)}"`],
] as const) {
  test(`JSON that grows, ${what}: the term covers it, and is not much larger`, () => {
    const schema = one(type);
    const values = [40_000, 10_000, 3].map((n) => Buffer.from(`{"x":${text(n)}}`));
    const inFlight = values.reduce((sum, { length }) => sum + length, 0);
    const { bytes, used } = held(schema, compileJsonDecoder({ schema, wants: wholeWants(schema) }), values);
    const term = termOf(schema, 'json', inFlight, values.length);
    assert.ok(bytes <= term + LEAST_BYTES, `${bytes} of ${inFlight}, the term has ${term}`);
    assert.ok(term <= 6 * used, `${used} of ${inFlight} are used, the term has ${term}`);
  });
}

test('no value grows more than the bound for its type', () => {
  fc.assert(
    fc.property(fc.integer(), (seed) => {
      const avro = new RandomAvro(mulberry32(seed));
      const schema = avro.schema();
      const wants = wholeWants(schema);
      const value = oracle(schema).toBuffer(avro.value(schema));
      const columns = columnsFor(wants, 1, value);
      assert.ok(compileAvroDecoder({ writer: schema, wants }).bind(value, columns)(0, value.length, 0));
      const slab = new RecordSlab(1, 16);
      const fields = wants.map(({ field }, slot) => ({ name: field, source: { from: 'event' as const, slot } }));
      if (!compileJsonEncoder({ schema, fields, wants, predictions: [] }).bind(columns, [])(0, slab)) return;
      const json = Buffer.from(slab.arena.subarray(0, slab.used));
      const { used } = held(schema, compileJsonDecoder({ schema, wants }), [json]);
      const growth = Math.max(1, ...wants.map(({ type }) => growthOfJson(type as AvroType)));
      assert.ok(used <= growth * json.length, `${used} of ${json.length}, ${growth}: ${json}`);
    }),
    { seed: 61, numRuns: 800 },
  );
});

test('defaults of absent fields count as part of a record’s cost, and no type takes more than an entry may', () => {
  const costs = (text: string): number => {
    const plan = testPlan({ flow: { maxInFlight: { records: 1_000, bytes: 1 } } });
    const schema = { type: 'record', name: 'E', fields: [{ name: 'x', type: 'string', default: text }] };
    const value = { kind: 'json' as const, schemaFile: 'e.avsc', schema };
    const topology = { ...plan.topology, source: { ...plan.topology.source, value } };
    const { terms } = memoryBound({ ...plan, topology, wants: wholeWants(schema) }, LIMITS);
    return terms.find(({ name }) => name === 'in flight, records')?.bytes ?? 0;
  };
  assert.equal(costs('x'.repeat(1_000)) - costs(''), 1_000 * 2 * 1_001);
  const huge = one({ type: 'fixed', name: 'F', size: 1_000_000, ...decimal });
  assert.equal(termOf(huge, 'json', 1_000_000, 10), 2 * (16 * 1_000_000 + 10 * 65_536));
});
