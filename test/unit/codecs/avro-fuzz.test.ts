import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compileAvroDecoder } from '../../../src/codecs/avro/decoder.ts';
import { fieldsOf } from '../../../src/codecs/avro/fields.ts';
import type { ColumnWant, RowDecoder } from '../../../src/codecs/types.ts';
import type { Column } from '../../../src/kernel/columns.ts';
import { RandomAvro } from './random-avro.ts';
import { columnsFor, decodeOne, entry, mulberry32, oracle, want } from './support.ts';

const FLIGHT = {
  type: 'record',
  name: 'FlightDeparted',
  fields: [
    { name: 'id', type: 'long' },
    { name: 'departed_at', type: { type: 'long', logicalType: 'local-timestamp-millis' } },
    { name: 'origin', type: ['null', 'string'] },
    { name: 'destination', type: ['null', 'string'] },
    { name: 'distance', type: ['null', 'int'] },
  ],
};

/** Fields of every shape that nests or repeats, most of them not wanted. */
const TANGLE = {
  type: 'record',
  name: 'Tangle',
  fields: [
    {
      name: 'tree',
      type: { type: 'record', name: 'Node', fields: [{ name: 'children', type: { type: 'array', items: 'Node' } }] },
    },
    {
      name: 'list',
      type: ['null', { type: 'record', name: 'Cell', fields: [{ name: 'next', type: ['null', 'Cell'] }] }],
    },
    { name: 'nulls', type: { type: 'array', items: 'null' } },
    {
      name: 'map',
      type: { type: 'map', values: { type: 'array', items: { type: 'fixed', name: 'Nothing', size: 0 } } },
    },
    { name: 'image', type: { type: 'array', items: 'float' } },
    { name: 'raw', type: 'bytes' },
    { name: 'level', type: { type: 'enum', name: 'Level', symbols: ['LOW', 'HIGH'] } },
    { name: 'id', type: 'long' },
  ],
};

const TANGLE_VALUE = {
  tree: { children: [{ children: [] }, { children: [{ children: [] }] }] },
  list: { Cell: { next: { Cell: { next: null } } } },
  nulls: [null, null, null],
  map: { a: [Buffer.alloc(0)], b: [] },
  image: [1, 2, 3],
  raw: Buffer.alloc(8, 1),
  level: 'HIGH',
  id: 12_345_678_901n,
};

const PAYLOADS = 4_000;

interface Scene {
  readonly arena: Buffer;
  readonly row: RowDecoder;
  readonly columns: readonly Column[];
}

/** One decoder over two arenas, so that a value can lie in the middle of one and at the very end of the other. */
function scenes(writer: unknown, wants: readonly ColumnWant[], maxBytes: number): Scene[] {
  const decoder = compileAvroDecoder({ writer, wants });
  return [Buffer.alloc(maxBytes + 40), Buffer.alloc(maxBytes + 16).subarray(16)].map((arena) => {
    const columns = columnsFor(wants, PAYLOADS, arena);
    return { arena, columns, row: decoder.bind(arena, columns) };
  });
}

/** Decodes a value in both arenas into entry `k`; they must agree. True: accepted. */
function same([middle, last]: readonly Scene[], value: Buffer, k: number): boolean {
  middle.arena.fill(k);
  middle.arena.set(value, 7);
  const taken = middle.row(7, 7 + value.length, k);
  const start = last.arena.length - value.length;
  last.arena.set(value, start);
  assert.equal(last.row(start, last.arena.length, k), taken);
  if (taken) {
    const one = middle.columns.map((column) => entry(column, k));
    assert.deepEqual(
      last.columns.map((column) => entry(column, k)),
      one,
    );
  }
  return taken;
}

const LARGEST = Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]);

function damage(value: Buffer, below: (limit: number) => number): Buffer {
  const kind = below(4);
  if (kind === 0) return value.subarray(0, below(value.length + 1));
  if (kind === 1) return Buffer.from(Array.from({ length: below(24) }, () => below(256)));
  const mutant = Buffer.from(value);
  for (let k = 1 + below(3); k > 0 && mutant.length > 0; k--) {
    const at = below(mutant.length);
    const how = below(5);
    if (how === 0) mutant[at] = below(256);
    else if (how < 3) mutant[at] ^= 1 << below(8);
    else if (how === 3) mutant[at] = [0, 1, 0x7f, 0x80, 0xff][below(5)];
    else return Buffer.concat([mutant.subarray(0, at), LARGEST.subarray(below(10)), mutant.subarray(at)]);
  }
  return mutant;
}

