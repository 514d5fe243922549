// biome-ignore-all lint/suspicious/noTemplateCurlyInString: such references are what is tested
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { inspect } from 'node:util';
import { formatFindings } from '../../../src/documents/finding.ts';
import { loadTopology } from '../../../src/topology/load.ts';
import { createAuthority } from '../../fixtures/certificates.ts';
import { folderWith, SAMPLE } from './sample.ts';

const CANARY = 'canary4711';
const ENV = { PASSWORD: `${CANARY}-password`, DIGITS: '004711' };
const authority = createAuthority('tests');

/** The sample with other connections; what its files say of the secret is in `secret`. */
function load(t: TestContext, connections: string) {
  const yaml = SAMPLE.replace(/\nconnections:.*?\n(?=source:)/s, `\nconnections:\n${connections}\n`);
  const client = authority.issue({ name: 'sluice' });
  const files = { 'ca.pem': authority.cert, 'key.pem': client.key, 'cert.pem': client.cert };
  const { folder, remove } = folderWith({ 'topology.yaml': yaml, secret: `${CANARY}-file\r\n`, empty: '\n', ...files });
  t.after(remove);
  return { folder, loaded: loadTopology(join(folder, 'topology.yaml'), ENV) };
}

const KAFKA = (rest: string): string =>
  `  kafka: { brokers: "b:1", ${rest} }\n  registry: { url: "http://localhost:1" }`;
const SCRAM = 'sasl: { mechanism: scram-sha-512, username: "${DIGITS}", password: "${file:secret}" }';

test('secrets are hidden from loading on, and their files are read again for each use', (t) => {
  const { folder, loaded } = load(t, KAFKA(`ssl: { ca: ca.pem, cert: cert.pem, key: key.pem }, ${SCRAM}`));
  assert.ok(loaded.ok, formatFindings(loaded.findings));
  const { kafka } = loaded.topology.connections;
  const sasl = kafka?.sasl;
  assert.ok(sasl !== undefined && sasl.mechanism === 'scram-sha-512');
  assert.deepEqual([sasl.username.reveal(), sasl.password.reveal()], ['004711', `${CANARY}-file`]);
  for (const text of [JSON.stringify(loaded.topology), inspect(loaded.topology, { depth: 9, showHidden: true })])
    assert.ok(!text.includes(CANARY) && !text.includes('004711'), text);
  writeFileSync(join(folder, 'secret'), 'rolled\n');
  assert.equal(sasl.password.reveal(), 'rolled');
});

test('unquoted digits stay text', (t) => {
  const { loaded } = load(
    t,
    '  kafka:\n    brokers: "b:1"\n    sasl:\n      mechanism: scram-sha-256\n      username: ${DIGITS}\n      password: ${DIGITS}\n  registry: { url: "http://localhost:1" }',
  );
  assert.ok(loaded.ok, formatFindings(loaded.findings));
  const sasl = loaded.topology.connections.kafka?.sasl;
  assert.equal(sasl?.mechanism === 'scram-sha-256' && sasl.password.reveal(), '004711');
});

test('credentials in the URL of the registry are taken out of it, and warned of', (t) => {
  const { loaded } = load(t, `  registry: { url: "https://me:${CANARY}%40@host:1/path" }`);
  assert.ok(loaded.ok, formatFindings(loaded.findings));
  const { registry } = loaded.topology.connections;
  assert.equal(registry?.url, 'https://host:1/path');
  assert.ok(registry.login !== undefined && 'password' in registry.login);
  assert.equal(registry.login.password.reveal(), `${CANARY}@`);
  assert.match(formatFindings(loaded.findings), /has a password in it/);
  assert.ok(!JSON.stringify([loaded.topology, loaded.findings]).includes(CANARY));
});

