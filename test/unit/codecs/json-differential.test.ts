import assert from 'node:assert/strict';
import { isUtf8 } from 'node:buffer';
import { test } from 'node:test';
import fc from 'fast-check';
import { compileJsonDecoder } from '../../../src/codecs/json/decoder.ts';
import { columnsFor, decodeOne, entry, mulberry32, want } from './support.ts';

const SCHEMA = {
  type: 'record',
  name: 'Event',
  fields: [
    { name: 'a', type: ['null', 'double'] },
    { name: 'b', type: ['null', 'string'] },
    { name: 'c', type: ['null', 'long'] },
  ],
};
const WANTS = [want('a', 'number'), want('b', 'string'), want('c', 'long')];

/** What JSON.parse makes of it; undefined: it is not an object in UTF-8. */
function parsed(text: Buffer): Record<string, unknown> | undefined {
  if (!isUtf8(text)) return undefined;
  try {
    const value: unknown = JSON.parse(text.toString());
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch (error) {
    assert.ok(error instanceof SyntaxError);
    return undefined;
  }
}

test('damaged JSON is accepted exactly if JSON.parse accepts it, whatever bytes are around it', () => {
  const random = mulberry32(99);
  const below = (limit: number): number => Math.floor(random() * limit);
  const seeds = [
    '{"a":1.5,"b":"x\\u00e9\\n","c":12,"d":[true,false,null,{"e":[]}]}',
    ' { "a" : -0.25e+3 , "z" : { "a" : [ 1 , 2 ] , "q" : "" } , "b" : "Zürich" } ',
    '{"x":[[],[{}],"\\\\",-1e-7,0],"b":"\\ud83d\\udeeb"}',
    '{}',
  ].map((text) => Buffer.from(text));
  const alphabet = Buffer.from('{}[]":,\\ \n\t0123456789eE+-.truefalsn\u0000\u001f/u\u00e9');
  const decoder = compileJsonDecoder({ schema: SCHEMA, wants: [] });
  const arena = Buffer.alloc(256);
  const row = decoder.bind(arena, []);
  let taken = 0;
  for (let k = 0; k < 200_000; k++) {
    let text = Buffer.from(seeds[below(seeds.length)]);
    for (let n = below(4); n > 0; n--) {
      const at = below(text.length + 1);
      const how = below(4);
      const byte = Buffer.from([below(8) === 0 ? below(256) : alphabet[below(alphabet.length)]]);
      text = Buffer.concat([
        text.subarray(0, at),
        how === 0 ? Buffer.alloc(0) : byte,
        text.subarray(how === 3 ? at : at + 1),
      ]);
    }
    arena.fill('"}],1 '.charCodeAt(below(6)));
    arena.set(text, 5);
    const accepts = row(5, 5 + text.length, 0);
    if (accepts !== (parsed(text) !== undefined)) assert.fail(`${accepts}: ${JSON.stringify(text.toString('latin1'))}`);
    if (accepts) taken++;
  }
  assert.ok(taken > 40_000 && taken < 160_000, `${taken} taken`);
});

test('values are those that JSON.parse gives', () => {
  const decoder = compileJsonDecoder({ schema: SCHEMA, wants: WANTS });
  const event = fc.record(
    {
      a: fc.option(fc.double({ noNaN: true, noDefaultInfinity: true })),
      b: fc.option(fc.string({ unit: 'binary' })),
      c: fc.option(fc.maxSafeInteger()),
      z: fc.jsonValue({ maxDepth: 4 }),
    },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(event, fc.constantFrom(undefined, 1, '\t'), (value, space) => {
      const text = JSON.stringify(value, null, space);
      const { a, b, c } = JSON.parse(text) as { a?: number; b?: string; c?: number };
      const decoded = decodeOne(decoder, WANTS, Buffer.from(text));
      assert.deepEqual(decoded, [a ?? null, b ?? null, c === undefined || c === null ? null : BigInt(c)]);
    }),
    { seed: 5, numRuns: 1_000 },
  );
});

test('every notation of a number is read as by JSON.parse', () => {
  const digits = (max: number): fc.Arbitrary<string> =>
    fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 1, maxLength: max }).map((list) => list.join(''));
  const number = fc
    .tuple(
      fc.constantFrom('', '-'),
      digits(25),
      fc.option(digits(25)),
      fc.option(fc.tuple(fc.constantFrom('e', 'E-', 'e+'), digits(3))),
    )
    .map(([sign, whole, fraction, exponent]) => {
      const tail = `${fraction === null ? '' : `.${fraction}`}${exponent === null ? '' : exponent.join('')}`;
      return `${sign}${whole.replace(/^0+(?=\d)/, '')}${tail}`;
    });
  const wants = [want('a', 'number')];
  const decoder = compileJsonDecoder({ schema: SCHEMA, wants });
  fc.assert(
    fc.property(number, (text) => {
      const value = JSON.parse(text) as number;
      const decoded = decodeOne(decoder, wants, Buffer.from(`{"a":${text}}`));
      assert.deepEqual(decoded, Number.isFinite(value) ? [value] : undefined);
    }),
    { seed: 6, numRuns: 5_000 },
  );
});

test('mutated text in wanted fields never throws', () => {
  const random = mulberry32(3);
  const seed = Buffer.from('{"a":1.5e3,"b":"x\\u00e9\\n\\ud83d\\udeeb","c":-9223372036854775808}');
  const arena = Buffer.alloc(seed.length + 8, '"');
  const columns = columnsFor(WANTS, 1, arena);
  const row = compileJsonDecoder({ schema: SCHEMA, wants: WANTS }).bind(arena, columns);
  for (let k = 0; k < 50_000; k++) {
    arena.set(seed, 4);
    for (let n = 0; n < 3; n++) arena[4 + Math.floor(random() * seed.length)] = Math.floor(random() * 256);
    if (row(4, 4 + seed.length, 0)) for (const column of columns) entry(column, 0);
  }
});
