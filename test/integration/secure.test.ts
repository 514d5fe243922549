import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import kafkajs, { type Admin } from 'kafkajs';
import { createRegistry } from '../../src/devstack/registry.ts';
import { untilLed } from '../fixtures/leaders.ts';
import { endOffsets, quietKafka, readTopic } from '../fixtures/reader.ts';
import { ROOT, Sluice, sluice } from '../fixtures/sluice.ts';
import { createUpstream, decodeRisk, type Flight, readJsonLines } from '../fixtures/upstream.ts';
import { CANARY, PASSWORD, type Secured, startSecured, unsignedToken } from './secured.ts';

const WANTS_TLS = /is a listener with TLS, and connections\.kafka has no ssl; write ssl: true there/;
const NO_LOGIN =
  /the listener asks for no login: leave connections\.kafka\.sasl out, or give the port of one with SASL/;
/** A session with the broker ends after so long: clients have to log in again on their connections, several times in these tests. */
const SESSION_MS = 4_000;

let secured: Secured;
let admin: Admin;
let brokers: string;
before(async () => {
  secured = await startSecured({
    kafkaSettings: { 'listener.name.sasl_ssl.connections.max.reauth.ms': String(SESSION_MS) },
  });
  brokers = secured.services.brokers;
  admin = quietKafka(brokers, 'admin').admin();
  await admin.connect();
});
after(async () => {
  await admin?.disconnect();
  await secured?.stop();
});

async function createTopics(...topics: string[]): Promise<void> {
  await admin.createTopics({ waitForLeaders: false, topics: topics.map((topic) => ({ topic, numPartitions: 2 })) });
  for (const topic of topics) await untilLed(admin, topic, 2);
}

/** The smallest pipeline with topics of its own, and with what `kafka` says of the connection. */
function hello(name: string, kafka: string): string {
  const file = join(secured.dir, `${name}.yaml`);
  const yaml = readFileSync(join(ROOT, 'topologies/hello.yaml'), 'utf8');
  const own = yaml.replaceAll('hello.', `${name}.`).replace('group: hello', `group: ${name}`);
  writeFileSync(file, own.replace(`schemas/${name}.`, 'schemas/hello.').replace(/kafka: .*/, `kafka: ${kafka}`));
  return file;
}

const scram = (password = 'password', user = 'alice'): string =>
  `sasl: { mechanism: scram-sha-512, username: ${user}, password: "\${file:${password}}" }`;
const trusting = (ca = 'ca.pem'): string => `ssl: { ca: ${ca} }`;

async function total(...topics: string[]): Promise<number> {
  const ends = await Promise.all(topics.map((topic) => endOffsets(brokers, topic)));
  return ends.flat().reduce((sum, end) => sum + end, 0);
}

async function sendFlights(topic: string, ids: readonly number[]): Promise<void> {
  const producer = quietKafka(brokers, 'upstream').producer();
  await producer.connect();
  const messages = ids.map((id) => ({
    key: String(id),
    value: JSON.stringify({ id, departed_at: 0, origin: 'JFK', destination: 'LAX', distance: id }),
  }));
  await producer.send({ topic, acks: -1, messages });
  await producer.disconnect();
}

async function idsOf(topic: string): Promise<number[]> {
  const records = await readTopic(brokers, topic);
  return records.map(({ value }) => (JSON.parse(String(value)) as { id: number }).id).sort((a, b) => a - b);
}

function assertNoCanary(what: string, text: string): void {
  const at = text.indexOf(CANARY);
  assert.ok(at < 0, `${what} shows a secret: ${text.slice(Math.max(0, at - 200), at + 60)}`);
}

