import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { isReply, translate } from '../../../../src/adapters/redis/connection.ts';
import { Secret } from '../../../../src/kernel/connections/secret.ts';

const AT = { nodes: [{ host: 'a', port: 1 }], cluster: false };

/** As the client makes them: told apart by the name of their class. */
class SimpleError extends Error {}

test('what Redis answers is a matter of trying again, or of a person, as it says', () => {
  const of = (text: string, cluster = false) => translate(new SimpleError(text), 'a read', { ...AT, cluster });
  assert.ok(isReply(new SimpleError('x')) && !isReply(new Error('x')));
  for (const text of [
    'LOADING Redis is loading',
    'CLUSTERDOWN Hash slot not served',
    'MASTERDOWN Link with MASTER is down',
  ])
    assert.equal(of(text).disposition, 'retry', text);
  for (const text of ['NOPERM this user has no permissions', 'ERR unknown command'])
    assert.equal(of(text).disposition, 'fatal', text);
});

test('a slot that is elsewhere is a wrong setting for one server, and a matter of moments for a cluster', () => {
  const alone = translate(new SimpleError('MOVED 7 b:2'), 'a read', AT);
  assert.equal(alone.disposition, 'fatal');
  assert.match(alone.message, /Redis at a:1 is one node of a cluster; write cluster: true/);
  const moving = translate(new SimpleError('MOVED 7 b:2'), 'a read', { ...AT, cluster: true });
  assert.equal(moving.disposition, 'retry');
  assert.match(moving.message, /did not answer for a read \(MOVED 7 b:2\)/);
});

test('what is lost on the way is worth another try, whatever it is', () => {
  for (const error of [
    new Error('Socket closed unexpectedly'),
    Object.assign(new Error(''), { code: 'ECONNREFUSED' }),
    'odd',
    undefined,
  ])
    assert.equal(translate(error, 'a read', AT).disposition, 'retry');
});

test('a login that is refused, and a certificate that has expired, are tried again: both are rolled while fleets run', () => {
  for (const text of ['NOAUTH Authentication required.', 'WRONGPASS invalid username-password pair'])
    assert.equal(translate(new SimpleError(text), 'a read', AT).code, 'login-refused', text);
  const expired = Object.assign(new Error('certificate has expired'), { code: 'CERT_HAS_EXPIRED' });
  assert.equal(translate(expired, 'a connection', AT).code, 'peer-untrusted');
});

test('a server without AUTH repeats the password, and nobody sees it', () => {
  const echo = new SimpleError("ERR unknown command 'AUTH', with args beginning with: 'me' 'canary'");
  const error = translate(echo, 'a connection', { ...AT, password: new Secret('canary') });
  assert.match(error.message, /unknown command 'AUTH'.*'\[secret\]'.*; correct username and password/);
  assert.ok(!inspect(error, { depth: 9 }).includes('canary'));
});