for (const [connections, says] of [
  ['  kafka: { brokers: "${file:secret}" }', /"\[secret\]" is not a list host:port/],
  [KAFKA('ssl: { ca: ca.pem, cert: cert.pem, key: "${PASSWORD}" }'), /there is no file \[secret\]/],
  [KAFKA('ssl: { ca: ca.pem, cert: ca.pem, key: key.pem }'), /is not the key of cert/],
  [KAFKA('ssl: { passphrase: "${PASSWORD}" }'), /passphrase: is for no key/],
  [KAFKA('sasl: { mechanism: plain, username: me, password: "${file:secret}" }'), /without ssl the password/],
  [
    KAFKA(`sasl: { mechanism: plain, password: ${CANARY}, passwort: x }`),
    /unknown key "passwort"; did you mean "password"/,
  ],
  [`  kafka: { brokers: "b:1", sasl: { mechanism: plain, password: "${CANARY} }`, /repair the YAML/],
  [`  registry: { url: "ftp://me:${CANARY}@host" }`, /is not an http or https address/],
  [`  registry: { url: "http://me:${CANARY}@host:1" , token: "\${DIGITS}" }`, /in several ways/],
  [KAFKA('sasl: { mechanism: scram-sha-512, username: me, password: "${file:empty}" }'), /is an empty file/],
] as const) {
  test(`what is wrong beside a secret is said, and the secret is not: ${says.source}`, (t) => {
    const { loaded } = load(t, connections);
    assert.equal(loaded.ok, false);
    const text = formatFindings(loaded.findings);
    assert.match(text, says);
    for (const shown of [text, JSON.stringify(loaded.findings)])
      assert.ok(!shown.includes(CANARY) && !shown.includes('004711'), shown);
  });
}

test('a login in front of a broker, and a key that is misspelt, are hidden in what is said of them', (t) => {
  for (const kafka of [
    `{ brokers: "SASL_SSL://me:${CANARY}@b:1" }`,
    `{ brokers: "me:${CANARY}@b:1" }`,
    `{ brokers: "b:1", ssl: true, sasl: { mechanism: plain, username: me, pasword: ${CANARY} } }`,
    `{ brokers: "b:1", ssl: true, sasl: { mechanism: kerberos, username: me, password: "\${NOPE:-${CANARY}}" } }`,
  ]) {
    const { loaded } = load(t, `  kafka: ${kafka}\n  registry: { url: "http://localhost:1" }`);
    assert.ok(!loaded.ok);
    assert.ok(!JSON.stringify(loaded.findings).includes(CANARY), formatFindings(loaded.findings));
  }
});

test('an invalid Redis address is a finding, never an exception', (t) => {
  for (const url of [`redis://me:${CANARY}@h:port/0`, `redis://me:${CANARY}%zz@h:1`, `redis://me:${CANARY}#@h:1`]) {
    const { loaded } = load(t, `  kafka: { brokers: "b:1" }\n  redis: { url: "${url}" }`);
    assert.ok(!loaded.ok);
    const said = formatFindings(loaded.findings);
    assert.match(said, /connections\.redis\.url: is not an address of Redis/);
    assert.ok(!said.includes(CANARY), said);
  }
});

test('a password in a variable at the wrong key is not shown: the finding quotes the variable', (t) => {
  for (const [connections, quoted] of [
    [KAFKA('sasl: { mechanism: "${PASSWORD}", username: me, password: x }'), '"${PASSWORD}" is not one of'],
    [KAFKA('sessionTimeout: "${PASSWORD}"'), '"${PASSWORD}" is not a duration'],
    [KAFKA('ssl: { ca: "${PASSWORD}" }'), '${PASSWORD}'],
    ['  kafka: { brokers: "${PASSWORD}" }\n  registry: { url: "${PASSWORD}" }', '${PASSWORD}'],
  ]) {
    const { loaded } = load(t, connections);
    assert.ok(!loaded.ok);
    const text = formatFindings(loaded.findings);
    assert.ok(text.includes(quoted), text);
    assert.ok(!text.includes(CANARY), text);
  }
});

test('a variable whose name is that of no secret is shown with its value, which says more', (t) => {
  const { loaded } = load(t, KAFKA('sessionTimeout: "${DIGITS}"'));
  assert.ok(!loaded.ok);
  assert.match(formatFindings(loaded.findings), /"004711" is not a duration/);
});
