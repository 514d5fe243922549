import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compileAvroDecoder } from '../../../../src/codecs/avro/decoder.ts';
import { parseAvroRecord } from '../../../../src/codecs/avro/schema.ts';
import type { ColumnWant } from '../../../../src/codecs/types.ts';
import { decodeOne, oracle, want } from '../support.ts';

const record = (name: string, ...fields: object[]): object => ({ type: 'record', name, fields });
const field = (name: string, type: unknown, more: object = {}): object => ({ name, type, ...more });
const event = (...fields: object[]): object => record('Event', ...fields);

/** What columns hold for a value that the writer wrote; undefined: refused. */
function read(writer: object, value: object, wants: readonly ColumnWant[], reader: object = writer): unknown {
  return decodeOne(compileAvroDecoder({ writer, reader, wants }), wants, oracle(writer).toBuffer(value));
}

const ADDRESS = record('Address', field('zip', 'string'), field('at', record('Point', field('lat', 'double'))));
const CUSTOMER = record('Customer', field('name', 'string'), field('age', 'long'), field('address', ['null', ADDRESS]));

test('fields of nested records are columns, beside those of the records around them', () => {
  const schema = event(field('id', 'long'), field('customer', CUSTOMER), field('amount', 'double'));
  const wants = [
    want('amount', 'number'),
    want('customer.age', 'number'),
    want('customer.age', 'long'),
    want('customer.address.zip', 'string'),
    want('customer.address.at.lat', 'number'),
    want('id', 'long'),
  ];
  const value = (address: unknown) => ({ id: 7n, customer: { name: 'Ada', age: 36n, address }, amount: 1.5 });
  const there = { Address: { zip: '10115', at: { lat: 52.5 } } };
  assert.deepEqual(read(schema, value(there), wants), [1.5, 36, 36n, '10115', 52.5, 7n]);
  assert.deepEqual(read(schema, value(null), wants), [1.5, 36, 36n, null, null, 7n]);
});

test('a path that leads nowhere is null in every kind of column, whatever is in place of the record', () => {
  const inner = record(
    'Inner',
    field('n', 'long'),
    field('s', 'string'),
    field('v', { type: 'array', items: 'float' }),
  );
  const schema = event(field('x', ['string', inner, 'null']), field('after', 'int'));
  const type = { type: 'array', items: 'float' };
  const whole = parseAvroRecord(event(field('f', ['null', type]))).fields[0].type;
  const wants = [
    want('x.n', 'number'),
    want('x.n', 'long'),
    want('x.s', 'string'),
    want('x.v', 'vector', 2),
    { ...want('x.v', 'raw'), type: whole },
    want('after', 'number'),
  ];
  const there = { Inner: { n: 3n, s: 'é', v: [1, 2] } };
  const raw = oracle(['null', type]).toBuffer({ array: [1, 2] });
  assert.deepEqual(read(schema, { x: there, after: 9 }, wants), [3, 3n, 'é', [1, 2], raw, 9]);
  for (const x of [null, { string: 'none' }]) {
    assert.deepEqual(read(schema, { x, after: 9 }, wants), [null, null, null, null, Buffer.from([0]), 9]);
  }
});

test('a null in a nullable record does not count as null for a field that allows none', () => {
  const of = (type: unknown) => event(field('x', ['null', record('Inner', field('n', type))]));
  for (const kind of ['number', 'raw'] as const) {
    const wants = [{ ...want('x.n', kind), type: parseAvroRecord(event(field('f', ['null', 'int']))).fields[0].type }];
    const written = of(['null', 'int']);
    assert.equal(read(written, { x: { Inner: { n: null } } }, wants, of('int')), undefined, kind);
    const four = kind === 'raw' ? Buffer.from([2, 8]) : 4;
    assert.deepEqual(read(written, { x: { Inner: { n: { int: 4 } } } }, wants, of('int')), [four]);
    assert.deepEqual(read(written, { x: null }, wants, of('int')), [kind === 'raw' ? Buffer.from([0]) : null]);
  }
});

test('writers may reorder, add, omit, rename and widen fields of nested records', () => {
  const writer = event(
    field('customer', record('Kunde', field('extra', 'string'), field('alter', 'int'), field('name', 'string'))),
  );
  const reader = event(
    field(
      'customer',
      record(
        'Customer',
        field('name', ['null', 'string']),
        field('tier', { type: 'enum', name: 'Tier', symbols: ['LOW', 'HIGH'] }, { default: 'HIGH' }),
        field('age', 'double', { aliases: ['alter'] }),
        field('score', ['null', 'double'], { default: null }),
      ),
    ),
  );
  const wants = [
    want('customer.tier', 'string'),
    want('customer.age', 'number'),
    want('customer.name', 'string'),
    want('customer.score', 'number'),
  ];
  const value = { customer: { extra: 'x', alter: 36, name: 'Ada' } };
  assert.deepEqual(read(writer, value, wants, reader), ['HIGH', 36, 'Ada', null]);
});

