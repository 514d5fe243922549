import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addressText, parseAddress, splitWords } from '../../../../src/commands/explain/address.ts';

test('an address is written with colons or slashes', () => {
  const at = { topic: 'a.b-c_d', partition: 3, offset: 120 };
  assert.deepEqual(parseAddress('a.b-c_d:3:120'), at);
  assert.deepEqual(parseAddress('a.b-c_d/3/120'), at);
  assert.equal(addressText(at), 'a.b-c_d:3:120');
  for (const text of ['', 'a', 'a:1', 'a:1:', 'a:1/2', 'a:x:2', 'a:-1:2', 'dir/a/1/2', 'a b:1:2']) {
    assert.equal(parseAddress(text), undefined, text);
  }
});

test('topology and address are told apart, in any order', () => {
  const at = parseAddress('t:0:1');
  assert.deepEqual(splitWords(['f.yaml', 't:0:1'], undefined, true), { topology: 'f.yaml', at });
  assert.deepEqual(splitWords(['t:0:1', 'f.yaml'], undefined, true), { topology: 'f.yaml', at });
  assert.deepEqual(splitWords(['t:0:1'], 'f.yaml', true), { topology: 'f.yaml', at });
  assert.deepEqual(splitWords(['f.yaml'], undefined, false), { topology: 'f.yaml', at: undefined });
});

for (const [words, option, said] of [
  [[], undefined, /^which pipeline\?/],
  [['t:0:1'], undefined, /^which pipeline\?/],
  [['f.yaml'], undefined, /^which record\?/],
  [['f.yaml', 't:0'], undefined, /^"t:0" is not TOPIC:PARTITION:OFFSET/],
  [['t:0'], 'f.yaml', /^"t:0" is not TOPIC:PARTITION:OFFSET/],
  [['f.yaml', 't:0:1', 't:0:2'], undefined, /^one record at a time/],
] as const) {
  test(`wrong usage is told: ${words.join(' ')} ${option ?? ''}`, () => {
    assert.throws(() => splitWords(words, option, true), { code: 'usage-invalid', message: said });
  });
}
