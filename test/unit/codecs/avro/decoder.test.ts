import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compileAvroDecoder } from '../../../../src/codecs/avro/decoder.ts';
import type { ColumnWant } from '../../../../src/codecs/types.ts';
import { columnsFor, decodeOne, entry, oracle, want } from '../support.ts';

interface Field {
  readonly name?: string;
  readonly type: unknown;
  readonly default?: unknown;
  readonly aliases?: readonly string[];
}

const record = (...fields: Field[]): unknown => ({
  type: 'record',
  name: 'R',
  fields: fields.map((field) => ({ name: 'f', ...field })),
});

/** One wanted field `f` of bytes in hexadecimal. */
function read(type: unknown, hex: string, kind: ColumnWant['kind'], width = 1): unknown {
  const wants = [want('f', kind, width)];
  return decodeOne(
    compileAvroDecoder({ writer: record({ type }), wants }),
    wants,
    Buffer.from(hex.replaceAll(' ', ''), 'hex'),
  )?.[0];
}

/** Field `f`, written as the writer's type, read as the reader's. */
function resolve(written: unknown, reader: unknown, value: unknown, kind: ColumnWant['kind'], width = 1): unknown {
  const wants = [want('f', kind, width)];
  const writer = record({ type: written });
  const decoder = compileAvroDecoder({ writer, reader: record({ type: reader }), wants });
  return decodeOne(decoder, wants, oracle(writer).toBuffer({ f: value }))?.[0];
}

test('ints and longs at the ends of their range, and just beyond', () => {
  assert.equal(read('int', 'feffffff0f', 'number'), 2147483647);
  assert.equal(read('int', 'ffffffff0f', 'number'), -2147483648);
  assert.equal(read('int', 'ffffffff1f', 'number'), undefined);
  assert.equal(read('int', '808080808000', 'number'), undefined);
  assert.equal(read('int', '8000', 'number'), 0, 'padding is harmless');
  assert.equal(read('int', 'ffffffff0f', 'long'), -2147483648n);
  assert.equal(read('long', 'feffffffffffffffff01', 'long'), 2n ** 63n - 1n);
  assert.equal(read('long', 'ffffffffffffffffff01', 'long'), -(2n ** 63n));
  assert.equal(read('long', 'ffffffffffffffffff02', 'long'), undefined);
  assert.equal(read('long', '8080808080808080808000', 'long'), undefined);
  assert.equal(read('long', 'feffffffffffff1f', 'number'), 2 ** 53 - 1);
  assert.equal(read('long', 'fdffffffffffff1f', 'number'), -(2 ** 53 - 1));
  assert.equal(read('long', '8080808080808020', 'number'), undefined, '2^53 is not exact');
});

test('booleans, branches and symbols out of range are refused', () => {
  assert.equal(read('boolean', '01', 'number'), 1);
  assert.equal(read('boolean', '02', 'number'), undefined);
  assert.equal(read(['null', 'int'], '02 08', 'number'), 4);
  assert.equal(read(['int', 'null'], '02', 'number'), null);
  assert.equal(read(['null', 'int'], '04 08', 'number'), undefined);
  assert.equal(read(['null', 'int'], '01', 'number'), undefined);
  const level = { type: 'enum', name: 'Level', symbols: ['LOW', 'HIGH'] };
  assert.equal(read(level, '02', 'string'), 'HIGH');
  assert.equal(read(level, '04', 'string'), undefined);
  assert.equal(read(level, '01', 'string'), undefined);
});

test('wanted text is UTF-8, short or long', () => {
  assert.equal(read('string', '06 41544c', 'string'), 'ATL');
  assert.equal(read('string', '04 c3a9', 'string'), 'é');
  assert.equal(read('string', '00', 'string'), '');
  assert.equal(read('string', '04 c328', 'string'), undefined);
  assert.equal(read('string', `8001 ${'41'.repeat(63)}ff`, 'string'), undefined);
  assert.equal(read('string', `8001 ${'41'.repeat(64)}`, 'string'), 'A'.repeat(64));
});

test('a field may be wanted as several kinds', () => {
  const wants = [want('f', 'number'), want('f', 'long'), want('f', 'number')];
  const decoder = compileAvroDecoder({ writer: record({ type: ['null', 'long'] }), wants });
  assert.deepEqual(decodeOne(decoder, wants, Buffer.from([2, 14])), [7, 7n, 7]);
  assert.deepEqual(decodeOne(decoder, wants, Buffer.from([0])), [null, null, null]);
});

