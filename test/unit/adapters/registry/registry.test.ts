import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, test } from 'node:test';
import { createRegistrySchemas, type RegistryOptions } from '../../../../src/adapters/registry/registry.ts';
import { createRegistry, type Registry, type RegistryFault } from '../../../../src/devstack/registry.ts';
import { Secret } from '../../../../src/kernel/connections/secret.ts';
import type { SchemaSource } from '../../../../src/ports/schemas.ts';
import { registryAt } from '../../../../src/topology/connection-build.ts';
import { FakeClock } from '../../../fixtures/clock.ts';
import { RecordingTelemetry } from '../../../fixtures/telemetry.ts';

interface Setup {
  readonly registry: Registry;
  readonly clock: FakeClock;
  readonly telemetry: RecordingTelemetry;
  readonly schemas: SchemaSource;
  /** METHOD path of every request so far. */
  readonly asked: string[];
  fault: RegistryFault | undefined;
}

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

async function setUp(options: Partial<RegistryOptions> = {}): Promise<Setup> {
  const asked: string[] = [];
  const setup = { fault: undefined } as { fault: RegistryFault | undefined };
  const registry = await createRegistry({
    hooks: {
      onRequest(method, path) {
        asked.push(`${method} ${path}`);
        return setup.fault;
      },
    },
  });
  closers.push(() => registry.close());
  const clock = new FakeClock();
  const telemetry = new RecordingTelemetry();
  const schemas = createRegistrySchemas({ clock, telemetry }, { url: `${registry.url}/`, ...options });
  return Object.assign(setup, { registry, clock, telemetry, schemas, asked });
}

const RECORD = { type: 'record', name: 'r', fields: [{ name: 'a', type: 'int' }] };

test('a schema is asked for once, by however many at a time, and kept', async () => {
  const { registry, schemas, asked } = await setUp();
  const id = registry.register('s', JSON.stringify(RECORD));
  const all = await Promise.all([1, 2, 3].map(() => schemas.writerSchema(id)));
  assert.deepEqual(all[0], RECORD);
  assert.equal(await schemas.writerSchema(id), all[0]);
  assert.deepEqual(asked, [`GET /schemas/ids/${id}`]);
});

test('no more schemas are kept than allowed; the one asked for last stays', async () => {
  const { registry, schemas, asked } = await setUp({ maxSchemas: 2 });
  const [a, b, c] = ['int', 'long', 'string'].map((type) => registry.register(type, JSON.stringify({ type })));
  for (const id of [a, b, a, c, a, b]) await schemas.writerSchema(id);
  assert.deepEqual(
    asked,
    [a, b, c, b].map((id) => `GET /schemas/ids/${id}`),
  );
});

test('an id that does not exist is unknown for a while, then asked for again', async () => {
  const { registry, clock, schemas, asked } = await setUp({ unknownForMs: 60_000 });
  for (let i = 0; i < 3; i++) {
    await assert.rejects(schemas.writerSchema(1), {
      code: 'schema-unknown',
      disposition: 'dead-letter',
      message: /id 1/,
    });
  }
  assert.equal(asked.length, 1);
  assert.equal(registry.register('late', JSON.stringify(RECORD)), 1);
  await clock.advance(60_000);
  assert.deepEqual(await schemas.writerSchema(1), RECORD);
});

for (const [status, code, disposition] of [
  [500, 'registry-unavailable', 'retry'],
  [503, 'registry-unavailable', 'retry'],
  [429, 'registry-unavailable', 'retry'],
  [401, 'login-refused', 'retry'],
  [403, 'registry-refused', 'fatal'],
] as const) {
  test(`HTTP ${status} is ${code}, and is not remembered`, async () => {
    const setup = await setUp();
    const id = setup.registry.register('s', JSON.stringify(RECORD));
    setup.fault = { status };
    await assert.rejects(setup.schemas.writerSchema(id), { code, disposition });
    await assert.rejects(setup.schemas.idFor('s', RECORD), { code, disposition });
    setup.fault = undefined;
    assert.deepEqual(await setup.schemas.writerSchema(id), RECORD);
  });
}

