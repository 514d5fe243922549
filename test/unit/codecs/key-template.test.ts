import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { MAX_KEY_BYTES, parseKeyTemplate, writeKey } from '../../../src/codecs/key-template.ts';
import type { Column } from '../../../src/kernel/columns.ts';
import { labels, longs, numbers, strings, vectors } from './support.ts';

/** The key that a template makes of its fields, in the order they are named; undefined: missing. */
function key(template: string, ...columns: Column[]): string | undefined {
  let slots = 0;
  const parsed = parseKeyTemplate(template, () => slots++);
  const into = Buffer.alloc(MAX_KEY_BYTES + 10);
  const end = writeKey(parsed, columns, 0, into, 5);
  return end < 0 ? undefined : into.toString('utf8', 5, end);
}

test('a key is made of literal text and of fields; doubled braces stand for themselves', () => {
  assert.equal(key('{origin}#{destination}', strings('ATL'), strings('Zürich')), 'ATL#Zürich');
  assert.equal(key('flight/{id}!', longs(7n)), 'flight/7!');
  assert.equal(key('{{{id}}}', numbers(7)), '{7}');
  assert.equal(key('{{id}}'), '{id}');
  assert.equal(key('{ band }', labels(['low', 'high'], 1)), 'high');
});

test('fields are looked up by name', () => {
  const asked: string[] = [];
  const template = parseKeyTemplate('{a}-{b}-{a}', (field) => asked.push(field) - 1);
  assert.deepEqual(asked, ['a', 'b', 'a']);
  assert.equal(template.source, '{a}-{b}-{a}');
  assert.equal(template.parts.length, 5);
});

test('text that is not a template is refused', () => {
  for (const text of ['', '{', '}', 'a{b', 'a}b', '{}', '{ }', '{a{b}}']) {
    assert.throws(() => parseKeyTemplate(text, () => 0), { code: 'topology-invalid' }, text);
  }
});

test('a key with a missing or empty part is missing', () => {
  assert.equal(key('a{x}', strings(null)), undefined);
  assert.equal(key('a{x}', strings('')), undefined);
  assert.equal(key('a{x}', longs(null)), undefined);
  assert.equal(key('a{x}', labels(['l'], -1)), undefined);
  assert.equal(key('a{x}', labels([''], 0)), undefined);
  assert.equal(key('a{x}', vectors(1, [1])), undefined);
  for (const value of [Number.NaN, 0.5, Infinity, 2 ** 53]) assert.equal(key('a{x}', numbers(value)), undefined);
});

test('integers are written in full', () => {
  for (const value of [
    0,
    -0,
    9,
    10,
    99_999_999,
    100_000_000,
    999_999_999,
    1e9,
    1e15,
    2 ** 53 - 1,
    -(2 ** 53 - 1),
    -1,
  ]) {
    assert.equal(key('{x}', numbers(value)), String(BigInt(value)));
  }
  const edge = [2n ** 63n - 1n, -(2n ** 63n), 2n ** 53n, -(2n ** 53n), -(2n ** 32n), 10n ** 18n, -(10n ** 18n)];
  fc.assert(
    fc.property(fc.oneof(fc.constantFrom(...edge), fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n)), (value) => {
      assert.equal(key('{x}', longs(value)), String(value));
    }),
    { seed: 1, numRuns: 2_000 },
  );
  fc.assert(
    fc.property(fc.maxSafeInteger(), (value) => assert.equal(key('{x}', numbers(value)), String(value))),
    { seed: 2, numRuns: 2_000 },
  );
});

test('a key longer than 4,096 bytes, or than the room for it, is missing', () => {
  assert.equal(key('{x}', strings('x'.repeat(4_096)))?.length, 4_096);
  assert.equal(key('{x}', strings('x'.repeat(4_097))), undefined);
  assert.equal(key('{x}#', strings('x'.repeat(4_096))), undefined);
  const template = parseKeyTemplate('{x}', () => 0);
  const room = Buffer.alloc(5);
  assert.equal(writeKey(template, [strings('12345')], 0, room, 0), 5);
  assert.equal(writeKey(template, [strings('12345')], 0, room, 1), -1);
});
