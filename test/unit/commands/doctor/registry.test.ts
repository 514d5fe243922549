import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { probeRegistry } from '../../../../src/adapters/registry/probe.ts';
import { createRegistrySchemas } from '../../../../src/adapters/registry/registry.ts';
import { checkRegistry, checkSkew } from '../../../../src/commands/doctor/registry.ts';
import { createRegistry } from '../../../../src/devstack/registry.ts';
import type { Clock } from '../../../../src/kernel/clock.ts';
import { createSystemClock } from '../../../../src/kernel/system-clock.ts';
import { registryAt } from '../../../../src/topology/connection-build.ts';
import { RecordingTelemetry } from '../../../fixtures/telemetry.ts';

const SCHEMA = { type: 'record', name: 'Out', fields: [{ name: 'p', type: 'double' }] };
const ASKED = { writes: [{ subject: 'out-value', schema: SCHEMA }], reads: ['in-value'] };

function look(url: string, clock: Clock = createSystemClock()) {
  const at = registryAt(url);
  const schemas = createRegistrySchemas({ clock, telemetry: new RecordingTelemetry() }, at);
  return checkRegistry(ASKED, { schemas, probe: () => probeRegistry(clock, { ...at, timeoutMs: 5_000 }) });
}

async function serve(t: TestContext, answer: RequestListener): Promise<string> {
  const server = createServer(answer).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close().closeAllConnections());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test('a registry is asked for what is written and read, and nothing is registered by it', async (t) => {
  const registry = await createRegistry();
  t.after(() => registry.close());
  const before = await look(registry.url);
  assert.deepEqual(
    before.map(({ status, what }) => [status, what.replace(/http\S+/, 'URL')]),
    [
      ['ok', 'URL answers, with 0 subjects'],
      ['note', 'out-value has not the schema that is written: `sluice run` registers it at its start'],
      ['note', 'no subject in-value: nobody has registered what producers write there, or under another name'],
      ['ok', 'agrees with that of URL to 2 s'],
    ],
  );
  registry.register('in-value', JSON.stringify(SCHEMA));
  const id = registry.register('out-value', JSON.stringify(SCHEMA));
  const [, written, clock, ...rest] = await look(registry.url);
  assert.deepEqual([written.status, written.what], ['ok', `out-value has the schema that is written, as ${id}`]);
  assert.deepEqual([clock.check, rest], ['clock', []]);
});

test('a registry that is away is a problem', async () => {
  const registry = await createRegistry();
  await registry.close();
  const [found, ...rest] = await look(registry.url);
  assert.deepEqual([found.status, rest], ['problem', []]);
  assert.match(found.what, /does not answer: .*ECONNREFUSED/);
  assert.match(found.remedy ?? '', /connections\.registry\.url/);
});

for (const [title, status, body] of [
  ['a web page', 200, '<html>hello</html>'],
  ['another service’s JSON', 200, '{"status":"UP"}'],
  ['a list of something else', 200, '[1, 2]'],
  ['nothing of that name', 404, 'not found'],
] as const) {
  test(`${title} is no registry`, async (t) => {
    const url = await serve(t, (_, response) => response.writeHead(status).end(body));
    const [found] = await look(url);
    assert.deepEqual(
      [found.status, found.what],
      ['problem', `what answers at ${url} is no schema registry: HTTP ${status} to /subjects`],
    );
    assert.match(found.remedy ?? '', /host, port and path/);
  });
}

test('one that wants credentials says so, and those in the address are not shown', async (t) => {
  const seen: unknown[] = [];
  const url = await serve(t, (request, response) => {
    seen.push(request.headers.authorization);
    response.writeHead(401).end();
  });
  const [found] = await look(url.replace('http://', 'http://me:secret@'));
  assert.match(found.what, /refuses this user \(HTTP 401\)/);
  assert.doesNotMatch(JSON.stringify(found), /secret/);
  assert.match(String(seen[0]), /^Basic /);
});

test('one that is up and cannot work is a problem', async (t) => {
  const [found] = await look(await serve(t, (_, response) => response.writeHead(503).end()));
  assert.match(found.what, /answers HTTP 503/);
});

for (const [skewMs, status, said] of [
  [0, 'ok', /agrees/],
  [10_000, 'warning', /is (9|10)\.\d s ahead of that/],
  [-10_000, 'warning', /is (9|10)\.\d s behind that/],
  [600_000, 'problem', /is (599|600)\.\d s ahead of that/],
] as const) {
  test(`a clock that is ${skewMs} ms ahead of the registry's: ${status}`, async (t) => {
    const registry = await createRegistry();
    t.after(() => registry.close());
    const real = createSystemClock();
    const found = (await look(registry.url, { ...real, wallMs: () => real.wallMs() + skewMs })).at(-1);
    assert.deepEqual([found?.check, found?.status], ['clock', status]);
    assert.match(found?.what ?? '', said);
  });
}

test('the second of an HTTP date is no skew', () => {
  for (const ms of [-1_999, -500, 0, 500, 1_999]) assert.equal(checkSkew(ms, 'x').status, 'ok');
  for (const ms of [-2_001, 2_001]) assert.match(checkSkew(ms, 'x').remedy ?? '', /NTP/);
});