test('a field that the writer lacks is the default: of the field, of a record around it, or of a field that such a default omits', () => {
  const inner = record('Inner', field('a', 'string', { default: 'own' }), field('b', 'int'));
  const of = (fallback: unknown, type: unknown = inner) =>
    event(field('n', 'int'), field('x', type, { default: fallback }));
  const writer = event(field('n', 'int'));
  const wants = [want('x.a', 'string'), want('n', 'number'), want('x.b', 'number')];
  assert.deepEqual(read(writer, { n: 1 }, wants, of({ a: 'given', b: 5 })), ['given', 1, 5]);
  assert.deepEqual(read(writer, { n: 1 }, wants, of({ b: 5 })), ['own', 1, 5]);
  assert.deepEqual(read(writer, { n: 1 }, wants, of(null, ['null', inner])), [null, 1, null]);
  assert.throws(() => read(writer, { n: 1 }, wants, of({ b: 'five' })), /default of field "x"/);
});

test('a default of each branch, and symbols beside it, have their own text', () => {
  const level = { type: 'enum', name: 'Level', symbols: ['LOW', 'HIGH'] };
  const writer = event(field('x', [record('A', field('level', level)), record('B', field('other', 'int'))]));
  const reader = event(
    field('x', record('R', field('level', level, { default: 'HIGH' }), field('other', 'string', { default: 'none' }))),
  );
  const wants = [want('x.level', 'string'), want('x.other', 'string')];
  assert.deepEqual(read(writer, { x: { A: { level: 'HIGH' } } }, wants, reader), ['HIGH', 'none']);
  const only = [wants[0]];
  assert.deepEqual(read(writer, { x: { B: { other: 4 } } }, only, reader), ['HIGH']);
  const place = (...fields: object[]) => record('Place', ...fields);
  const apart = event(field('x', [record('A', field('in', place(field('n', 'int')))), record('B')]));
  const given = event(
    field(
      'x',
      record('R', field('in', place(field('zip', 'string', { default: 'own' })), { default: { zip: 'given' } })),
    ),
  );
  const zip = [want('x.in.zip', 'string')];
  assert.deepEqual(read(apart, { x: { A: { in: { n: 1 } } } }, zip, given), ['own']);
  assert.deepEqual(read(apart, { x: { B: {} } }, zip, given), ['given']);
});

test('in a writer’s union of records, the one with the reader’s name is read, and no other', () => {
  const inner = (name: string) => record(name, field('n', 'int'));
  const wants = [want('x.n', 'number')];
  const writer = event(field('x', ['null', inner('Customer'), inner('Company')]));
  const reader = (name: string) => event(field('x', ['null', inner(name)]));
  assert.deepEqual(read(writer, { x: { Customer: { n: 3 } } }, wants, reader('Customer')), [3]);
  assert.equal(read(writer, { x: { Company: { n: 3 } } }, wants, reader('Customer')), undefined);
  assert.deepEqual(read(writer, { x: null }, wants, reader('Customer')), [null]);
  for (const name of ['Customer', 'Company'])
    assert.deepEqual(read(writer, { x: { [name]: { n: 3 } } }, wants, reader('Party')), [3], name);
});

test('a null is refused if the reader does not allow it', () => {
  const inner = record('Inner', field('n', 'int'));
  const wants = [want('x.n', 'number')];
  const [writer, reader] = [event(field('x', ['null', inner])), event(field('x', inner))];
  assert.deepEqual(read(writer, { x: { Inner: { n: 3 } } }, wants, reader), [3]);
  assert.equal(read(writer, { x: null }, wants, reader), undefined);
});

test('two fields of the reader may be one of the writer, by an alias, each with several wants inside', () => {
  const inner = record('Inner', field('a', 'long'), field('b', 'long'));
  const writer = event(field('x', inner), field('y', 'long'));
  const reader = event(field('x', inner), field('old', 'Inner', { aliases: ['x'] }), field('y', 'long'));
  const wants = ['x.a', 'old.b', 'x.b', 'old.a', 'y'].flatMap((path) => [want(path, 'number'), want(path, 'long')]);
  const all = [...wants, { ...want('old.a', 'raw'), type: parseAvroRecord(inner).fields[0].type }];
  const expected = [1, 1n, 2, 2n, 2, 2n, 1, 1n, 3, 3n, Buffer.from([2])];
  assert.deepEqual(read(writer, { x: { a: 1n, b: 2n }, y: 3n }, all, reader), expected);
});

