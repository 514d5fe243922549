import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { hideSecrets, Secret } from '../../../../src/kernel/connections/secret.ts';

test('a secret is shown to nobody who does not ask for it', () => {
  const secret = new Secret('canary');
  const error = new Error(`no ${secret}`, { cause: { secret } });
  for (const text of [
    `${secret}`,
    JSON.stringify({ secret }),
    inspect(error, { depth: 9 }),
    inspect(Object.freeze({ secret }), { showHidden: true }),
  ])
    assert.ok(!text.includes('canary') && text.includes('[secret]'), text);
  assert.equal(secret.reveal(), 'canary');
});

test('one out of a file is read again; where it cannot be, or is empty, the last one counts', () => {
  const texts = ['two', '', undefined, 'three'];
  const secret = new Secret('one', () => {
    const text = texts.shift();
    if (text === undefined) throw Object.assign(new Error('gone'), { code: 'ENOENT' });
    return text;
  });
  assert.deepEqual(
    [1, 2, 3, 4].map(() => secret.reveal()),
    ['two', 'two', 'two', 'three'],
  );
  const broken = new Secret('x', () => {
    throw new TypeError('a defect');
  });
  assert.throws(() => broken.reveal());
});

test('what others repeat is hidden in the forms that they may repeat it in', () => {
  const secret = new Secret('a"b c');
  assert.equal(hideSecrets('a"b c, "a\\"b c", a%22b%20c', [secret]), '[secret], "[secret]", [secret]');
  assert.equal(hideSecrets('as it was', [new Secret('')]), 'as it was');
});