test('a registry that is gone, or silent for too long, is unavailable', async () => {
  const setup = await setUp({ timeoutMs: 50 });
  setup.fault = { delayMs: 5_000 };
  await assert.rejects(setup.schemas.writerSchema(1), { code: 'registry-unavailable' });
  const gone = createRegistrySchemas(
    { clock: setup.clock, telemetry: setup.telemetry },
    { url: 'http://somebody:secret@127.0.0.1:1' },
  );
  await assert.rejects(gone.writerSchema(1), (error: Error) => {
    assert.equal((error as Error & { code: string }).code, 'registry-unavailable');
    assert.match(error.message, /127\.0\.0\.1:1/);
    assert.doesNotMatch(error.message, /secret/);
    return true;
  });
});

test('row 18: a flood of made-up ids becomes a limited number of requests a second', async () => {
  const { clock, telemetry, schemas, asked } = await setUp({ maxLookUpsPerSecond: 5 });
  const codes = async (from: number): Promise<string[]> => {
    const results = await Promise.allSettled(Array.from({ length: 20 }, (_, i) => schemas.writerSchema(from + i)));
    return results.map((result) => (result.status === 'rejected' ? result.reason.code : 'found'));
  };
  const first = await codes(0);
  assert.equal(first.filter((code) => code === 'schema-unknown').length, 5);
  assert.equal(first.filter((code) => code === 'registry-unavailable').length, 15);
  assert.equal(asked.length, 5);
  assert.equal(telemetry.eventsNamed('registry-throttled').length, 15);
  await clock.advance(1_000);
  await codes(100);
  assert.equal(asked.length, 10);
});

test('row 18: a hundred thousand made-up ids are a hundred requests in two seconds, and the known ones are answered', async () => {
  const { clock, registry, schemas, asked } = await setUp({ maxLookUpsPerSecond: 50, maxSchemas: 100 });
  const known = registry.register('s', JSON.stringify(RECORD));
  await schemas.writerSchema(known);
  await clock.advance(1_000);
  const before = asked.length;
  for (let second = 0; second < 2; second++) {
    for (let from = 0; from < 50_000; from += 5_000) {
      const ids = Array.from({ length: 5_000 }, (_, i) => 1_000 + second * 50_000 + from + i);
      const results = await Promise.allSettled(ids.map((id) => schemas.writerSchema(id)));
      assert.ok(results.every(({ status }) => status === 'rejected'));
      assert.deepEqual(await schemas.writerSchema(known), RECORD);
    }
    await clock.advance(1_000);
  }
  assert.equal(asked.length - before, 100);
});

test('row 18: schemas are kept up to a number of bytes, and the last one whatever its size', async () => {
  const { registry, schemas, asked } = await setUp();
  const large = (n: number): string => JSON.stringify({ ...RECORD, doc: String(n).repeat(900_000) });
  const ids = Array.from({ length: 10 }, (_, n) => registry.register('large', large(n)));
  for (const id of ids) await schemas.writerSchema(id);
  const before = asked.length;
  await schemas.writerSchema(ids[9]);
  assert.equal(asked.length, before, 'the last is there');
  await schemas.writerSchema(ids[0]);
  assert.equal(asked.length, before + 1, 'the first had to go');
});

test('a schema is registered under its subject, and one that exists keeps its id', async () => {
  const { schemas, asked, registry } = await setUp();
  const id = await schemas.idFor('a/b value', RECORD);
  assert.equal(await schemas.idFor('a/b value', RECORD), id);
  assert.equal(registry.register('a/b value', JSON.stringify(RECORD)), id);
  assert.equal(asked[0], 'POST /subjects/a%2Fb%20value/versions');
});

