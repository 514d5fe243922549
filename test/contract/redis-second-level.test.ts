/** The second level of the feature cache, Redis before a store: a feature store as any other, and what becomes of it when Redis fails. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { status } from '@grpc/grpc-js';
import { createBigtableStore } from '../../src/adapters/bigtable/store.ts';
import { createBigtableWriter } from '../../src/adapters/bigtable/writer.ts';
import type { RedisOptions } from '../../src/adapters/redis/connection.ts';
import { createRedisSharedCache } from '../../src/adapters/redis/shared-cache.ts';
import { createBigtable, type ReadFault } from '../../src/devstack/bigtable.ts';
import { Secret } from '../../src/kernel/connections/secret.ts';
import { createSystemClock } from '../../src/kernel/system-clock.ts';
import type { FeatureStore } from '../../src/ports/feature-store.ts';
import { createSecondLevel } from '../../src/stages/features/second-level.ts';
import { type RedisServer, redisMissing, startRedis } from '../fixtures/redis-server.ts';
import { RecordingTelemetry } from '../fixtures/telemetry.ts';
import { until } from '../fixtures/until.ts';
import { featureStoreConformance } from './feature-store.ts';
import { AGG, blank, pattern, sortedKeys } from './feature-store-parts.ts';

const missing = redisMissing();
const clock = createSystemClock();
const where = { project: 'test', instance: 'test' };
const servers: RedisServer[] = [];
after(() => Promise.all(servers.map((server) => server.stop())));

/** Worlds share servers: each is a store of its own. */
let worlds = 0;

async function start(server: RedisServer, more: Partial<RedisOptions> = {}, timeoutMs = 10_000) {
  let fault: ReadFault | undefined;
  let calls = 0;
  const bigtable = await createBigtable({
    onRead() {
      calls++;
      return fault;
    },
  });
  const telemetry = new RecordingTelemetry();
  const deps = { clock, telemetry, random: () => 0.5 };
  const options = { ...where, emulatorHost: bigtable.host };
  const writer = createBigtableWriter(deps, options);
  const redis = { nodes: [{ host: '127.0.0.1', port: server.port }], cluster: false, database: 0, ...more };
  const settings = { store: `world ${++worlds}`, ttlMs: 3_600_000, negativeTtlMs: 1, timeoutMs };
  /** Each has a telemetry of its own: a gauge is that of whoever made it last. */
  const level = (its = telemetry): FeatureStore =>
    createSecondLevel(
      {
        ...deps,
        telemetry: its,
        store: createBigtableStore(deps, options),
        sharedCache: createRedisSharedCache({ clock }, redis),
      },
      () => settings,
    );
  const store = level();
  return {
    telemetry,
    writer,
    store,
    level,
    calls: () => calls,
    setFault: (next: ReadFault | undefined) => {
      fault = next;
    },
    written: (its = telemetry) =>
      until('what waits is written', () => its.gauges.get('sluice_second_level_queued_bytes')?.() === 0),
    async stop() {
      await store.close();
      await writer.close();
      await bigtable.close();
    },
  };
}

const hits = { asked: 0 };

if (missing === undefined) {
  const shared = startRedis();
  featureStoreConformance('Redis as the second level of Bigtable', async () => {
    const server = await shared;
    servers.push(server);
    const { store, writer, stop, setFault, written, telemetry } = await start(server);
    await writer.ensureTable('many', ['agg', 'slots']);
    return {
      writer,
      // Each read once to keep what it brings, and once to find that.
      store: {
        ...store,
        async read(read) {
          const { keys, rowWidth, views } = read;
          await store.read({ ...read, into: blank(keys.length, rowWidth, views.length) });
          await written();
          await store.read(read);
          hits.asked = [...telemetry.counters].reduce((n, [id, by]) => n + (/requests.*=hit/.test(id) ? by : 0), 0);
        },
      },
      stall: () => setFault({ stall: true }),
      crash: async () => setFault({ code: status.UNAVAILABLE }),
      restart: async () => setFault(undefined),
      stop,
    };
  });
  after(() => assert.ok(hits.asked > 5_000, `${hits.asked} rows came from Redis`));
}

const skip = missing ?? false;
const KEYS = sortedKeys(Array.from({ length: 200 }, (_, i) => `k${1_000 + i}`));
const ROWS = { table: 't', layout: 'packed', views: [AGG], rowWidth: 2, keys: KEYS } as const;
const VALUES = Float64Array.from(KEYS.flatMap((_, i) => pattern(i, 2)));

