import assert from 'node:assert/strict';
import { request } from 'node:http';
import { type TestContext, test } from 'node:test';
import { createAdmin } from '../../../../src/adapters/http/admin.ts';
import { createSystemClock } from '../../../../src/kernel/system-clock.ts';
import type { State, StateQuery } from '../../../../src/telemetry/state/state.ts';

async function serve(t: TestContext, state: (query: StateQuery) => State | undefined = () => undefined) {
  const deps = {
    clock: createSystemClock(),
    metrics: async () => ({ contentType: 'text/plain', body: '' }),
    health: () => ({ live: true, ready: true, reason: '' }),
    console: { state },
  };
  const admin = await createAdmin(deps, { port: 0 });
  t.after(() => admin.close());
  return admin.url;
}

test('the page needs nothing from elsewhere, and everything that it names is there', async (t) => {
  const url = await serve(t);
  const response = await fetch(`${url}/`);
  assert.equal(response.status, 200);
  assert.equal(response.headers.get('content-type'), 'text/html; charset=utf-8');
  const page = await response.text();
  assert.doesNotMatch(page, /https?:|<style|<script(?! type="module" src=")| style=| on[a-z]+=/);
  const seen = new Set<string>();
  const waiting = [...page.matchAll(/(?:src|href)="(\/console\/[^"]+)"/g)].map(([, path]) => path);
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    if (seen.has(path)) continue;
    seen.add(path);
    const file = await fetch(url + path);
    assert.equal(file.status, 200, path);
    assert.match(file.headers.get('content-type') ?? '', /^(text\/css|text\/javascript|image\/svg\+xml)/);
    const text = await file.text();
    assert.doesNotMatch(text, /\binnerHTML|\beval\(|new Function|url\(/, path);
    for (const [, name] of text.matchAll(/from '\.\/([a-z-]+\.js)'/g)) waiting.push(`/console/${name}`);
  }
  assert.ok(seen.size >= 8, [...seen].join(' '));
});

test('every answer of the console forbids what it does not need', async (t) => {
  const url = await serve(t);
  for (const path of ['/', '/console/main.js', '/api/state']) {
    const { headers } = await fetch(url + path);
    const policy = headers.get('content-security-policy') ?? '';
    assert.match(policy, /^default-src 'none'; script-src 'self';/, path);
    assert.doesNotMatch(policy, /unsafe|\*|data:|http/);
    assert.equal(headers.get('x-content-type-options'), 'nosniff');
    assert.equal(headers.get('cross-origin-resource-policy'), 'same-origin');
  }
});

test('the state: whose, from when; 503 until there is one, 404 for whom there is not, 400 for what is no question', async (t) => {
  const asked: StateQuery[] = [];
  let state: State | undefined;
  const url = await serve(t, (query) => {
    asked.push(query);
    return state;
  });
  const starting = await fetch(`${url}/api/state`);
  assert.deepEqual([starting.status, starting.headers.get('retry-after')], [503, '1']);
  assert.equal((await fetch(`${url}/api/state?instance=9`)).status, 404);
  assert.equal((await fetch(`${url}/api/state?after=soon`)).status, 400);
  assert.equal((await fetch(`${url}/api/state?instance=1&instance=2`)).status, 400);
  state = { version: 1 } as State;
  const found = await fetch(`${url}/api/state?instance=2&after=17`);
  assert.deepEqual([found.status, found.headers.get('cache-control')], [200, 'no-store']);
  assert.deepEqual(await found.json(), { version: 1 });
  assert.deepEqual(asked.at(-1), { instance: '2', afterMs: 17 });
});

test('nothing can be changed: only GET and HEAD; no way out of the folder', async (t) => {
  const url = await serve(t);
  for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS']) {
    for (const path of ['/', '/api/state']) assert.equal((await fetch(url + path, { method })).status, 404, method);
  }
  assert.equal((await fetch(`${url}/`, { method: 'HEAD' })).status, 200);
  for (const path of ['/console/', '/console/tsconfig.json', '/console/..%2Fadmin.ts', '/console/%2e%2e/admin.ts']) {
    assert.equal((await fetch(url + path)).status, 404, path);
  }
});

test('on the loop-back interface a name that was made to lead here is refused; metrics and health are as before', async (t) => {
  const { port } = new URL(await serve(t, () => ({ version: 1 }) as State));
  const status = (path: string, host: string): Promise<number> =>
    new Promise((resolve, reject) => {
      const asking = request({ port, host: '127.0.0.1', path, headers: { host } }, (response) => {
        response.resume();
        resolve(response.statusCode ?? 0);
      });
      asking.on('error', reject).end();
    });
  for (const path of ['/', '/console/main.js', '/api/state']) {
    assert.equal(await status(path, `evil.example:${port}`), 421, path);
    for (const host of [`127.0.0.1:${port}`, `localhost:${port}`, `[::1]:${port}`]) {
      assert.equal(await status(path, host), 200, `${path} by ${host}`);
    }
  }
  assert.equal(await status('/metrics', 'sluice.internal'), 200);
});
