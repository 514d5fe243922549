import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { createTokens } from '../../../../src/adapters/oauth/tokens.ts';
import { Secret } from '../../../../src/kernel/connections/secret.ts';
import { createAuthority } from '../../../fixtures/certificates.ts';
import { FakeClock } from '../../../fixtures/clock.ts';
import { RecordingTelemetry } from '../../../fixtures/telemetry.ts';

const SECRET = 'canary+client/secret';
const authority = createAuthority('tests');

async function setUp(t: TestContext, { ca = authority.cert, hosts = ['127.0.0.1'] } = {}) {
  const setup = {
    status: 200,
    answer: {} as object,
    asked: [] as { authorization: string | undefined; body: string }[],
  };
  const server = createServer(authority.issue({ name: 'login', hosts }), async (request, response) => {
    let body = '';
    for await (const part of request.setEncoding('utf8')) body += part;
    setup.asked.push({ authorization: request.headers.authorization, body });
    response.writeHead(setup.status).end(JSON.stringify(setup.answer));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close().closeAllConnections());
  const clock = new FakeClock();
  const telemetry = new RecordingTelemetry();
  const token = createTokens(
    { clock, telemetry },
    {
      tokenEndpoint: `https://127.0.0.1:${(server.address() as AddressInfo).port}/token?key=canary-key`,
      clientId: new Secret('me'),
      clientSecret: new Secret(SECRET),
      scope: 'kafka',
      tls: { ca: new Secret(ca) },
    },
  );
  return { setup, clock, telemetry, token };
}

function fetched(telemetry: RecordingTelemetry, outcome: string): number {
  return telemetry.counter('sluice_token_fetches_total', { outcome }).value;
}

test('a token is asked for with the credentials of the client, used for four fifths of its life, then replaced', async (t) => {
  const { setup, clock, telemetry, token } = await setUp(t);
  setup.answer = { access_token: 'one', expires_in: 100 };
  assert.deepEqual(await Promise.all([token(), token()]), ['one', 'one']);
  assert.equal(setup.asked.length, 1, 'both share one request');
  const [{ authorization, body }] = setup.asked;
  assert.equal(body, 'grant_type=client_credentials&scope=kafka');
  const login = Buffer.from(String(authorization).replace('Basic ', ''), 'base64').toString();
  assert.equal(login, `me:${encodeURIComponent(SECRET)}`);
  setup.answer = { access_token: 'two', expires_in: 100 };
  await clock.advance(79_000);
  assert.equal(await token(), 'one');
  await clock.advance(1_000);
  assert.equal(await token(), 'two');
  assert.equal(fetched(telemetry, 'fetched'), 2);
});

test('while the last token is valid, an endpoint that is away is no outage; then it is', async (t) => {
  const { setup, clock, telemetry, token } = await setUp(t);
  setup.answer = { access_token: 'one', expires_in: 100 };
  await token();
  setup.status = 503;
  await clock.advance(90_000);
  assert.equal(await token(), 'one');
  assert.equal(fetched(telemetry, 'failed'), 1);
  await clock.advance(10_000);
  await assert.rejects(token(), { code: 'broker-unavailable', disposition: 'retry', message: /HTTP 503/ });
});

test('an endpoint that refuses us says why, and repeats nothing secret', async (t) => {
  const { setup, telemetry, token } = await setUp(t);
  setup.status = 401;
  const login = Buffer.from(`me:${encodeURIComponent(SECRET)}`).toString('base64');
  setup.answer = { error: 'invalid_client', error_description: `no client with ${SECRET} by Basic ${login}` };
  await assert.rejects(token(), (error: Error & { code?: string }) => {
    assert.equal(error.code, 'login-refused');
    assert.match(
      error.message,
      /HTTP 401, invalid_client: no client with \[secret\] by Basic \[secret\]; check tokenEndpoint, clientId/,
    );
    return true;
  });
  for (const secret of [SECRET, login, 'canary-key']) assert.ok(!JSON.stringify(telemetry.events).includes(secret));
});

test('an endpoint that cannot be verified is sent nothing', async (t) => {
  const { setup, token } = await setUp(t, { ca: createAuthority('another').cert });
  await assert.rejects(token(), { code: 'peer-untrusted', message: /signed by nobody.*tokenEndpointCa/ });
  const other = await setUp(t, { hosts: ['login.example.com'] });
  await assert.rejects(other.token(), { code: 'peer-untrusted', message: /is for another name/ });
  assert.deepEqual([setup.asked, other.setup.asked], [[], []]);
});
