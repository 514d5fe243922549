/** Redis as a feature store where it is more than one open server: a cluster of three masters, TLS, a user with a password. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { RedisOptions } from '../../src/adapters/redis/connection.ts';
import { probeRedis } from '../../src/adapters/redis/probe.ts';
import { createRedisStore } from '../../src/adapters/redis/store.ts';
import { textOf } from '../../src/commands/doctor/finding.ts';
import { checkRedis } from '../../src/commands/doctor/redis.ts';
import { Secret } from '../../src/kernel/connections/secret.ts';
import type { SluiceError } from '../../src/kernel/errors.ts';
import { createSystemClock } from '../../src/kernel/system-clock.ts';
import { featureStoreConformance } from '../contract/feature-store.ts';
import { AGG, blank, isSluice, sortedKeys } from '../contract/feature-store-parts.ts';
import { REDIS_TRAITS, redisWorld } from '../contract/redis-store.ts';
import {
  makeCertificates,
  type RedisServer,
  redisCli,
  startRedis,
  startRedisCluster,
} from '../fixtures/redis-server.ts';
import { RecordingTelemetry } from '../fixtures/telemetry.ts';
import { until } from '../fixtures/until.ts';

const clock = createSystemClock();

featureStoreConformance(
  'Redis Cluster of three masters',
  async () => {
    const { nodes, stop } = await startRedisCluster();
    return redisWorld(nodes, { cluster: true }, stop);
  },
  REDIS_TRAITS,
);

test('a cluster of which one node hangs gives no part of an answer', async (t) => {
  const { nodes, stop } = await startRedisCluster();
  const world = redisWorld(nodes, { cluster: true }, stop);
  t.after(world.stop);
  const keys = sortedKeys(Array.from({ length: 300 }, (_, i) => `k${1_000 + i}`));
  const common = { table: 't', layout: 'packed', views: [AGG], rowWidth: 2, keys } as const;
  const values = new Float64Array(600).fill(7);
  await world.writer.write({ ...common, values, present: new Uint8Array(300).fill(1), timestampMs: 5 });
  const whole = blank(300, 2, 1);
  await world.store.read({ ...common, into: whole, timeoutMs: 20_000 });
  assert.deepEqual(whole.values, values);
  nodes[0].freeze();
  const into = blank(300, 2, 1);
  await assert.rejects(world.store.read({ ...common, into, timeoutMs: 500 }), isSluice('store-unavailable'));
  assert.ok(into.values.every(Number.isNaN) && into.writtenAtMs.every(Number.isNaN));
});

const folder = mkdtempSync(join(tmpdir(), 'sluice-redis-tls-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const { ca, cert, key } = makeCertificates(folder);
const SSL = { ca: new Secret(ca) };
const TLS = ['--tls-cert-file', cert, '--tls-key-file', key, '--tls-ca-cert-file', ca, '--tls-auth-clients', 'no'];
const USER = '--user reader on >right ~* +@read +@write +@connection --user default off'.split(' ');

featureStoreConformance(
  'Redis over TLS, with a user',
  async () => {
    const server = await startRedis([...TLS, ...USER], { tls: true });
    return redisWorld(
      [server],
      { ssl: SSL, username: new Secret('reader'), password: new Secret('right') },
      server.stop,
    );
  },
  REDIS_TRAITS,
);

const servers: RedisServer[] = [];
after(() => Promise.all(servers.map((server) => server.stop())));

async function open(server: RedisServer, options: Partial<RedisOptions>): Promise<void> {
  const at = { nodes: [{ host: '127.0.0.1', port: server.port }], cluster: false, database: 0, ...options };
  const deps = { clock: createSystemClock(), telemetry: new RecordingTelemetry() };
  const store = createRedisStore(deps, { ...at, openTimeoutMs: 3_000 });
  try {
    await store.open(['t']);
  } finally {
    await store.close();
  }
}

test('who is not trusted is refused, and the message says what to do', async () => {
  const server = await startRedis([...TLS, ...USER], { tls: true });
  servers.push(server);
  const right = { username: new Secret('reader'), password: new Secret('right') };
  await open(server, { ...right, ssl: SSL });
  const refused = async (code: string, options: Partial<RedisOptions>, pattern: RegExp): Promise<void> => {
    await assert.rejects(open(server, options), (error: Error) => {
      assert.match(error.message, pattern);
      return isSluice(code)(error);
    });
  };
  await refused(
    'peer-untrusted',
    { ...right, ssl: {} },
    /no TLS with Redis at .*: its certificate was signed by nobody .*connections\.redis\.ssl\.ca/,
  );
  await refused(
    'peer-untrusted',
    { ...right, ssl: { ...SSL, serverName: 'elsewhere' } },
    /its certificate is for another name .*connections\.redis\.ssl\.serverName/,
  );
  await refused(
    'login-refused',
    { ...right, password: new Secret('wrong'), ssl: SSL },
    /WRONGPASS.*correct username and password/,
  );
  await refused('login-refused', { ssl: SSL }, /NOAUTH.*correct username and password/);
  await assert.rejects(open(server, right), isSluice('store-unavailable', 'store-refused'));
});

test('a password that is rolled at the server first is an outage until it is rolled here too', async () => {
  const server = await startRedis(['--requirepass', 'one']);
  servers.push(server);
  const roll = (from: string, to: string): void => {
    redisCli(server.port, '-a', from, '--no-auth-warning', 'config', 'set', 'requirepass', to);
    redisCli(server.port, '-a', to, '--no-auth-warning', 'client', 'kill', 'type', 'normal');
  };
  let ours = 'one';
  const deps = { clock: createSystemClock(), telemetry: new RecordingTelemetry() };
  const password = new Secret(ours, () => ours);
  const at = { nodes: [{ host: '127.0.0.1', port: server.port }], cluster: false, database: 0, password };
  const store = createRedisStore(deps, { ...at, openTimeoutMs: 3_000 });
  const read = { table: 't', layout: 'packed', views: [AGG], rowWidth: 2, keys: sortedKeys(['k']) } as const;
  const reading = (): Promise<void> => store.read({ ...read, into: blank(1, 2, 1), timeoutMs: 3_000 });
  try {
    await store.open(['t']);
    await reading();
    roll('one', 'two');
    await assert.rejects(
      until('the connection is lost', () => reading().then(() => false)),
      (error: SluiceError) => {
        assert.equal(error.disposition, 'retry', error.message);
        return true;
      },
    );
    await assert.rejects(reading(), isSluice('login-refused'));
    ours = 'two';
    await reading();
  } finally {
    await store.close();
  }
});

test('a cluster that is said to be none, and the other way round', async () => {
  const single = await startRedis();
  servers.push(single);
  await assert.rejects(open(single, { cluster: true }), /leave cluster: true out/);
  await assert.rejects(open(single, { ssl: SSL }), /took more than 3000 ms .*leave connections\.redis\.ssl out/);
  const { nodes, stop } = await startRedisCluster();
  try {
    // Each table's probe has a slot; some of three are another node's.
    const opened = await Promise.allSettled(nodes.map((node) => open(node, {})));
    const reasons = opened.flatMap((each) => (each.status === 'rejected' ? [String(each.reason)] : []));
    assert.equal(reasons.length, 2);
    for (const reason of reasons) assert.match(reason, /write cluster: true/);
  } finally {
    await stop();
  }
});

async function doctor(server: RedisServer, options: Partial<RedisOptions>): Promise<string> {
  const at = { nodes: [{ host: '127.0.0.1', port: server.port }], cluster: false, database: 0, ...options };
  const found = await checkRedis(
    { ...at, asStore: true, asSecondLevel: true },
    {
      wallMs: clock.wallMs(),
      probe: (node, needs) => probeRedis(clock, { ...at, nodes: [node], timeoutMs: 5_000 }, needs),
    },
  );
  return textOf(found);
}

test('doctor looks at certificate, user and memory of a real server, and says what refuses it', async () => {
  const users = [...USER, ...'--user little on >right ~* +@connection +get +info'.split(' ')];
  const server = await startRedis([...TLS, ...users, '--maxmemory-policy', 'allkeys-lru'], { tls: true });
  servers.push(server);
  const right = { username: new Secret('little'), password: new Secret('right'), ssl: SSL };
  const said = await doctor(server, right);
  assert.match(said, /ok +redis +127\.0\.0\.1:\d+ answers, as version \d/);
  assert.match(said, /warning +certificate +that of 127\.0\.0\.1:\d+ ends in \d days/);
  assert.match(said, /problem +redis +.*does not let this user have hgetall, mget, set, eval; give it \+hgetall/);
  assert.match(said, /problem +redis +.*allkeys-lru: when it is full, feature rows vanish/);
  assert.match(await doctor(server, { ...right, password: new Secret('wrong') }), /WRONGPASS.*; a user has to be made/);
  const elsewhere = { ...right, ssl: { ...SSL, serverName: 'elsewhere' } };
  assert.match(await doctor(server, elsewhere), /certificate is for another name .*; connect by a name that/);
  assert.match(
    await doctor(server, { ...right, ssl: {} }),
    /signed by nobody who is trusted here .*connections\.redis\.ssl\.ca/,
  );
});

test('doctor tells a cluster whose slots are served from one that lost a master', async () => {
  const { nodes, stop } = await startRedisCluster();
  try {
    const whole = await doctor(nodes[0], { cluster: true });
    assert.match(whole, /ok +redis +the cluster answers for all 16384 slots/);
    assert.match(whole, /warning +redis +no replica could replace 127\.0\.0\.1:\d+, 127\.0\.0\.1:\d+, 127/);
    await nodes[1].kill();
    await until('the others notice', async () =>
      /the cluster is down: \d+ of its/.test(await doctor(nodes[0], { cluster: true })),
    );
  } finally {
    await stop();
  }
});
