import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { createAuthority } from '../fixtures/certificates.ts';
import { ROOT, sluice } from '../fixtures/sluice.ts';

/** In every secret of the topology: it must come out nowhere. With a real broker: test/integration/secure.test.ts. */
const CANARY = 'canary4711';
interface Bench {
  readonly dir: string;
  readonly asked: string[];
  readonly url: string;
  /** Writes a topology with these connections and gives its file. */
  topology(from: string, connections: string): string;
}

/** An https server that refuses whoever asks, and repeats what it was told. */
async function bench(t: TestContext): Promise<Bench> {
  const dir = mkdtempSync(join(tmpdir(), 'sluice-secrets-'));
  t.after(() => rmSync(dir, { recursive: true }));
  const authority = createAuthority('tests');
  const asked: string[] = [];
  const server = createServer(authority.issue({ name: 'x', hosts: ['127.0.0.1'] }), (request, response) => {
    request.resume();
    const login = String(request.headers.authorization);
    asked.push(login);
    const plain = Buffer.from(login.replace(/^\w+ /, ''), 'base64').toString();
    response
      .writeHead(401)
      .end(JSON.stringify({ error: 'invalid_client', error_description: plain, message: `${login} ${plain}` }));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close().closeAllConnections());
  const files = { 'ca.pem': authority.cert, secret: `${CANARY}-file\n` };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(dir, name), text);
  return {
    dir,
    asked,
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    topology(from, connections) {
      const file = join(dir, 'topology.yaml');
      const yaml = readFileSync(join(ROOT, from), 'utf8');
      writeFileSync(file, yaml.replace(/\nconnections:.*?\n(?=source:)/s, `\nconnections:\n${connections}\n`));
      return file;
    },
  };
}

async function everything(file: string, env: Readonly<Record<string, string>>) {
  const check = await sluice(['check', file, '--json'], env);
  const text = await sluice(['check', file], env);
  const dry = await sluice(['run', file, '--dry', '--no-listen', '--log-level', 'debug'], env);
  const doctor = await sluice(['doctor', file, '--json'], env);
  for (const [what, { stdout, stderr }] of Object.entries({ check, text, dry, doctor })) {
    for (const secret of [CANARY, Buffer.from(CANARY).toString('base64').slice(0, 12)]) {
      const said = stdout + stderr;
      assert.ok(!said.includes(secret), `${what} shows a secret: ${said.slice(0, 3_000)}`);
    }
  }
  return { check, dry, doctor };
}

test('a registry that repeats what it was told ends the start at once, and nothing secret is shown', async (t) => {
  const { topology, url, asked } = await bench(t);
  const broker = `{ brokers: "${url.replace('https://', '')}", ssl: true, sasl: { mechanism: plain, username: me, password: "\${file:secret}" } }`;
  const bigtable = 'bigtable: { project: dev, instance: dev }';
  const file = topology(
    'topologies/flight-delay.yaml',
    `  kafka: ${broker}\n  registry: { url: "${url}", ssl: { ca: ca.pem }, token: "\${file:secret}" }\n  ${bigtable}`,
  );
  const { dry, doctor } = await everything(file, { BIGTABLE_EMULATOR_HOST: '127.0.0.1:1' });
  assert.equal(dry.code, 1);
  assert.match(dry.stderr, /it does not know who we are \(HTTP 401\); check connections\.registry\.token/);
  assert.match(doctor.stdout, /signed by nobody who is trusted here/);
  assert.deepEqual(new Set(asked), new Set([`Bearer ${CANARY}-file`]));
});