async function answering(
  status: number,
  body: string,
  seen: (headers: NodeJS.Dict<unknown>) => void = () => {},
): Promise<string> {
  const server = createServer((request, response) => {
    seen(request.headers);
    response.writeHead(status).end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(
    () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  );
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

for (const [title, status, body, code] of [
  ['larger than a schema can be', 200, ' '.repeat(2 << 20), 'registry-unavailable'],
  ['no JSON', 200, '<html>', 'registry-unavailable'],
  ['of another type than Avro', 200, '{"schema":"syntax","schemaType":"PROTOBUF"}', 'schema-unknown'],
  ['not a schema', 200, '{"schema":"{"}', 'schema-unknown'],
] as const) {
  test(`an answer that is ${title} is ${code}`, async () => {
    const host = await answering(status, body);
    const deps = { clock: new FakeClock(), telemetry: new RecordingTelemetry() };
    await assert.rejects(createRegistrySchemas(deps, { url: `http://${host}` }).writerSchema(7), { code });
  });
}

test('an incompatible schema is refused with what to do', async () => {
  const host = await answering(409, '{"error_code":409,"message":"incompatible"}');
  const deps = { clock: new FakeClock(), telemetry: new RecordingTelemetry() };
  await assert.rejects(createRegistrySchemas(deps, { url: `http://${host}` }).idFor('s', RECORD), {
    code: 'registry-refused',
    message: /not compatible .*change the schema or the subject's compatibility/,
  });
});

test('with register: false the registry is only asked', async () => {
  const registry = await createRegistry();
  try {
    const telemetry = new RecordingTelemetry();
    const schemas = createRegistrySchemas({ clock: new FakeClock(), telemetry }, { url: registry.url });
    assert.equal(await schemas.idFor('dry', RECORD, { register: false }), -1);
    const id = await schemas.idFor('dry', RECORD);
    assert.equal(await schemas.idFor('dry', RECORD, { register: false }), id);
    assert.equal(telemetry.eventsNamed('schema-registered').length, 1);
  } finally {
    await registry.close();
  }
});

const NO_SUCH_SCHEMA = '{"error_code":40403,"message":"Schema not found"}';

test('a 404 of somebody else, a gateway before a registry that is down, says nothing about a schema', async () => {
  for (const body of ['<html>default backend - 404</html>', '{"error_code":404,"message":"HTTP 404 Not Found"}', '']) {
    const host = await answering(404, body);
    const schemas = createRegistrySchemas(
      { clock: new FakeClock(), telemetry: new RecordingTelemetry() },
      { url: `http://${host}` },
    );
    await assert.rejects(schemas.writerSchema(7), { code: 'registry-unavailable', disposition: 'retry' });
  }
});

test('credentials go into the request, and nowhere else', async () => {
  const authorizations: unknown[] = [];
  const host = await answering(404, NO_SUCH_SCHEMA, (headers) => authorizations.push(headers.authorization));
  const deps = { clock: new FakeClock(), telemetry: new RecordingTelemetry() };
  await assert.rejects(
    createRegistrySchemas(deps, registryAt(`http://some%40body:se%3Acret@${host}`)).writerSchema(7),
    (error) => {
      assert.equal((error as { code: string }).code, 'schema-unknown');
      assert.doesNotMatch(String(error), /se.*cret/);
      return true;
    },
  );
  assert.deepEqual(authorizations, [`Basic ${Buffer.from('some@body:se:cret').toString('base64')}`]);
});

test('a registry, or a gateway before it, that repeats what it was told shows nobody the login', async () => {
  const user = { username: new Secret('me'), password: new Secret('can"ary') };
  const basic = Buffer.from('me:can"ary').toString('base64');
  for (const login of [user, { token: new Secret('canary') }]) {
    const message = `no schema, from Basic ${basic} with can"ary, nor from Bearer canary`;
    const host = await answering(422, JSON.stringify({ error_code: 42201, message }));
    const deps = { clock: new FakeClock(), telemetry: new RecordingTelemetry() };
    const schemas = createRegistrySchemas(deps, { url: `http://${host}`, login });
    await assert.rejects(schemas.idFor('s', RECORD), (error: Error) => {
      assert.match(error.message, /does not take the schema of s: no schema, from/);
      const hidden = 'token' in login ? ['Bearer canary'] : [basic, 'can"ary'];
      for (const each of hidden) assert.ok(!error.message.includes(each), error.message);
      return true;
    });
  }
});

test('a token that no header can have is refused in words, without it', async () => {
  const deps = { clock: new FakeClock(), telemetry: new RecordingTelemetry() };
  for (const text of ['canary\nx', 'canarü', 'can ary', '']) {
    const schemas = createRegistrySchemas(deps, { url: 'http://127.0.0.1:1', login: { token: new Secret(text) } });
    await assert.rejects(schemas.writerSchema(7), (error: Error & { code?: string }) => {
      assert.equal(error.code, 'login-refused');
      assert.match(error.message, /^connections\.registry\.token holds .* no header can have; write the token alone$/);
      return true;
    });
  }
});
