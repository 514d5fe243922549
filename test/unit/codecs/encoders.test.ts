import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { compileAvroEncoder } from '../../../src/codecs/avro/encoder.ts';
import type { ColumnShape, EncoderOptions } from '../../../src/codecs/avro/output-plan.ts';
import { compileJsonEncoder } from '../../../src/codecs/json/encoder.ts';
import type { FieldSource, ValueEncoder } from '../../../src/codecs/types.ts';
import type { Column } from '../../../src/kernel/columns.ts';
import { RecordSlab } from '../../../src/kernel/record-slab.ts';
import { labels, longs, numbers, oracle, strings, vectors } from './support.ts';

const RISK = {
  type: 'record',
  name: 'DelayRisk',
  fields: [
    { name: 'id', type: 'long' },
    { name: 'probability', type: 'float' },
    { name: 'band', type: 'string' },
    { name: 'model', type: 'string' },
  ],
};

const shapeOf = (column: Column): ColumnShape => ({
  kind: column.kind,
  width: column.kind === 'vector' ? column.width : 1,
});

function compile(
  make: (options: EncoderOptions) => ValueEncoder,
  schema: unknown,
  sources: Record<string, FieldSource>,
  events: Column[],
  predictions: Column[] = [],
): ValueEncoder {
  const fields = Object.entries(sources).map(([name, source]) => ({ name, source }));
  return make({ schema, fields, wants: events.map(shapeOf), predictions: predictions.map(shapeOf) });
}

const avro =
  (prefix = Buffer.alloc(0)) =>
  (options: EncoderOptions): ValueEncoder =>
    compileAvroEncoder({ ...options, prefix });

/** What an encoder writes for record `i`; undefined: it refused, and left the slab unchanged. */
function encode(encoder: ValueEncoder, i: number, events: Column[], predictions: Column[] = []): Buffer | undefined {
  const slab = new RecordSlab(1, 8);
  slab.append(0, Buffer.from('before'), null, null);
  const start = slab.used;
  if (!encoder.bind(events, predictions)(i, slab)) {
    assert.equal(slab.used, start);
    return undefined;
  }
  assert.equal(slab.arena.toString('utf8', 0, start), 'before');
  return Buffer.from(slab.arena.subarray(start, slab.used));
}

/** One field `f` of this type, from one column, as Avro (decoded by the oracle) and as JSON; undefined: both refuse. */
function both(type: unknown, column: Column, i = 0): { avro: unknown; json: string } | undefined {
  const schema = { type: 'record', name: 'R', fields: [{ name: 'f', type }] };
  const source: Record<string, FieldSource> = { f: { from: 'event', slot: 0 } };
  const binary = encode(compile(avro(), schema, source, [column]), i, [column]);
  const text = encode(compile(compileJsonEncoder, schema, source, [column]), i, [column]);
  assert.equal(text === undefined, binary === undefined, 'the encoders disagree about what fits');
  if (binary === undefined || text === undefined) return undefined;
  const value = (oracle(schema).fromBuffer(binary) as { f: unknown }).f;
  const isBranch = typeof value === 'object' && value !== null && !Array.isArray(value);
  return {
    avro: isBranch ? { ...value } : value,
    json: text.toString().slice('{"f":'.length, -1),
  };
}

const SOURCES: Record<string, FieldSource> = {
  id: { from: 'event', slot: 0 },
  probability: { from: 'prediction', slot: 0 },
  band: { from: 'prediction', slot: 1 },
  model: { from: 'constant', value: 'abc"é' },
};

test('a prediction as Avro after its prefix, and as JSON in the order of the schema', () => {
  const events = [longs(2_497_811n, 2n ** 62n)];
  const predictions = [numbers(0.1070476, 0.5), labels(['low', 'high'], 1, 0)];
  const prefix = Buffer.from([0, 0, 0, 0, 9]);
  const bytes = encode(compile(avro(prefix), RISK, SOURCES, events, predictions), 0, events, predictions);
  assert.deepEqual(bytes?.subarray(0, 5), prefix);
  const risk = { id: 2_497_811n, probability: Math.fround(0.1070476), band: 'high', model: 'abc"é' };
  assert.deepEqual({ ...(oracle(RISK).fromBuffer(bytes?.subarray(5) as Buffer) as object) }, risk);
  const encoder = compile(compileJsonEncoder, RISK, SOURCES, events, predictions);
  assert.equal(
    encode(encoder, 0, events, predictions)?.toString(),
    '{"id":2497811,"probability":0.1070476,"band":"high","model":"abc\\"é"}',
  );
  assert.equal(
    encode(encoder, 1, events, predictions)?.toString(),
    '{"id":4611686018427387904,"probability":0.5,"band":"low","model":"abc\\"é"}',
  );
});

