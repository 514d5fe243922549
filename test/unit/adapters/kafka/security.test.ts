import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { createServer } from 'node:tls';
import { translate } from '../../../../src/adapters/kafka/client/errors.ts';
import { saslOf } from '../../../../src/adapters/kafka/client/login.ts';
import { renewalMs } from '../../../../src/adapters/kafka/client/network.ts';
import { socketsOf } from '../../../../src/adapters/kafka/client/sockets.ts';
import { Secret } from '../../../../src/kernel/connections/secret.ts';
import type { TlsSettings } from '../../../../src/kernel/connections/tls.ts';
import { mayPassAtStart } from '../../../../src/kernel/errors.ts';
import { type Authority, createAuthority } from '../../../fixtures/certificates.ts';

const BROKERS = ['a:1'];
const DAY_MS = 86_400_000;

interface Peer {
  readonly hosts?: readonly string[];
  readonly to?: Date;
  readonly asksForOurs?: boolean;
}

async function listen(
  t: TestContext,
  authority: Authority,
  { asksForOurs = false, ...peer }: Peer = {},
): Promise<number> {
  const from = new Date(Date.now() - 9 * DAY_MS);
  const issued = authority.issue({ name: 'broker', hosts: ['localhost'], ...peer, from });
  const server = createServer({
    ...issued,
    ca: authority.cert,
    requestCert: asksForOurs,
    rejectUnauthorized: asksForOurs,
  });
  server.on('tlsClientError', () => undefined);
  server.on('secureConnection', (socket) => socket.on('error', () => undefined).end('\0\0\0\x02ok'));
  server.listen(0, 'localhost');
  await once(server, 'listening');
  t.after(() => server.close());
  return (server.address() as AddressInfo).port;
}

/** What comes over one connection, or why there is none, as people are told. */
function receive(port: number, tls: TlsSettings): Promise<string> {
  return new Promise((resolve) => {
    const socket = socketsOf(tls)({ host: 'localhost', port, ssl: {}, onConnect: () => undefined });
    socket.on('data', (data: Buffer) => resolve(data.toString('latin1', 4)));
    socket.on('error', (error) => resolve(translate(error, 'connect', BROKERS).message));
    socket.on('close', () => resolve('it hung up'));
  });
}

test('a broker is believed by its authority, its name and its dates, and by nothing else', async (t) => {
  const authority = createAuthority('ours');
  const ca = new Secret(authority.cert);
  const port = await listen(t, authority);
  assert.equal(await receive(port, { ca }), 'ok');
  assert.match(await receive(port, {}), /signed by nobody who is trusted here .*connections\.kafka\.ssl\.ca$/);
  assert.match(await receive(port, { ca: new Secret(createAuthority('ours').cert) }), /signed by nobody/);
  assert.match(await receive(port, { ca, serverName: 'other' }), /is for another name .*; .*ssl\.serverName$/);
  const elsewhere = await listen(t, authority, { hosts: ['kafka.example.com'] });
  assert.match(await receive(elsewhere, { ca }), /is for another name/);
  assert.equal(await receive(elsewhere, { ca, serverName: 'kafka.example.com' }), 'ok');
  const old = await listen(t, authority, { to: new Date(Date.now() - DAY_MS) });
  assert.match(await receive(old, { ca }), /has expired .*; have it renewed/);
});

test('certificates of ours are read again for each connection', async (t) => {
  const authority = createAuthority('ours');
  const dir = mkdtempSync(join(tmpdir(), 'sluice-tls-'));
  t.after(() => rmSync(dir, { recursive: true }));
  const port = await listen(t, authority, { asksForOurs: true });
  const [cert, key] = ['cert.pem', 'key.pem'].map((name) => new Secret(join(dir, name)));
  const tls = { ca: new Secret(authority.cert), cert, key };
  const give = (own: { readonly cert: string; readonly key: string }): void => {
    writeFileSync(join(dir, 'cert.pem'), own.cert);
    writeFileSync(join(dir, 'key.pem'), own.key);
  };
  give(createAuthority('theirs').issue({ name: 'me' }));
  assert.notEqual(await receive(port, tls), 'ok');
  give(authority.issue({ name: 'me' }));
  assert.equal(await receive(port, tls), 'ok');
});

test('who is not believed ends a start, and is a retry while it runs; who may not do it ends both', () => {
  const login = Object.assign(new Error('SASL PLAIN authentication failed'), {
    name: 'KafkaJSSASLAuthenticationError',
  });
  const tls = Object.assign(new Error('certificate has expired'), { code: 'CERT_HAS_EXPIRED' });
  const acl = Object.assign(new Error('Not authorized'), { type: 'TOPIC_AUTHORIZATION_FAILED' });
  const away = Object.assign(new Error('refused'), { code: 'ECONNREFUSED' });
  const seen = [login, tls, acl, away].map((thrown) => {
    const error = translate(new Error('wrapped', { cause: thrown }), 'read the metadata of topic "in"', BROKERS);
    return [error.code, error.disposition, mayPassAtStart(error)];
  });
  assert.deepEqual(seen, [
    ['login-refused', 'retry', false],
    ['peer-untrusted', 'retry', false],
    ['broker-refused', 'fatal', false],
    ['broker-unavailable', 'retry', true],
  ]);
  const { message } = translate(acl, 'read the metadata of topic "in"', BROKERS);
  assert.match(message, /kafka-acls\.sh --bootstrap-server a:1 --add .*--operation Read \(or Write\) --topic in$/);
});

test('a password that was rolled is used at the next login', () => {
  let text = 'one';
  const password = new Secret(text, () => text);
  const sasl = saslOf({ mechanism: 'plain', username: new Secret('me'), password }) as { readonly password: string };
  text = 'two';
  assert.equal(sasl.password, 'two');
});

test('what a broker has against a token is the reason, and the exchange is ended as the protocol wants it', async () => {
  const sent: string[] = [];
  const answers = ['{"status":"invalid_token","scope":"kafka"}', ''];
  const { authenticationProvider } = saslOf({ mechanism: 'oauthbearer', token: async () => 'abc' }) as unknown as {
    authenticationProvider(deps: object): { authenticate(): Promise<void> };
  };
  const saslAuthenticate = async ({ request, response }: { request: never; response: never }): Promise<unknown> => {
    const { encode } = request as { encode(): Promise<Buffer> };
    const { decode, parse } = response as {
      decode(bytes: Buffer): Promise<unknown>;
      parse(data: unknown): Promise<unknown>;
    };
    sent.push((await encode()).toString('utf8', 4));
    return parse(await decode(Buffer.from(`\0\0\0\0${answers.shift()}`)));
  };
  const login = authenticationProvider({ saslAuthenticate });
  await assert.rejects(login.authenticate(), { message: 'SASL OAUTHBEARER authentication failed: invalid_token' });
  assert.deepEqual(sent, ['n,,\x01auth=Bearer abc\x01\x01', '\x01']);
  answers.push('');
  await login.authenticate();
});

test('a session is renewed ten seconds before its end, a short one at its half', () => {
  assert.deepEqual([0, Number.NaN, 3_600_000, 20_000, 4_000].map(renewalMs), [10_000, 10_000, 10_000, 10_000, 2_000]);
});