test('damaged bytes never throw, and bytes around a value never matter', () => {
  const avro = new RandomAvro(mulberry32(4_711));
  const below = (limit: number): number => avro.below(limit);
  let taken = 0;
  let refused = 0;
  const subjects = [FLIGHT, TANGLE, ...Array.from({ length: 58 }, () => avro.schema())];
  for (const schema of subjects) {
    const wants = fieldsOf(schema).flatMap(({ name, kind }) =>
      kind === 'other' || below(4) === 0 ? [] : [want(name, kind, kind === 'vector' ? 2 + below(2) : 1)],
    );
    const type = oracle(schema);
    const seeds = Array.from({ length: 10 }, () =>
      type.toBuffer(schema === TANGLE ? TANGLE_VALUE : avro.value(schema)),
    );
    const both = scenes(schema, wants, Math.max(...seeds.map((seed) => seed.length)) + 32);
    for (let k = 0; k < PAYLOADS; k++) {
      if (same(both, damage(seeds[below(seeds.length)], below), k)) taken++;
      else refused++;
    }
  }
  assert.ok(taken > 10_000 && refused > 100_000, `${taken} taken, ${refused} refused`);
});

test('a whole value is one value: every shorter and every longer range is refused', () => {
  const wants = [want('id', 'long'), want('origin', 'string'), want('distance', 'number')];
  const decoder = compileAvroDecoder({ writer: FLIGHT, wants });
  const flight = { id: 5n, departed_at: -1n, origin: { string: 'ATL' }, destination: null, distance: { int: 300 } };
  const value = oracle(FLIGHT).toBuffer(flight);
  assert.deepEqual(decodeOne(decoder, wants, value), [5n, 'ATL', 300]);
  for (let length = 0; length < value.length; length++) {
    assert.equal(decodeOne(decoder, wants, value.subarray(0, length)), undefined);
  }
  assert.equal(decodeOne(decoder, wants, Buffer.concat([value, Buffer.from([0])])), undefined);
});

function refuses(type: unknown, bytes: number[], wanted?: ColumnWant): void {
  const schema = { type: 'record', name: 'R', fields: [{ name: 'f', type }] };
  const wants = wanted === undefined ? [] : [wanted];
  assert.equal(decodeOne(compileAvroDecoder({ writer: schema, wants }), wants, Buffer.from(bytes)), undefined);
}

/** A zigzag varint of 2^60. */
const HUGE = [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x20];
const HUGE_NEGATIVE = [0x81, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x20];

test('false counts are refused: more items than bytes, and items without bytes', () => {
  refuses({ type: 'array', items: 'float' }, [...HUGE, 0, 0, 0, 0, 0]);
  refuses({ type: 'array', items: 'float' }, [...HUGE, 0, 0, 0, 0, 0], want('f', 'vector', 1));
  refuses({ type: 'array', items: 'null' }, [...HUGE, 0]);
  refuses({ type: 'array', items: { type: 'record', name: 'E', fields: [] } }, [...HUGE, 0]);
  refuses({ type: 'map', values: 'null' }, [...HUGE, 0]);
  refuses({ type: 'array', items: 'string' }, [...HUGE_NEGATIVE, 2, 0, 0]);
  refuses({ type: 'array', items: 'int' }, [...HUGE_NEGATIVE, ...HUGE, 0]);
  refuses('string', [...HUGE, 65], want('f', 'string'));
  refuses('bytes', HUGE);
  refuses('bytes', [1, 65]);
});

test('records whose expansion is exponential take time in proportion to their bytes', () => {
  let type: unknown = { type: 'record', name: 'L0', fields: [{ name: 'a', type: 'null' }] };
  for (let level = 1; level < 40; level++) {
    type = {
      type: 'record',
      name: `L${level}`,
      fields: [
        { name: 'a', type },
        { name: 'b', type: `L${level - 1}` },
      ],
    };
  }
  const schema = {
    type: 'record',
    name: 'R',
    fields: [
      { name: 'f', type },
      { name: 'id', type: 'int' },
    ],
  };
  const wants = [want('id', 'number')];
  const decoder = compileAvroDecoder({ writer: schema, wants });
  assert.deepEqual(decodeOne(decoder, wants, Buffer.from([14])), [7]);
  refuses(
    {
      type: 'record',
      name: 'Endless',
      fields: [
        { name: 'a', type: 'Endless' },
        { name: 'b', type: 'Endless' },
      ],
    },
    [0, 0],
  );
});

test('recursion ends at 64 levels', () => {
  const list = { type: 'record', name: 'Cell', fields: [{ name: 'next', type: ['null', 'Cell'] }] };
  const decoder = compileAvroDecoder({ writer: list, wants: [] });
  const cells = (count: number): Buffer => Buffer.concat([Buffer.alloc(count, 2), Buffer.alloc(1)]);
  assert.deepEqual(decodeOne(decoder, [], cells(64)), []);
  assert.equal(decodeOne(decoder, [], cells(65)), undefined);
  assert.equal(decodeOne(decoder, [], cells(100_000)), undefined);
});