describe('secured', { concurrency: 3 }, () => {
  test('the whole example over SASL_SSL and a registry with TLS and a login: every id once, over several sessions, no secret anywhere', async () => {
    const registry = await createRegistry();
    const logins: unknown[] = [];
    const url = await secured.serve((asked, answer) => {
      logins.push(asked.headers.authorization);
      const { host: _, ...headers } = asked.headers;
      asked.pipe(
        request(`${registry.url}${asked.url}`, { method: asked.method, headers }, (got) => {
          answer.writeHead(got.statusCode ?? 0, got.headers);
          got.pipe(answer);
        }),
      );
    });
    const file = join(secured.dir, 'example.yaml');
    const yaml = readFileSync(join(ROOT, 'topologies/flight-delay.yaml'), 'utf8')
      .replace(/kafka: +\{.*/, `kafka: { brokers: "${secured.saslSsl}", ${trusting()}, ${scram()} }`)
      .replace(/registry: +\{.*/, `registry: { url: "${url}", ${trusting()}, username: me, password: "\${CANARY}" }`);
    writeFileSync(file, yaml);
    const env = { BIGTABLE_EMULATOR_HOST: secured.services.bigtableEmulatorHost, CANARY };
    const topics = ['flights.departed', 'flights.delay-risk', 'flights.dead-letter'];
    await createTopics(...topics);
    const loaded = await sluice(['features', 'load', file, 'examples/flight-delay/features'], env);
    assert.equal(loaded.code, 0, loaded.stderr);
    const checked = await sluice(['check', file, '--json'], env);
    const dry = await sluice(['run', file, '--dry', '--no-listen', '--json', '--log-level', 'debug'], env);
    const doctor = await sluice(['doctor', file, '--json'], env);
    assert.deepEqual([checked.code, dry.code], [0, 0], checked.stderr + dry.stderr);
    assert.match(doctor.stdout, /may be written/);
    assert.match(doctor.stdout, /ends in 0 days/);

    const upstream = await createUpstream({ KAFKA_BROKERS: brokers, SCHEMA_REGISTRY_URL: registry.url }, topics[0]);
    const flights = readJsonLines<Flight>('examples/flight-delay/events-500.jsonl');
    const child = new Sluice(['run', file, '--listen', '127.0.0.1:0', '--json', '--log-level', 'debug'], env);
    const parts = 10;
    const size = flights.length / parts;
    for (let part = 0; part < parts; part++) {
      const messages = flights.slice(part * size, (part + 1) * size).map(upstream.message);
      await upstream.send(part === 0 ? [...messages, { key: 'x', value: 'no Avro' }] : messages);
      await child.until('they are answered', async () => (await total(topics[1], topics[2])) >= (part + 1) * size + 1);
      // As a quiet topic has it: what is asked for next comes well into the session.
      await new Promise((resolve) => setTimeout(resolve, SESSION_MS / 4));
    }
    const page = await child.metrics();
    const ready = JSON.stringify(await child.health());
    const retried = await child.metric('sluice_retries_total', { what: 'kafka-fetch' });
    assert.equal(await child.stop(), 0);
    await upstream.close();
    await registry.close();

    const outputs = await readTopic(brokers, topics[1]);
    const ids = outputs.map(({ value }) => decodeRisk(value as Buffer).id).sort((a, b) => a - b);
    assert.deepEqual(
      ids,
      flights.map(({ id }) => id).sort((a, b) => a - b),
    );
    assert.ok(!(retried > 0), 'no session ran out: each was renewed on its connection');
    assert.ok(logins.length > 0);
    assert.deepEqual(new Set(logins), new Set([`Basic ${Buffer.from(`me:${CANARY}`).toString('base64')}`]));
    const letters = await readTopic(brokers, topics[2]);
    assert.equal(letters.length, 1);
    const said = { checked, dry, doctor, page, ready, letters, out: child.stdout, err: child.stderr };
    for (const [what, text] of Object.entries(said)) assertNoCanary(what, JSON.stringify(text));
    assertNoCanary('an output', JSON.stringify(outputs.map(({ headers, value }) => [headers, String(value)])));
    assertNoCanary('a letter', letters.map(({ value, headers }) => `${value} ${JSON.stringify(headers)}`).join());
  });

  test('OAUTHBEARER: tokens are fetched before they end, and each id is published once', async () => {
    await createTopics('oauth.flights', 'oauth.late', 'oauth.dead-letter');
    let given = 0;
    const endpoint = await secured.serve((asked, answer) => {
      const login = Buffer.from(String(asked.headers.authorization).slice(6), 'base64').toString();
      if (login !== `me:${CANARY}-client`) return void answer.writeHead(401).end('{"error":"invalid_client"}');
      given++;
      answer.end(JSON.stringify({ access_token: unsignedToken('alice', 8), expires_in: 8 }));
    });
    const login = `sasl: { mechanism: oauthbearer, tokenEndpoint: "${endpoint}/token", tokenEndpointCa: ca.pem, clientId: me, clientSecret: "\${SECRET}" }`;
    const file = hello('oauth', `{ brokers: "${secured.saslSsl}", ${trusting()}, ${login} }`);
    const child = new Sluice(['run', file, '--listen', '127.0.0.1:0', '--json', '--log-level', 'debug'], {
      SECRET: `${CANARY}-client`,
    });
    const ids: number[] = [];
    await child.until('three tokens were used', async () => {
      ids.push(ids.length);
      await sendFlights('oauth.flights', [ids.length - 1]);
      await child.until('it is answered', async () => (await total('oauth.late')) >= ids.length);
      return given >= 3;
    });
    assert.ok((await child.metric('sluice_token_fetches_total', { outcome: 'fetched' })) >= 3);
    assert.ok(!((await child.metric('sluice_retries_total', { what: 'kafka-fetch' })) > 0));
    const page = await child.metrics();
    assert.equal(await child.stop(), 0);
    assert.deepEqual(await idsOf('oauth.late'), ids);
    for (const text of [page, child.stdout, child.stderr]) {
      assertNoCanary('the pipeline', text);
      assertNoCanary(
        'the pipeline',
        text.replace(/[A-Za-z0-9_-]{20,}/g, (part) => String(Buffer.from(part, 'base64url'))),
      );
    }
  });

  test('what is refused at the start says what, why and the remedy, at once, with exit code 1', async () => {
    await createTopics('no.flights', 'no.late', 'no.dead-letter', 'acl.flights', 'acl.late', 'acl.dead-letter');
    const acl = { host: '*', permissionType: kafkajs.AclPermissionTypes.DENY, principal: 'User:carol' };
    const topic = {
      resourceType: kafkajs.AclResourceTypes.TOPIC,
      resourcePatternType: kafkajs.ResourcePatternTypes.LITERAL,
    };
    await admin.createAcls({
      acl: [{ ...acl, ...topic, resourceName: 'acl.flights', operation: kafkajs.AclOperationTypes.ALL }],
    });
    const { saslSsl, mutual, expired } = secured;
    const oauth = `sasl: { mechanism: oauthbearer, token: "\${file:wrong}" }`;
    const cases: readonly (readonly [string, string, RegExp])[] = [
      [
        'wrong password',
        `{ brokers: "${saslSsl}", ${trusting()}, ${scram('wrong')} }`,
        /SCRAM SHA512 authentication failed.*; check user and password/,
      ],
      [
        'wrong token',
        `{ brokers: "${saslSsl}", ${trusting()}, ${oauth} }`,
        /OAUTHBEARER authentication failed.*; check user and password \(or the token\)/,
      ],
      [
        'another authority',
        `{ brokers: "${saslSsl}", ${trusting('other.pem')}, ${scram()} }`,
        /signed by nobody who is trusted here.*; name the certificate of its authority: connections\.kafka\.ssl\.ca/,
      ],
      [
        'another name',
        `{ brokers: "${saslSsl.replace('127.0.0.1', 'localhost')}", ${trusting()}, ${scram()} }`,
        /certificate is for another name.*; connect by a name .*ssl\.serverName/,
      ],
      [
        'an expired certificate',
        `{ brokers: "${expired}", ${trusting()} }`,
        /certificate has expired.*; have it renewed/,
      ],
      [
        'no certificate of ours',
        `{ brokers: "${mutual}", ${trusting()} }`,
        /certificate.*; give connections\.kafka\.ssl\.cert/,
      ],
      ['TLS, without ssl', `{ brokers: "${saslSsl}" }`, WANTS_TLS],
      [
        'no TLS, with ssl',
        `{ brokers: "${brokers}", ${trusting()} }`,
        /is a listener without TLS, and connections\.kafka\.ssl asks for it; give the port/,
      ],
      [
        'a login, without sasl',
        `{ brokers: "${saslSsl}", ${trusting()} }`,
        /is a listener with a login, and connections\.kafka has no sasl: it hangs up; write sasl:/,
      ],
      ['no login, with sasl', `{ brokers: "${brokers}", ${scram()} }`, NO_LOGIN],
      [
        'a topic that may not be read',
        `{ brokers: "${saslSsl}", ${trusting()}, ${scram('password', 'carol')} }`,
        /Not authorized.*; give this user the right to do it: kafka-acls\.sh/,
      ],
    ];
    for (const [what, kafka, says] of cases) {
      const name = what.startsWith('a topic') ? 'acl' : 'no';
      const { code, stdout, stderr } = await sluice(
        ['run', hello(name, kafka), '--dry', '--no-listen', '--log-level', 'debug'],
        {},
      );
      assert.equal(code, 1, `${what}: ${stderr}`);
      assert.match(stderr, says, what);
      assert.doesNotMatch(stderr, /could be reached in|it is tried again|retrying/, `${what}: at the first attempt`);
      assertNoCanary(what, stdout + stderr);
      const doctor = await sluice(['doctor', hello(name, kafka)], {});
      assert.equal(doctor.code, 1, what);
      assert.match(doctor.stdout, /^problem +(broker|topic) /m, what);
      if (/listener/.test(says.source)) assert.match(doctor.stdout, /listener/, what);
      assertNoCanary(`${what}, doctor`, doctor.stdout + doctor.stderr);
    }
    const plain = hello('no', `{ brokers: "${saslSsl}", ${scram().replace('scram-sha-512', 'plain')} }`);
    const refused = await sluice(['run', plain, '--dry', '--no-listen'], {});
    assert.equal(refused.code, 2);
    assert.match(refused.stderr, /without ssl the password would go over the line as it is/);
  });

  test('certificates of ours, PLAIN and SCRAM-SHA-256 are taken', async () => {
    await createTopics('yes.flights', 'yes.late', 'yes.dead-letter');
    const plain = scram().replace('scram-sha-512', 'plain');
    for (const kafka of [
      `{ brokers: "${secured.mutual}", ssl: { ca: ca.pem, cert: client.pem, key: client.key } }`,
      `{ brokers: "${secured.saslSsl}", ${trusting()}, ${plain} }`,
      `{ brokers: "${secured.saslSsl}", ${trusting()}, ${plain.replace('plain', 'scram-sha-256')} }`,
    ]) {
      const { code, stderr } = await sluice(['run', hello('yes', kafka), '--dry', '--no-listen'], {});
      assert.equal(code, 0, stderr);
      assert.ok(!stderr.includes(PASSWORD));
    }
  });
});