test('a named type is read wherever it is used, and a recursive one as deep as the path goes', () => {
  const point = record('Point', field('lat', 'double'));
  const schema = event(
    field('from', point),
    field('to', 'Point'),
    field('tree', record('Tree', field('size', 'int'), field('next', ['null', 'Tree']))),
  );
  const wants = [
    want('to.lat', 'number'),
    want('from.lat', 'number'),
    want('tree.next.next.size', 'number'),
    want('tree.size', 'number'),
  ];
  const tree = (...sizes: number[]): unknown =>
    sizes.reduceRight<unknown>((next, size) => ({ size, next: next === null ? null : { Tree: next } }), null);
  const value = (...sizes: number[]) => ({ from: { lat: 1 }, to: { lat: 2 }, tree: tree(...sizes) });
  assert.deepEqual(read(schema, value(1, 2, 3, 4, 5), wants), [2, 1, 3, 1]);
  assert.deepEqual(read(schema, value(1, 2), wants), [2, 1, null, 1]);
});

test('the depth limit of a value does not depend on which fields are read', () => {
  const tree = record('Tree', field('n', 'int'), field('next', ['null', 'Tree']));
  const schema = event(field('t', tree));
  const { type } = parseAvroRecord(schema).fields[0];
  const next = type.type === 'record' ? type.fields[1].type : assert.fail();
  const wanted = [
    [],
    [want('t.next.next.n', 'number')],
    [{ ...want('t', 'raw'), type }],
    [{ ...want('t.next', 'raw'), type: next }],
  ];
  const accepted = (levels: number): readonly boolean[] => {
    const bytes = Buffer.concat([...Array<Buffer>(levels - 1).fill(Buffer.from([2, 2])), Buffer.from([2, 0])]);
    return wanted.map((wants) => decodeOne(compileAvroDecoder({ writer: schema, wants }), wants, bytes) !== undefined);
  };
  assert.deepEqual(accepted(64), [true, true, true, true]);
  assert.deepEqual(accepted(65), [false, false, false, false]);
});

test('a record can be read as a whole and by its fields at the same time', () => {
  const schema = event(field('x', record('Inner', field('a', 'long'), field('b', 'string'))), field('y', 'long'));
  const { type } = parseAvroRecord(schema).fields[0];
  const wants = [{ ...want('x', 'raw'), type }, want('x.b', 'string'), want('x.a', 'long'), want('x.a', 'number')];
  const raw = oracle(record('Inner', field('a', 'long'), field('b', 'string'))).toBuffer({ a: 5n, b: 'é' });
  const all = [...wants, want('y', 'number')];
  assert.deepEqual(read(schema, { x: { a: 5n, b: 'é' }, y: 8n }, all), [raw, 'é', 5n, 5, 8]);
});

test('errors about unreadable fields give the whole path', () => {
  const reader = event(field('x', record('Inner', field('a', record('Deep', field('n', 'int'))))));
  const wants = [want('x.a.n', 'number')];
  const refused = (writer: object, said: RegExp) =>
    assert.throws(() => compileAvroDecoder({ writer, reader, wants }), said);
  const of = (type: unknown) => event(field('x', record('Inner', field('a', type))));
  refused(of(record('Deep', field('n', 'string'))), /field "x\.a\.n": the writer's string cannot be read as .* int/);
  refused(of(record('Deep', field('m', 'int'))), /schema Deep has no field "x\.a\.n".*no default/);
  refused(of('int'), /field "x\.a": the writer's int cannot be read as the reader's record Deep/);
  const wrong = (name: string, said: RegExp) =>
    assert.throws(() => compileAvroDecoder({ writer: reader, wants: [want(name, 'number')] }), said);
  wrong('x.b.n', /x is record Inner, which has no field "b"; it has x\.a/);
  wrong('x.a.n.m', /x\.a\.n is int, in which no field "m" can be named/);
  wrong('x.a', /field "x\.a" of Event is record Deep, which cannot be read as a number/);
});

test('a writer whose unions multiply is refused, so that code generation ends', () => {
  const names = Array.from({ length: 20 }, (_, k) => `R${k}`);
  const many = record(
    'R0',
    field('n', 'int'),
    field('next', ['null', 'R0', ...names.slice(1).map((name) => record(name, field('next', ['null', 'R0'])))]),
  );
  const writer = event(field('x', many));
  const reader = event(
    field('x', record('R', field('n', 'int', { default: 0 }), field('next', ['null', 'R'], { default: null }))),
  );
  const wants = [want('x.next.next.next.next.next.next.n', 'number')];
  assert.throws(
    () => compileAvroDecoder({ writer, reader, wants }),
    /more than 4096 ways through its unions to x\.next/,
  );
});
