/** A Redis Cluster of three masters with a replica each: a master is killed, a replica takes over, and who reads goes on. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createRedisSharedCache } from '../../src/adapters/redis/shared-cache.ts';
import { createRedisStore } from '../../src/adapters/redis/store.ts';
import { createRedisWriter } from '../../src/adapters/redis/writer.ts';
import { pause } from '../../src/kernel/clock.ts';
import { classify } from '../../src/kernel/errors.ts';
import { createSystemClock } from '../../src/kernel/system-clock.ts';
import type { FeatureStore } from '../../src/ports/feature-store.ts';
import { createSecondLevel } from '../../src/stages/features/second-level.ts';
import { AGG, blank, pattern, sortedKeys } from '../contract/feature-store-parts.ts';
import { FakeStore } from '../fixtures/fakes.ts';
import { type RedisServer, redisCli, startRedisCluster } from '../fixtures/redis-server.ts';
import { RecordingTelemetry } from '../fixtures/telemetry.ts';
import { until } from '../fixtures/until.ts';

const clock = createSystemClock();
const KEYS = sortedKeys(Array.from({ length: 400 }, (_, i) => `k${1_000 + i}`));
const ROWS = { table: 't', layout: 'packed', views: [AGG], rowWidth: 2, keys: KEYS } as const;
const VALUES = Float64Array.from(KEYS.flatMap((_, i) => pattern(i, 2)));

let cluster: Awaited<ReturnType<typeof startRedisCluster>>;
before(async () => {
  cluster = await startRedisCluster({ replicas: true });
  const writer = createRedisWriter({ clock, telemetry: new RecordingTelemetry(), random: () => 0.5 }, options());
  await writer.write({ ...ROWS, values: VALUES, present: new Uint8Array(400).fill(1), timestampMs: 5 });
  await writer.close();
  await until('every master has a replica that has its rows', () => masters().every(({ port }) => replicated(port)));
});
after(() => cluster.stop());

const options = () => ({
  nodes: cluster.nodes.map(({ port }) => ({ host: '127.0.0.1', port })),
  cluster: true,
  database: 0,
});

const alive = (): RedisServer[] => cluster.nodes.filter(({ running }) => running);
const info = ({ port }: RedisServer): string => redisCli(port, 'info', 'replication');
const masters = (): RedisServer[] => alive().filter((node) => /role:master/.test(info(node)));
const replicated = (port: number): boolean => {
  const [, at] = /master_repl_offset:(\d+)/.exec(redisCli(port, 'info', 'replication')) ?? [];
  return new RegExp(`slave0:.*offset=${at},`).test(redisCli(port, 'info', 'replication'));
};

/** Reads as a pipeline does, until `done`: what is not answered is asked for again, and what is answered is right. */
async function readOn(store: FeatureStore, done: () => boolean): Promise<{ answered: number; failed: number }> {
  const count = { answered: 0, failed: 0 };
  while (!done()) {
    const into = blank(400, 2, 1);
    try {
      await store.read({ ...ROWS, into, timeoutMs: 1_500 });
      assert.deepEqual(into.values, VALUES, 'whole and right');
      count.answered++;
    } catch (error) {
      if (classify(error).disposition !== 'retry') throw error;
      assert.ok(into.values.every(Number.isNaN), 'no part of an answer');
      count.failed++;
    }
    await pause(clock, 5);
  }
  return count;
}

test('a replica that is told to take over: reads follow it', async (t) => {
  const telemetry = new RecordingTelemetry();
  const store = createRedisStore({ clock, telemetry }, options());
  t.after(() => store.close());
  await store.open(['t']);
  const replica = cluster.nodes.find((node) => /role:slave/.test(info(node))) as RedisServer;
  let over = false;
  const reading = readOn(store, () => over);
  redisCli(replica.port, 'cluster', 'failover');
  await until('it is master', () => /role:master/.test(info(replica)));
  const before = telemetry.count('sluice_store_calls_total', { result: 'ok' });
  await until('calls go on', () => telemetry.count('sluice_store_calls_total', { result: 'ok' }) > before + 20);
  over = true;
  const { answered } = await reading;
  assert.ok(answered > 0);
});

test('a master is killed: reads are tried again, counted, until its replica has taken over, and nothing is lost', async (t) => {
  const telemetry = new RecordingTelemetry();
  const store = createRedisStore({ clock, telemetry }, options());
  t.after(() => store.close());
  await store.open(['t']);
  await until('replicas are up to date', () => masters().every(({ port }) => replicated(port)));
  const [victim] = masters();
  let over = false;
  const reading = readOn(store, () => over);
  const calls = (result: string) => telemetry.count('sluice_store_calls_total', { result });
  await until('it reads', () => calls('ok') > 10);
  await victim.kill();
  await until('three masters again', () => masters().length === 3);
  const before = calls('ok');
  await until('reads are answered again', () => calls('ok') > before + 20);
  over = true;
  const { answered, failed } = await reading;
  assert.ok(answered > 0 && failed > 0);
  assert.ok(calls('unavailable') + calls('refused') + calls('timed-out') > 0, 'counted');
  await victim.boot();
  await until('it is a replica', () => /role:slave/.test(info(victim)));
});

test('as a second level: the store answers meanwhile, then the cluster is asked again', async (t) => {
  const telemetry = new RecordingTelemetry();
  const source = new FakeStore();
  KEYS.forEach((key, i) => void source.rows.set(key.toString(), i));
  const level = createSecondLevel(
    { clock, random: () => 0, telemetry, store: source, sharedCache: createRedisSharedCache({ clock }, options()) },
    () => ({
      ...{ store: 's', ttlMs: 3_600_000, negativeTtlMs: 60_000, timeoutMs: 1_000 },
    }),
  );
  t.after(() => level.close());
  await level.open(['t']);
  const right = async (): Promise<void> => {
    const into = blank(400, 2, 1);
    await level.read({ ...ROWS, into, timeoutMs: 1_500 });
    assert.deepEqual([...into.values.filter((_, i) => i % 2 === 0)], [...KEYS.keys()]);
  };
  const hits = () => telemetry.count('sluice_second_level_requests_total', { view: 'route', result: 'hit' });
  const found = (what: string): Promise<unknown> => {
    const least = hits();
    return until(what, async () => {
      await right();
      return hits() > least + 800;
    });
  };
  await found('rows come from the cluster');
  await until('replicas are up to date', () => masters().every(({ port }) => replicated(port)));
  const [victim] = masters();
  await victim.kill();
  await until('three masters again', async () => {
    await right();
    return masters().length === 3;
  });
  await found('rows come from the cluster again');
});
