/**
 * The second level of the feature cache: time and CPU of a look-up in Redis, by the number of rows that a frame lacks, and how long
 * a frame waits while Redis hangs. Needs redis-server, and starts it on the loopback.
 *
 *   node bench/second-level.ts
 *
 * Rows of 15 numbers and one view. Times are those of the whole look-up, copying the rows included; costs are the process's own processor time.
 */
import { createRedisSharedCache } from '../src/adapters/redis/shared-cache.ts';
import { createSystemClock } from '../src/kernel/system-clock.ts';
import { createSecondLevel } from '../src/stages/features/second-level.ts';
import { FakeStore } from '../test/fixtures/fakes.ts';
import { startRedis } from '../test/fixtures/redis-server.ts';
import { RecordingTelemetry } from '../test/fixtures/telemetry.ts';
import { until } from '../test/fixtures/until.ts';

const WIDTH = 15;
const ROUNDS: readonly (readonly [keys: number, rounds: number])[] = [
  [1, 4_000],
  [128, 2_000],
  [1_000, 400],
];
const columns = Array.from({ length: WIDTH }, (_, i) => ({
  name: `c${i}`,
  kind: 'number' as const,
  width: 1,
  offset: i,
}));
const views = [{ name: 'v', family: 'f', columns }];

const clock = createSystemClock();
const telemetry = new RecordingTelemetry();
const server = await startRedis();
const store = new FakeStore();
const sharedCache = createRedisSharedCache(
  { clock },
  { nodes: [{ host: '127.0.0.1', port: server.port }], cluster: false, database: 0 },
);
const settings = { store: 's', ttlMs: 3_600_000, negativeTtlMs: 60_000, timeoutMs: 50 };
const level = createSecondLevel({ clock, random: () => 0, telemetry, store, sharedCache }, () => settings);

async function read(keys: readonly Buffer[]): Promise<number> {
  const values = new Float64Array(keys.length * WIDTH).fill(Number.NaN);
  const writtenAtMs = new Float64Array(keys.length).fill(Number.NaN);
  const startedMs = performance.now();
  const into = { values, writtenAtMs };
  await level.read({ table: 't', layout: 'packed', views, rowWidth: WIDTH, keys, into, timeoutMs: 1_500 });
  return performance.now() - startedMs;
}

try {
  await level.open(['t']);
  console.log('| rows | p50 ms | p99 ms | µs of processor a row |\n|---:|---:|---:|---:|');
  for (const [count, rounds] of ROUNDS) {
    const keys = Array.from({ length: count }, (_, i) => Buffer.from(`key${100_000 + i}`));
    for (const key of keys) store.rows.set(key.toString(), 1);
    await read(keys);
    await until('all is written', () => telemetry.gauges.get('sluice_second_level_queued_bytes')?.() === 0);
    const took: number[] = [];
    const before = process.cpuUsage();
    for (let n = 0; n < rounds; n++) took.push(await read(keys));
    const { user, system } = process.cpuUsage(before);
    took.sort((a, b) => a - b);
    const at = (q: number): string => took[Math.floor(q * rounds)].toFixed(2);
    console.log(`| ${count} | ${at(0.5)} | ${at(0.99)} | ${((user + system) / rounds / count).toFixed(1)} |`);
  }
  server.freeze();
  const hung: string[] = [];
  for (let n = 0; n < 6; n++) hung.push((await read([Buffer.from('key100000')])).toFixed(1));
  console.log(`\nreads while Redis hangs, with timeout: ${settings.timeoutMs}ms: ${hung.join(', ')} ms`);
} finally {
  server.thaw();
  await level.close();
  await server.stop();
}
