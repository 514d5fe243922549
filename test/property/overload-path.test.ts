import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pause } from '../../src/kernel/clock.ts';
import { SluiceError } from '../../src/kernel/errors.ts';
import { SMALL_MODEL } from '../fixtures/plan.ts';
import { seeded } from '../fixtures/random.ts';
import { event, origin, startWorld, type TestWorld } from '../fixtures/world.ts';

/**
 * The whole path with every choice of steps, under lags and outages that come and go: each record has one fate, in order,
 * and its output is stamped correctly. The value of a key changes with time, so an old row is told from a new one.
 */
const KEYS = 6;
const FRAMES = 150;
const STALE_MS = 20_000;
const TTL_MS = 2_000;

interface Answer {
  readonly id: number;
  readonly y: number;
}

/** What key `k` is worth: whole seconds of the time it was read at, in units that x and k do not reach. */
const worth = (k: number, atMs: number): number => 10 * k + 1_000 * (1 + Math.floor(atMs / 1_000));

async function play(seed: number): Promise<Set<string>> {
  const random = seeded(seed);
  const has = (): boolean => random() < 0.6;
  const steps = {
    lagMs: 5_000,
    largerBatches: has() ? 128 : undefined,
    staleCacheMs: has() ? STALE_MS : undefined,
    defaultFeatures: has(),
    smallerModel: has() ? 'small' : undefined,
    skipToLatestMs: has() ? 15_000 : undefined,
  };
  const world = startWorld({
    enriched: true,
    read: { cache: { entries: 100, ttlMs: TTL_MS, negativeTtlMs: TTL_MS } },
    onOverload: steps,
    flow: { maxInFlight: { records: 5_000, bytes: 10_000_000 } },
  });
  const from = origin();
  world.source.assign(from);
  let out = false;
  world.store.before = async () => {
    await pause(world.clock, out ? 1_500 : random() * 20);
    if (out) throw new SluiceError('store-unavailable', 'out');
    for (let k = 0; k < KEYS; k++) world.store.rows.set(`k${k}`, worth(k, world.clock.monotonicMs()));
  };
  const fedAtMs: number[] = [];
  for (let n = 0; n < FRAMES; n++) {
    if (random() < 0.05) out = !out;
    if (random() < 0.1) world.source.lagSeconds = [0, 0, 6, 30][Math.floor(random() * 4)];
    const ageMs = world.source.lagSeconds * 1_000;
    const records = Array.from({ length: 1 + Math.floor(random() * 5) }, () => {
      const offset = fedAtMs.push(world.clock.monotonicMs()) - 1;
      return { ...event(offset, 1, `k${offset % KEYS}`), ageMs };
    });
    await world.source.feed(from, records);
    await world.clock.advance(random() * 2_000);
  }
  out = false;
  await world.clock.advance(10_000);
  const { result } = await world.finish();
  assert.equal(result, 'done');
  return audit(world, steps, fedAtMs);
}

function audit(
  world: TestWorld,
  steps: { staleCacheMs?: number; defaultFeatures: boolean },
  fedAtMs: readonly number[],
): Set<string> {
  const { telemetry, sink, source } = world;
  const seen = new Set<string>();
  const ids: number[] = [];
  for (const { topic, value, headers } of sink.acknowledged) {
    assert.equal(topic, 'out', 'no dead letters');
    const { id, y } = JSON.parse(value ?? '') as Answer;
    ids.push(id);
    const how = headers['sluice-degraded']?.split(',') ?? [];
    for (const each of how) seen.add(each);
    const small = headers['sluice-model'] === SMALL_MODEL;
    assert.equal(how.includes('smaller-model'), small);
    const feature = y / (small ? 3 : 2) - 1;
    assert.equal(how.includes('default-features'), feature === 0, `${id}: ${feature} ${how}`);
    if (feature !== 0) {
      assert.equal(feature % 1_000, 10 * (id % KEYS), 'its own key');
      const readAtMs = Math.floor(feature / 1_000) * 1_000;
      const limitMs = how.includes('stale-cache') ? STALE_MS : TTL_MS;
      assert.ok(readAtMs >= fedAtMs[id] - limitMs, `${id}: read at ${readAtMs}, fed at ${fedAtMs[id]}, ${how}`);
    }
    if (how.includes('default-features')) assert.ok(steps.defaultFeatures);
    if (how.includes('stale-cache')) assert.ok(steps.staleCacheMs !== undefined);
  }
  assert.deepEqual(
    ids,
    [...new Set(ids)].sort((a, b) => a - b),
    'each once, in order',
  );
  const dropped = telemetry.count('sluice_records_total', { fate: 'dropped' });
  assert.equal(telemetry.count('sluice_dropped_records_total', { reason: 'skipped' }), dropped);
  assert.equal(ids.length + dropped, fedAtMs.length, 'in = published + dropped');
  assert.equal(source.commits.at(-1)?.offset, fedAtMs.length);
  if (dropped > 0) seen.add('skip');
  return seen;
}

test('under changing lags and outages, each record has one fate, and is stamped with what it lacked', async () => {
  const seen = new Set<string>();
  for (let seed = 1; seed <= 24; seed++) for (const each of await play(seed)) seen.add(each);
  assert.deepEqual([...seen].sort(), ['default-features', 'skip', 'smaller-model', 'stale-cache']);
});