test('a missing value is null if the type allows it, and refused otherwise', () => {
  const missing: [unknown, Column][] = [
    ['double', numbers(Number.NaN)],
    ['long', longs(null)],
    ['string', strings(null)],
    ['string', labels(['a'], -1)],
    [{ type: 'array', items: 'float' }, vectors(2, null)],
  ];
  for (const [type, column] of missing) {
    assert.equal(both(type, column), undefined);
    assert.deepEqual(both(['null', type], column), { avro: null, json: 'null' });
    assert.deepEqual(both([type, 'null'], column), { avro: null, json: 'null' });
  }
});

test('numbers fit their type or are refused', () => {
  const fits: [unknown, number, unknown, string][] = [
    ['int', 2147483647, 2147483647, '2147483647'],
    ['int', -0, 0, '0'],
    ['long', -(2 ** 53 - 1), -(2n ** 53n - 1n), '-9007199254740991'],
    ['float', 0.1, Math.fround(0.1), '0.1'],
    ['double', 0.1, 0.1, '0.1'],
    ['double', 1e21, 1e21, '1e+21'],
    ['boolean', 1, true, 'true'],
    ['boolean', 0, false, 'false'],
  ];
  for (const [type, value, binary, text] of fits)
    assert.deepEqual(both(type, numbers(value)), { avro: binary, json: text });
  const unfit: [unknown, number][] = [
    ['int', 2147483648],
    ['int', 0.5],
    ['int', Infinity],
    ['long', 2 ** 53],
    ['long', 0.5],
    ['float', 1e39],
    ['float', -Infinity],
    ['double', Infinity],
    ['boolean', 2],
  ];
  for (const [type, value] of unfit) assert.equal(both(type, numbers(value)), undefined, `${type} ${value}`);
  assert.deepEqual(both(['null', 'int', 'double'], numbers(3)), { avro: { double: 3 }, json: '3' });
});

test('longs keep every bit; narrower types accept them only if they fit', () => {
  const edge = [
    0n,
    -1n,
    63n,
    -64n,
    2n ** 31n,
    -(2n ** 31n),
    2n ** 32n,
    2n ** 53n + 1n,
    2n ** 63n - 1n,
    -(2n ** 63n),
    -(2n ** 32n),
  ];
  fc.assert(
    fc.property(fc.oneof(fc.constantFrom(...edge), fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n)), (value) => {
      const column = longs(value);
      assert.deepEqual(both('long', column), { avro: value, json: String(value) });
      const small = value === BigInt.asIntN(32, value);
      assert.deepEqual(both('int', column), small ? { avro: Number(value), json: String(value) } : undefined);
      const safe = Number.isSafeInteger(Number(value));
      assert.deepEqual(both('double', column), safe ? { avro: Number(value), json: String(value) } : undefined);
    }),
    { seed: 1, numRuns: 500 },
  );
});

test('text of any kind and length is written unchanged', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: 'binary', maxLength: 80 }), fc.string({ maxLength: 5 })), (text) => {
      assert.deepEqual(both('string', strings(text)), { avro: text, json: JSON.stringify(text) });
      assert.deepEqual(both(['null', 'string'], labels([text], 0)), {
        avro: { string: text },
        json: JSON.stringify(text),
      });
    }),
    { seed: 2, numRuns: 500 },
  );
});

test('symbols of an enum, from text and from labels', () => {
  const level = { type: 'enum', name: 'Level', symbols: ['LOW', 'HIGH', 'HIGHER'] };
  assert.deepEqual(both(level, strings('HIGH')), { avro: 'HIGH', json: '"HIGH"' });
  assert.deepEqual(both(['null', level], labels(['x', 'HIGHER'], 1)), { avro: { Level: 'HIGHER' }, json: '"HIGHER"' });
  assert.equal(both(level, labels(['x', 'HIGHER'], 0)), undefined);
  assert.equal(both(level, strings('HIG')), undefined);
});

