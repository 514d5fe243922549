import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { type TestContext, test } from 'node:test';
import { type Admin, type AdminDeps, createAdmin } from '../../../../src/adapters/http/admin.ts';
import { SluiceError } from '../../../../src/kernel/errors.ts';
import { createSystemClock } from '../../../../src/kernel/system-clock.ts';

async function serve(t: TestContext, deps: Partial<AdminDeps> = {}, port = 0): Promise<Admin> {
  const admin = await createAdmin(
    {
      clock: createSystemClock(),
      metrics: async () => ({ contentType: 'text/plain; version=0.0.4; charset=utf-8', body: 'sluice_up 1\n' }),
      health: () => ({ live: true, ready: true, reason: '' }),
      ...deps,
    },
    { port },
  );
  t.after(() => admin.close());
  return admin;
}

test('metrics are served with their content type, on the loop-back interface', async (t) => {
  const { url } = await serve(t);
  assert.match(url, /^http:\/\/127\.0\.0\.1:\d+$/);
  const response = await fetch(`${url}/metrics`);
  assert.equal(response.status, 200);
  assert.equal(response.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8');
  assert.equal(await response.text(), 'sluice_up 1\n');
  assert.equal((await fetch(`${url}/metrics`, { method: 'HEAD' })).status, 200);
});

test('/ready says why not, /live stays up meanwhile', async (t) => {
  const health = { live: true, ready: false, reason: 'store airport: unavailable' };
  const { url } = await serve(t, { health: () => health });
  const ready = await fetch(`${url}/ready`);
  assert.equal(ready.status, 503);
  assert.deepEqual(await ready.json(), { ready: false, reason: 'store airport: unavailable' });
  const live = await fetch(`${url}/live`);
  assert.equal(live.status, 200);
  assert.deepEqual(await live.json(), { live: true, reason: '' });
  health.ready = true;
  health.reason = '';
  assert.equal((await fetch(`${url}/ready`)).status, 200);
});

test('what is not live is not ready', async (t) => {
  const { url } = await serve(t, { health: () => ({ live: false, ready: true, reason: 'consumer is dead' }) });
  assert.equal((await fetch(`${url}/live`)).status, 503);
  assert.equal((await fetch(`${url}/ready`)).status, 503);
});

test('anything else is 404, other methods too; large bodies are refused', async (t) => {
  const { url } = await serve(t);
  for (const path of ['/', '/metrics/x', '/admin']) assert.equal((await fetch(url + path)).status, 404);
  assert.equal((await fetch(`${url}/metrics`, { method: 'DELETE' })).status, 404);
  const large = await fetch(`${url}/live`, { method: 'POST', body: 'x'.repeat(10_000) });
  assert.ok(large.status === 404 || large.status === 413, `${large.status}`);
});

test('metrics that cannot be rendered are a 500, not an end', async (t) => {
  const { url } = await serve(t, { metrics: () => Promise.reject(new Error('broken figure')) });
  assert.equal((await fetch(`${url}/metrics`)).status, 500);
  assert.equal((await fetch(`${url}/live`)).status, 200);
});

test('a port in use is port-taken, with what to do', async (t) => {
  const { url } = await serve(t);
  const port = Number(new URL(url).port);
  await assert.rejects(serve(t, {}, port), (error) => {
    assert.ok(error instanceof SluiceError);
    assert.equal(error.code, 'port-taken');
    assert.match(error.message, new RegExp(`port ${port} on 127\\.0\\.0\\.1 is in use.*--listen`));
    return true;
  });
});

test('an address that is not ours is wrong usage', async () => {
  const deps = {
    clock: createSystemClock(),
    metrics: async () => ({ contentType: '', body: '' }),
    health: () => ({ live: true, ready: true, reason: '' }),
  };
  await assert.rejects(createAdmin(deps, { host: '192.0.2.1', port: 0 }), { code: 'usage-invalid' });
});

test('close waits neither for a connection that is kept open nor for half a request', { timeout: 5_000 }, async (t) => {
  const admin = await serve(t);
  const socket = connect(Number(new URL(admin.url).port), '127.0.0.1');
  await once(socket, 'connect');
  socket.write('GET /live HTTP/1.1\r\nhost: x\r\n\r\n');
  await once(socket, 'data');
  socket.write('GET /live HTTP/1.1\r\nhost:');
  // The server has seen the half once it answers a later connection.
  await fetch(`${admin.url}/live`);
  const closed = once(socket, 'close');
  socket.on('error', () => undefined);
  socket.resume();
  await admin.close();
  await closed;
});