test('a long in a union wanted as text and as number, in any order, is never mixed up with another field', () => {
  const fields = (type: unknown): unknown =>
    record({ name: 'y', type: 'long' }, { name: 'x', type }, { name: 'z', type: 'long' });
  const written = Buffer.from([2 * 11, 2 * 42, 2 * 7]);
  const around = (...wants: ColumnWant[]): unknown => {
    const all = [want('y', 'number'), ...wants, want('z', 'number')];
    const decoder = compileAvroDecoder({ writer: fields('long'), reader: fields(['string', 'long']), wants: all });
    return decodeOne(decoder, all, written);
  };
  const [text, number, long, whole] = (['string', 'number', 'long', 'raw'] as const).map((kind) => want('x', kind));
  const branch = Buffer.from([2, 84]);
  assert.deepEqual(around(text, number), [11, null, 42, 7]);
  assert.deepEqual(around(number, text), [11, 42, null, 7]);
  assert.deepEqual(around(text, long, text, number), [11, null, 42n, null, 42, 7]);
  assert.deepEqual(around(number, whole), [11, 42, branch, 7]);
  assert.deepEqual(around(whole, long, number), [11, branch, 42n, 42, 7]);
});

test('vectors: arrays in one block or many, sized or not, and bytes as float32', () => {
  const floats = { type: 'array', items: 'float' };
  assert.deepEqual(read(floats, '04 0000803f 00000040 00', 'vector', 2), [1, 2]);
  assert.deepEqual(read(floats, '02 0000803f 01 08 00000040 00', 'vector', 2), [1, 2]);
  assert.equal(read(floats, '02 0000803f 01 0a 00000040 00', 'vector', 2), undefined, 'a block longer than it says');
  assert.equal(read(floats, '02 0000803f 00', 'vector', 2), undefined);
  assert.equal(read(floats, '06 0000803f 00000040 00000040 00', 'vector', 2), undefined);
  assert.deepEqual(read({ type: 'array', items: 'int' }, '04 02 03 00', 'vector', 2), [1, -2]);
  assert.deepEqual(read('bytes', '10 0000803f 00000040', 'vector', 2), [1, 2]);
  assert.equal(read('bytes', '0e 0000803f 000000', 'vector', 2), undefined);
  assert.deepEqual(read({ type: 'fixed', name: 'F', size: 8 }, '0000803f 00000040', 'vector', 2), [1, 2]);
  assert.equal(read(['null', floats], '00', 'vector', 2), null);
});

test('a vector of bytes that ends with the arena, but too early, is refused', () => {
  const wants = [want('f', 'vector', 25)];
  const arena = Buffer.from([0xc8, 0x01, ...Array<number>(100).fill(0)]);
  const decoder = compileAvroDecoder({ writer: record({ type: 'bytes' }), wants });
  assert.ok(decoder.bind(arena, columnsFor(wants, 1, arena))(0, 102, 0));
  for (const end of [101, 3, 2, 1]) {
    const short = Buffer.from(arena.subarray(0, end));
    assert.equal(decoder.bind(short, columnsFor(wants, 1, short))(0, end, 0), false);
    assert.equal(decoder.bind(arena, columnsFor(wants, 1, arena))(0, end, 0), false);
  }
});

test('unwanted values are skipped: varints are checked, the stated size of a block is trusted', () => {
  const accepts = (type: unknown, hex: string): boolean =>
    decodeOne(
      compileAvroDecoder({ writer: record({ type }), wants: [] }),
      [],
      Buffer.from(hex.replaceAll(' ', ''), 'hex'),
    ) !== undefined;
  assert.ok(accepts('int', 'ffffffff0f'));
  assert.ok(!accepts('int', 'ffffffff1f'));
  assert.ok(accepts('long', 'ffffffffffffffffff01'));
  assert.ok(!accepts('long', 'ffffffffffffffffff02'));
  assert.ok(!accepts({ type: 'array', items: 'boolean' }, '02 07 00'));
  assert.ok(accepts({ type: 'array', items: 'boolean' }, '01 02 07 00'));
  assert.ok(!accepts({ type: 'array', items: 'float' }, '01 06 000000 00'), 'three bytes are no float');
});

test('NaN is missing', () => {
  assert.equal(read('float', '0000c07f', 'number'), null);
  assert.equal(read('double', '000000000000f87f', 'number'), null);
});

test('writer and reader: numbers are promoted, to float with its rounding', () => {
  assert.equal(resolve('int', 'double', 16777217, 'number'), 16777217);
  assert.equal(resolve('int', 'float', 16777217, 'number'), 16777216);
  assert.equal(resolve('long', ['null', 'double'], 5n, 'number'), 5);
  assert.equal(resolve('int', ['float', 'int'], 16777217, 'number'), 16777217, 'the same type before a promotion');
  assert.equal(resolve('int', 'long', -5, 'long'), -5n);
  assert.equal(resolve(['null', 'int'], 'long', { int: 5 }, 'long'), 5n);
  assert.equal(resolve(['null', 'int'], 'long', null, 'long'), undefined, 'a null where the reader has none');
  assert.equal(resolve('string', ['null', 'string'], 'ATL', 'string'), 'ATL');
  assert.equal(resolve('bytes', 'string', Buffer.from('ATL'), 'string'), 'ATL');
  assert.equal(resolve('bytes', 'string', Buffer.from([0xff]), 'string'), undefined);
  assert.deepEqual(resolve('string', 'bytes', '\0\0 A', 'vector'), [10]);
  assert.deepEqual(
    resolve({ type: 'array', items: 'int' }, { type: 'array', items: 'float' }, [16777217], 'vector'),
    [16777216],
  );
});

