import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createRegistry, type Registry, type RegistryOptions } from '../../../src/devstack/registry.ts';

const USER = '{"type": "record", "name": "User", "fields": []}';
const PLAIN_USER = '{"type":"record","name":"User","fields":[]}';
type Ask = (method: string, path: string, body?: object | string) => Promise<[status: number, body: unknown]>;

async function withRegistry(options: RegistryOptions, body: (ask: Ask, registry: Registry) => Promise<void>) {
  const registry = await createRegistry(options);
  const ask: Ask = async (method, path, sent) => {
    const text = typeof sent === 'string' ? sent : JSON.stringify(sent);
    const response = await fetch(`${registry.url}${path}`, { method, body: text });
    assert.equal(response.headers.get('content-type'), 'application/vnd.schemaregistry.v1+json');
    return [response.status, await response.json()];
  };
  try {
    await body(ask, registry);
  } finally {
    await registry.close();
  }
}
const failed = async (answer: ReturnType<Ask>): Promise<[number, number]> => {
  const [status, body] = await answer;
  return [status, (body as { error_code: number }).error_code];
};

test('a schema gets an id and a version, the same again however it is spaced', () =>
  withRegistry({}, async (ask) => {
    assert.deepEqual(await ask('GET', '/subjects'), [200, []]);
    assert.deepEqual(await ask('POST', '/subjects/a-value/versions', { schema: USER }), [200, { id: 1 }]);
    assert.deepEqual(await ask('POST', '/subjects/a-value/versions', { schema: PLAIN_USER }), [200, { id: 1 }]);
    assert.deepEqual(await ask('POST', '/subjects/a-value/versions', { schema: '"long"' }), [200, { id: 2 }]);
    assert.deepEqual(await ask('POST', '/subjects/b/versions', { schema: USER }), [200, { id: 1 }]);
    assert.deepEqual(await ask('GET', '/subjects'), [200, ['a-value', 'b']]);
    assert.deepEqual(await ask('GET', '/subjects/a-value/versions'), [200, [1, 2]]);
    const first = { subject: 'a-value', version: 1, id: 1, schema: PLAIN_USER };
    assert.deepEqual(await ask('GET', '/subjects/a-value/versions/1'), [200, first]);
    const latest = { subject: 'a-value', version: 2, id: 2, schema: '"long"' };
    assert.deepEqual(await ask('GET', '/subjects/a-value/versions/latest'), [200, latest]);
    assert.deepEqual(await ask('GET', '/schemas/ids/1?fetchMaxId=false'), [200, { schema: PLAIN_USER }]);
    assert.deepEqual(await ask('POST', '/subjects/a-value', { schema: USER }), [200, first]);
    assert.deepEqual(await ask('GET', '/config'), [200, { compatibilityLevel: 'NONE' }]);
  }));

test('references and the type belong to a schema', () =>
  withRegistry({}, async (ask) => {
    const references = [{ name: 'User', subject: 'a', version: 1 }];
    assert.deepEqual(await ask('POST', '/subjects/r/versions', { schema: '"User"', references }), [200, { id: 1 }]);
    assert.deepEqual(await ask('POST', '/subjects/r/versions', { schema: '"User"' }), [200, { id: 2 }]);
    assert.deepEqual(await ask('GET', '/schemas/ids/1'), [200, { schema: '"User"', references }]);
    const proto = { schema: 'message M {}', schemaType: 'PROTOBUF' };
    assert.deepEqual(await ask('POST', '/subjects/p/versions', proto), [200, { id: 3 }]);
    assert.deepEqual(await ask('GET', '/schemas/ids/3'), [200, proto]);
  }));

test('what is not there, or not valid, has the code of its own', () =>
  withRegistry({}, async (ask, registry) => {
    assert.equal(registry.register('a', USER), 1);
    assert.throws(() => registry.register('a', '{'), /not valid/);
    assert.deepEqual(await failed(ask('GET', '/subjects/x/versions')), [404, 40401]);
    assert.deepEqual(await failed(ask('POST', '/subjects/x', { schema: USER })), [404, 40401]);
    assert.deepEqual(await failed(ask('GET', '/subjects/a/versions/2')), [404, 40402]);
    assert.deepEqual(await failed(ask('GET', '/subjects/a/versions/first')), [422, 42202]);
    assert.deepEqual(await failed(ask('GET', '/schemas/ids/2')), [404, 40403]);
    assert.deepEqual(await failed(ask('POST', '/subjects/a', { schema: '"int"' })), [404, 40403]);
    assert.deepEqual(await failed(ask('POST', '/subjects/a/versions', { schema: '{' })), [422, 42201]);
    assert.deepEqual(await failed(ask('POST', '/subjects/a/versions', '{')), [422, 42201]);
    assert.deepEqual(await failed(ask('GET', '/nothing')), [404, 404]);
    assert.deepEqual(await failed(ask('GET', '/subjects/%zz/versions')), [404, 40401]);
  }));

test('a subject may hold any character', () =>
  withRegistry({}, async (ask) => {
    await ask('POST', '/subjects/a%2Fb%20c/versions', { schema: USER });
    assert.deepEqual(await ask('GET', '/subjects'), [200, ['a/b c']]);
  }));

test('faults answer with a status, late, or both', () => {
  const calls: string[] = [];
  let status: number | undefined = 503;
  const onRequest = (method: string, path: string) => {
    calls.push(`${method} ${path}`);
    return { delayMs: 1, status };
  };
  return withRegistry({ hooks: { onRequest } }, async (ask) => {
    assert.deepEqual(await failed(ask('POST', '/subjects/a/versions', { schema: USER })), [503, 503]);
    status = undefined;
    assert.deepEqual(await ask('GET', '/subjects?deleted=false'), [200, []]);
    assert.deepEqual(calls, ['POST /subjects/a/versions', 'GET /subjects']);
  });
});
