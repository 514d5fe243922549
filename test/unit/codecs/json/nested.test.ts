import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAvroRecord } from '../../../../src/codecs/avro/schema.ts';
import { compileJsonDecoder } from '../../../../src/codecs/json/decoder.ts';
import type { ColumnWant } from '../../../../src/codecs/types.ts';
import { decodeOne, want } from '../support.ts';

const record = (name: string, ...fields: object[]): object => ({ type: 'record', name, fields });
const field = (name: string, type: unknown, more: object = {}): object => ({ name, type, ...more });

const ADDRESS = record('Address', field('zip', ['null', 'string'], { default: '-' }), field('lat', ['null', 'double']));
const CUSTOMER = record(
  'Customer',
  field('age', 'long'),
  field('name', 'string', { default: 'nobody' }),
  field('address', ['null', 'boolean', ADDRESS]),
);
const SCHEMA = record('Event', field('id', 'long'), field('customer', ['null', CUSTOMER]), field('amount', 'double'));
const WANTS = [
  want('amount', 'number'),
  want('customer.age', 'number'),
  want('customer.name', 'string'),
  want('customer.address.zip', 'string'),
  want('customer.address.lat', 'number'),
];

function read(json: string, wants: readonly ColumnWant[] = WANTS, schema: object = SCHEMA): unknown {
  return decodeOne(compileJsonDecoder({ schema, wants }), wants, Buffer.from(json));
}

const CASES: readonly (readonly [what: string, customer: string, expected: unknown])[] = [
  ['all of it', '{"age":36,"name":"Ada","address":{"zip":"10115","lat":52.5}}', [36, 'Ada', '10115', 52.5]],
  ['in any order, beside others', '{"x":[{}],"address":{"lat":1,"y":{}},"age":3}', [3, 'nobody', '-', 1]],
  ['null in place of the record', 'null', [null, null, null, null]],
  ['null in place of the inner record', '{"age":36,"address":null}', [36, 'nobody', null, null]],
  ['inner record absent', '{"age":36}', [36, 'nobody', null, null]],
  ['another branch in place of the record', '{"age":36,"address":true}', [36, 'nobody', null, null]],
  ['escapes in a name and in text', '{"a\\u0067e":36,"name":"A\\u0064a"}', [36, 'Ada', null, null]],
  ['a member twice: the last counts', '{"age":1,"name":"B","age":36,"name":"Ada"}', [36, 'Ada', null, null]],
  [
    'a record twice: nothing is left of the first',
    '{"age":1,"address":{"zip":"1","lat":2},"address":{}}',
    [1, 'nobody', '-', null],
  ],
  ['a null after a record', '{"age":1,"address":{"lat":2},"address":null}', [1, 'nobody', null, null]],
  ['a value of the wrong type', '{"age":"36"}', undefined],
  ['a required field is absent', '{"name":"Ada"}', undefined],
  ['not a record', '36', undefined],
  ['text, which none of the branches is', '{"age":36,"address":"there"}', undefined],
  ['a list', '[]', undefined],
  ['cut short', '{"age":36', undefined],
];

for (const [what, customer, expected] of CASES) {
  test(`a nested record in an event: ${what}`, () => {
    const all = expected === undefined ? undefined : [1.5, ...(expected as unknown[])];
    assert.deepEqual(read(`{"id":1,"customer":${customer},"amount":1.5}`), all);
    assert.deepEqual(read(`{"customer":${customer} , "amount":1.5,"id":1}`), all);
  });
}

test('an absent record is its default, or null; if it can be neither, the event is refused', () => {
  assert.deepEqual(read('{"amount":1}'), [1, null, null, null, null]);
  const with_ = (more: object): object => record('Event', field('customer', CUSTOMER, more), field('amount', 'double'));
  assert.equal(read('{"amount":1}', WANTS, with_({})), undefined);
  const fallback = { age: 5, address: { lat: null } };
  assert.equal(read('{"amount":1,"customer":null}', WANTS, with_({ default: fallback })), undefined);
  assert.deepEqual(read('{"amount":1}', WANTS, with_({ default: fallback })), [1, 5, 'nobody', '-', null]);
});

test('a field of a nested record is passed on whole, as null if the record is not one', () => {
  const of = (type: unknown): object => record('Event', field('in', ['null', record('In', field('x', type))]));
  const whole = (type: unknown): ColumnWant => ({
    ...want('in.x', 'raw'),
    type: parseAvroRecord(record('E', field('f', type))).fields[0].type,
  });
  const type = { type: 'map', values: 'int' };
  const wants = [whole(['null', type])];
  assert.deepEqual(read('{"in":{"x":{"k":3}}}', wants, of(type)), [Buffer.from([2, 2, 2, 0x6b, 6, 0])]);
  assert.deepEqual(read('{"in":null}', wants, of(type)), [Buffer.from([0])]);
  assert.deepEqual(read('{}', wants, of(type)), [Buffer.from([0])]);
  assert.equal(read('{"in":{"x":null}}', wants, of(type)), undefined, 'the field itself is never null');
});

test('records nest as deep as values may, and no deeper', () => {
  const tree = record('Tree', field('n', ['null', 'int']), field('next', ['null', 'Tree']));
  const path = (steps: number): string => `t.${'next.'.repeat(steps)}n`;
  const json = (steps: number): string => `{"t":${'{"next":'.repeat(steps)}{"n":1}${'}'.repeat(steps)}}`;
  const schema = record('Event', field('t', tree));
  for (const steps of [5, 62])
    assert.deepEqual(read(json(steps), [want(path(steps), 'number')], schema), [1], `${steps}`);
  assert.equal(read(json(63), [want(path(63), 'number')], schema), undefined);
  assert.equal(read(json(63), [want(path(2), 'number')], schema), undefined);
});