test('writer and reader: symbols that the reader lacks become its default, or are refused', () => {
  const written = { type: 'enum', name: 'Level', symbols: ['LOW', 'HIGH', 'MAX'] };
  const known = { type: 'enum', name: 'Level', symbols: ['HIGH', 'LOW'] };
  assert.equal(resolve(written, known, 'LOW', 'string'), 'LOW');
  assert.equal(resolve(written, known, 'MAX', 'string'), undefined);
  assert.equal(resolve(written, { ...known, default: 'HIGH' }, 'MAX', 'string'), 'HIGH');
});

test('writer and reader: a field under an alias, and defaults for one that the writer lacks', () => {
  const writer = record({ name: 'old', type: 'int' });
  const reader = record(
    { name: 'f', type: 'long', aliases: ['old'] },
    { name: 'n', type: ['null', 'int'], default: null },
    { name: 'd', type: 'float', default: 0.1 },
    { name: 's', type: 'string', default: 'none' },
    { name: 'l', type: ['long', 'null'], default: -3 },
    { name: 'v', type: { type: 'array', items: 'double' }, default: [1, 2] },
    { name: 'e', type: { type: 'enum', name: 'E', symbols: ['A'] }, default: 'A' },
  );
  const wants = [
    want('f', 'number'),
    want('n', 'number'),
    want('d', 'number'),
    want('s', 'string'),
    want('l', 'long'),
    want('v', 'vector', 2),
    want('e', 'string'),
  ];
  const decoder = compileAvroDecoder({ writer, reader, wants });
  assert.deepEqual(decodeOne(decoder, wants, Buffer.from([14])), [7, null, Math.fround(0.1), 'none', -3n, [1, 2], 'A']);
});

test('schemas that cannot be resolved are refused on compilation', () => {
  const compile = (writer: unknown, reader: unknown, kind: ColumnWant['kind'] = 'number', width = 1): unknown =>
    compileAvroDecoder({ writer, reader, wants: [want('f', kind, width)] });
  const incompatible = (message: RegExp): object => ({
    code: 'schema-incompatible',
    disposition: 'dead-letter',
    message,
  });
  assert.throws(() => compile(record({ type: 'string' }), record({ type: 'int' })), incompatible(/"f".*string.*int/));
  assert.throws(() => compile(record({ type: 'long' }), record({ type: 'int' })), incompatible(/long.*int/));
  assert.throws(
    () => compile(record({ name: 'g', type: 'int' }), record({ type: 'int' })),
    incompatible(/no field "f".*default/),
  );
  assert.throws(() => compile('int', record({ type: 'int' })), incompatible(/record/));
  assert.throws(() => compile({ type: 'nonsense' }, record({ type: 'int' })), incompatible(/nonsense/));
  const broken = (message: RegExp): object => ({ code: 'contract-broken', message });
  assert.throws(() => compile(record({ type: 'string' }), record({ type: 'string' })), broken(/string.*number/));
  assert.throws(() => compile(record({ type: 'int' }), 'int'), broken(/record/));
  assert.throws(
    () => compile(record({ name: 'g', type: 'int' }), record({ type: 'int', default: 'x' })),
    broken(/default.*"x"/),
  );
});

test('decoders of two schemas may take turns over one frame', () => {
  const reader = record({ type: { type: 'enum', name: 'E', symbols: ['A', 'B'] }, default: 'A' });
  const wants = [want('f', 'string')];
  const arena = Buffer.from([2, 14]);
  const columns = columnsFor(wants, 4, arena);
  const own = compileAvroDecoder({ writer: reader, wants });
  const older = compileAvroDecoder({ writer: record({ name: 'g', type: 'int' }), reader, wants });
  for (const i of [0, 2]) {
    assert.ok(own.bind(arena, columns)(0, 1, i));
    assert.ok(older.bind(arena, columns)(1, 2, i + 1));
  }
  assert.deepEqual(
    [0, 1, 2, 3].map((i) => entry(columns[0], i)),
    ['B', 'A', 'B', 'A'],
  );
  assert.equal(
    (columns[0] as { bytes: Buffer }).bytes.length,
    arena.length + 'AB'.length + 'A'.length,
    'text is appended once a decoder',
  );
});

test('a column of another kind is a programming error, reported when it is bound', () => {
  const decoder = compileAvroDecoder({ writer: record({ type: 'int' }), wants: [want('f', 'number')] });
  assert.throws(() => decoder.bind(Buffer.alloc(1), []), { code: 'invariant-broken' });
});

test('no text of a schema becomes code', () => {
  const hostile = record(
    { name: 'f', type: { type: 'enum', name: 'E', symbols: ['A'] }, default: '`\'"*/;process.exit();//' },
    { name: '__proto__', type: 'int' },
  );
  const wants = [want('f', 'string'), want('__proto__', 'number')];
  assert.deepEqual(decodeOne(compileAvroDecoder({ writer: hostile, wants }), wants, Buffer.from([0, 4])), ['A', 2]);
});