test('vectors are written if every number fits the item type, and refused otherwise', () => {
  const column = vectors(2, [0.1, -2], [1e39, 0], [Number.NaN, 0]);
  assert.deepEqual(both({ type: 'array', items: 'float' }, column), { avro: [Math.fround(0.1), -2], json: '[0.1,-2]' });
  assert.equal(both({ type: 'array', items: 'float' }, column, 1), undefined);
  assert.equal(both({ type: 'array', items: 'float' }, column, 2), undefined);
  assert.deepEqual(both({ type: 'array', items: 'double' }, column, 1), { avro: [1e39, 0], json: '[1e+39,0]' });
  assert.equal(both({ type: 'array', items: 'int' }, column), undefined);
  assert.deepEqual(both({ type: 'array', items: 'double' }, vectors(0, [])), { avro: [], json: '[]' });
});

test('fields without a source are written as their default', () => {
  const schema = {
    type: 'record',
    name: 'R',
    fields: [
      { name: 'a', type: ['null', 'int'], default: null },
      { name: 'f', type: 'int' },
      { name: 'b', type: { type: 'map', values: 'int' }, default: { k: -5 } },
      {
        name: 'c',
        type: {
          type: 'record',
          name: 'S',
          fields: [
            { name: 'x', type: 'double' },
            { name: 'y', type: 'bytes' },
          ],
        },
        default: { x: 1.5, y: '\u00ff' },
      },
      { name: 'd', type: { type: 'array', items: ['int', 'string'] }, default: [1, 2] },
      { name: 'e', type: { type: 'enum', name: 'E', symbols: ['A', 'B'] }, default: 'B' },
      { name: 'g', type: 'boolean', default: true },
      { name: 'h', type: 'float', default: 0.5 },
      { name: 'i', type: { type: 'fixed', name: 'F', size: 2 }, default: '\u0001\u0080' },
    ],
  };
  const column = numbers(7);
  const source: Record<string, FieldSource> = { f: { from: 'event', slot: 0 } };
  const bytes = encode(compile(avro(), schema, source, [column]), 0, [column]) as Buffer;
  const read = JSON.parse(
    JSON.stringify(oracle(schema).fromBuffer(bytes), (_, v) => (typeof v === 'bigint' ? Number(v) : v)),
  );
  assert.deepEqual(read, {
    a: null,
    f: 7,
    b: { k: -5 },
    c: { x: 1.5, y: { type: 'Buffer', data: [255] } },
    d: [{ int: 1 }, { int: 2 }],
    e: 'B',
    g: true,
    h: 0.5,
    i: { type: 'Buffer', data: [1, 128] },
  });
  const text = encode(compile(compileJsonEncoder, schema, source, [column]), 0, [column]) as Buffer;
  assert.deepEqual(JSON.parse(text.toString()), {
    ...read,
    c: { x: 1.5, y: '\u00ff' },
    d: [1, 2],
    i: '\u0001\u0080',
  });
});

test('an output that can never fit the schema is a broken contract, reported on compilation', () => {
  const one = (type: unknown): unknown => ({ type: 'record', name: 'R', fields: [{ name: 'f', type }] });
  const from: FieldSource = { from: 'event', slot: 0 };
  const cases: [unknown, Record<string, FieldSource>, Column[], RegExp][] = [
    [RISK, { ...SOURCES, bnad: from }, [], /no field "bnad".*band/],
    [one('int'), {}, [], /"f".*no default/],
    [one('int'), { f: from }, [], /column 0/],
    [one('string'), { f: from }, [numbers(1)], /"f" is string.*number/],
    [one('float'), { f: from }, [longs(1n)], /"f" is float.*long/],
    [one('int'), { f: from }, [vectors(3, null)], /vector of 3/],
    [one('int'), { f: { from: 'constant', value: 'x' } }, [], /"x".*"f"/],
    [one({ type: 'enum', name: 'E', symbols: ['A'] }), { f: { from: 'constant', value: 'B' } }, [], /"B".*"f"/],
    [{ type: 'record', name: 'R', fields: [{ name: 'f', type: 'int', default: 'x' }] }, {}, [], /"x".*"f"/],
  ];
  for (const make of [avro(), compileJsonEncoder]) {
    for (const [schema, sources, events, message] of cases) {
      assert.throws(() => compile(make, schema, sources, events), { code: 'contract-broken', message });
    }
    const bound = compile(make, one('double'), { f: from }, [numbers(1)]);
    assert.throws(() => bound.bind([longs(1n)], []), { code: 'invariant-broken' });
    const twice = [
      { name: 'f', source: from },
      { name: 'f', source: from },
    ];
    assert.throws(
      () => make({ schema: one('double'), fields: twice, wants: [shapeOf(numbers(1))], predictions: [] }),
      /twice/,
    );
  }
});