async function load({ writer }: Awaited<ReturnType<typeof start>>, values: Float64Array): Promise<void> {
  await writer.ensureTable('t', ['agg']);
  await writer.write({ ...ROWS, values, present: new Uint8Array(200).fill(1), timestampMs: 5_000 });
}

async function read(store: FeatureStore): Promise<readonly [Float64Array, Float64Array]> {
  const into = blank(200, 2, 1);
  await store.read({ ...ROWS, into, timeoutMs: 20_000 });
  return [into.values, into.writtenAtMs];
}

test('Redis is killed, comes back empty, hangs and wakes up: every read is answered, and rightly', {
  skip,
}, async (t) => {
  const server = await startRedis();
  servers.push(server);
  const world = await start(server, {}, 1_000);
  t.after(world.stop);
  await load(world, VALUES);
  const right = async (): Promise<void> => {
    assert.deepEqual(await read(world.store), [VALUES, new Float64Array(200).fill(5_000)]);
  };
  const { telemetry } = world;
  const bypassed = (reason: string) => telemetry.count('sluice_second_level_bypasses_total', { view: 'route', reason });
  const up = () => telemetry.gauges.get('sluice_second_level_up')?.() === 1;
  const hit = () => telemetry.count('sluice_second_level_requests_total', { view: 'route', result: 'hit' });
  await world.store.open(['t']);
  await right();
  await world.written();
  await right();
  assert.equal(hit(), 200);

  await server.kill();
  await until('it is left alone', async () => {
    await right();
    return !up();
  });
  await right();
  assert.ok(bypassed('out') >= 200 && bypassed('unavailable') >= 200);
  await server.boot();
  await until('it is asked again', up);
  const before = hit();
  await until('rows come from it again', async () => {
    await right();
    return hit() > before;
  });

  server.freeze();
  await until('it is left alone', async () => {
    await right();
    return !up();
  });
  server.thaw();
  await until('it is asked again', up);
  await right();
  assert.deepEqual(
    telemetry.events.map(({ name }) => name).filter((name) => /second-level/.test(name)),
    ['second-level-out', 'second-level-back', 'second-level-out', 'second-level-back'],
  );
});

test('a key marked by one process is believed by no other, even if an older row follows', { skip }, async (t) => {
  const server = await startRedis();
  servers.push(server);
  const world = await start(server);
  t.after(world.stop);
  await load(world, VALUES);
  const others = new RecordingTelemetry();
  const other = world.level(others);
  t.after(() => other.close());
  await read(world.store);
  await world.written();
  const newer = VALUES.map((value) => value + 1);
  await load(world, newer);
  assert.deepEqual((await read(other))[0], VALUES, 'within its ttl');
  world.store.forget?.(ROWS, KEYS);
  const marked = () =>
    world.telemetry.count('sluice_second_level_invalidations_total', { view: 'route', result: 'marked' });
  await until('all are marked', () => marked() === 200);
  assert.deepEqual((await read(other))[0], newer);
  await world.written(others);
  const writes = (of: RecordingTelemetry, result: string) => of.count('sluice_second_level_writes_total', { result });
  await until('all were refused', () => writes(others, 'superseded') === 200);
  assert.equal(writes(others, 'kept'), 0, 'nothing is kept over a mark');
  assert.equal(writes(world.telemetry, 'kept'), 200);
});

test('read-only users store nothing; without read rights Redis is bypassed, with a remedy', {
  skip,
}, async (t) => {
  const users =
    '--user reader on >right ~* +@connection +get +mget --user nobody on >right ~* +@connection --user default off';
  const server = await startRedis(users.split(' '));
  servers.push(server);
  const as = async (name: string) => {
    const world = await start(server, { username: new Secret(name), password: new Secret('right') });
    t.after(world.stop);
    await load(world, VALUES);
    assert.deepEqual((await read(world.store))[0], VALUES);
    return world;
  };
  const reader = await as('reader');
  await until(
    'writes have failed',
    () => reader.telemetry.count('sluice_second_level_writes_total', { result: 'failed' }) === 200,
  );
  const nobody = await as('nobody');
  const [out] = nobody.telemetry.events.filter(({ name }) => name === 'second-level-out');
  assert.match(
    String(out.fields.reason),
    /refused a read of kept rows \(NOPERM.*a second level takes \+get \+mget \+set \+eval/,
  );
});
