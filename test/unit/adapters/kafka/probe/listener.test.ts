import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { createServer as createSecure } from 'node:tls';
import { createKafkaClient, reach } from '../../../../../src/adapters/kafka/connection.ts';
import { misfitAt, misfitOfAll } from '../../../../../src/adapters/kafka/probe/listener.ts';
import type { KafkaLogin } from '../../../../../src/kernel/connections/login.ts';
import { Secret } from '../../../../../src/kernel/connections/secret.ts';
import type { TlsSettings } from '../../../../../src/kernel/connections/tls.ts';
import { createSystemClock } from '../../../../../src/kernel/system-clock.ts';
import { createAuthority } from '../../../../fixtures/certificates.ts';
import { seeded } from '../../../../fixtures/random.ts';
import { RecordingTelemetry } from '../../../../fixtures/telemetry.ts';

const API_VERSIONS = 18;
const METADATA = 3;
const SASL_HANDSHAKE = 17;
const ILLEGAL_SASL_STATE = 34;
const clock = createSystemClock();
const authority = createAuthority('ours');
const ssl: TlsSettings = { ca: new Secret(authority.cert) };
const sasl: KafkaLogin = { mechanism: 'scram-sha-512', username: new Secret('me'), password: new Secret('secret') };

async function listen(t: TestContext, server: Server): Promise<string> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => sockets.add(socket.on('error', () => undefined)));
  server.on('tlsClientError', () => undefined);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** What a broker says to whoever has not logged in: which requests there are, and of the rest nothing, or all. */
function speak(socket: Socket, wantsLogin: boolean, seen: Buffer[] = []): void {
  socket.on('error', () => undefined);
  socket.on('data', (asked: Buffer) => {
    seen.push(asked);
    // A first record of TLS, as a length, is beyond what a broker takes.
    if (asked.readInt32BE(0) > 1 << 20) return void socket.destroy();
    const key = asked.readInt16BE(4);
    const body = Buffer.alloc(32);
    body.writeInt32BE(asked.readInt32BE(8));
    let length = 6;
    if (key === API_VERSIONS) {
      const keys = [METADATA, SASL_HANDSHAKE];
      length = 8 + keys.length * 6;
      body.writeInt32BE(keys.length, 6);
      for (const [n, each] of keys.entries()) body.writeInt16BE(each, 10 + n * 6);
      length += 2;
    } else if (key === SASL_HANDSHAKE) {
      body.writeInt16BE(wantsLogin ? 0 : ILLEGAL_SASL_STATE, 4);
      length = 10;
    } else if (wantsLogin) return void socket.destroy();
    const size = Buffer.alloc(4);
    size.writeInt32BE(length);
    socket.write(Buffer.concat([size, body.subarray(0, length)]));
  });
}

const plain = (t: TestContext, wantsLogin: boolean, seen?: Buffer[]): Promise<string> =>
  listen(
    t,
    createServer((socket) => speak(socket, wantsLogin, seen)),
  );
const secure = (t: TestContext, wantsLogin: boolean): Promise<string> =>
  listen(
    t,
    createSecure(authority.issue({ name: 'broker', hosts: ['127.0.0.1'] }), (socket) => speak(socket, wantsLogin)),
  );
const look = async (address: string, settings: { ssl?: TlsSettings; sasl?: KafkaLogin }): Promise<string> =>
  (await misfitAt(clock, { ...settings, address, clientId: 'test', timeoutMs: 2_000 }))?.message ?? 'fits, or unknown';

test('each way in which a listener and the settings do not fit is told, with what to write', async (t) => {
  const listeners = {
    plain: await plain(t, false),
    login: await plain(t, true),
    tls: await secure(t, false),
    both: await secure(t, true),
  };
  const NO_SSL =
    /is a listener with TLS, and connections\.kafka has no ssl; write ssl: true there \(or ssl: \{ ca: FILE \}\), or give/;
  const NO_TLS =
    /is a listener without TLS, and connections\.kafka\.ssl asks for it; give the port of .*, or leave ssl out$/;
  const NO_SASL =
    /is a listener with a login, and connections\.kafka has no sasl: it hangs up; write sasl: \{ mechanism/;
  const NO_LOGIN = /is a listener without a login, and connections\.kafka\.sasl has one; leave sasl out/;
  const FITS = /^fits/;
  for (const [at, settings, says] of [
    ['plain', {}, FITS],
    ['plain', { sasl }, NO_LOGIN],
    ['plain', { ssl }, NO_TLS],
    ['plain', { ssl, sasl }, NO_TLS],
    ['login', {}, NO_SASL],
    ['login', { sasl }, FITS],
    ['login', { ssl, sasl }, NO_TLS],
    ['tls', {}, NO_SSL],
    ['tls', { sasl }, NO_SSL],
    ['tls', { ssl }, FITS],
    ['tls', { ssl, sasl }, NO_LOGIN],
    ['both', {}, NO_SSL],
    ['both', { ssl }, NO_SASL],
    ['both', { ssl, sasl }, FITS],
    // Whose certificate is not believed is another error than this.
    ['tls', { ssl: {} }, FITS],
  ] as const) {
    const told = await look(listeners[at], settings);
    assert.match(told, says, `${at} with ${Object.keys(settings)}`);
    if (says !== FITS) assert.ok(told.startsWith(listeners[at]), 'it says which');
  }
});

test('who hangs up on everybody is only starting, perhaps: nothing is said of the settings', async (t) => {
  const nobody = await listen(
    t,
    createServer((socket) => void socket.destroy()),
  );
  for (const settings of [{}, { sasl }, { ssl }]) assert.match(await look(nobody, settings), /^fits, or unknown/);
});

test('a broker that hangs up once on who has not logged in, as one that ends does, is waited for', async (t) => {
  let connections = 0;
  const at = await listen(
    t,
    createServer((socket) => speak(socket, ++connections === 1)),
  );
  assert.match(await look(at, {}), /^fits/);
  assert.equal(connections, 2);
});

test('nothing secret goes to a listener that is not as the settings have it', async (t) => {
  const seen: Buffer[] = [];
  const at = await plain(t, false, seen);
  await look(at, { sasl });
  await look(at, { ssl, sasl });
  const keys = seen.filter((asked) => asked[0] === 0).map((asked) => asked.readInt16BE(4));
  assert.deepEqual(new Set(keys), new Set([API_VERSIONS, SASL_HANDSHAKE]));
  assert.ok(!Buffer.concat(seen).includes('secret'));
});

test('one broker of several that is as the settings have it is enough', async (t) => {
  const [one, other] = [await plain(t, false), await secure(t, false)];
  const options = { clientId: 'test', timeoutMs: 2_000 };
  assert.equal(await misfitOfAll(clock, [other, one], options), undefined);
  assert.match((await misfitOfAll(clock, ['127.0.0.1:1', other], options))?.message ?? '', /with TLS/);
  assert.equal(await misfitOfAll(clock, ['127.0.0.1:1'], options), undefined);
});

test('a start ends at its first attempt, with the mistake', async (t) => {
  const telemetry = new RecordingTelemetry();
  const deps = { clock, telemetry, random: seeded(1) };
  for (const [address, settings, code] of [
    [await secure(t, false), {}, 'peer-untrusted'],
    [await plain(t, false), { ssl }, 'peer-untrusted'],
  ] as const) {
    const connection = { brokers: [address], clientId: 'test', ...settings };
    await assert.rejects(reach(deps, connection, createKafkaClient(connection, telemetry)), { code });
  }
  assert.equal(telemetry.eventsNamed('kafka-connect-retry').length, 0);
});
