/** Row 15 on the adapter: a mix of answers that are not rows, and how many calls it takes to get the rows all the same. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { status } from '@grpc/grpc-js';
import { createBigtableStore } from '../../../src/adapters/bigtable/store.ts';
import { createBigtableWriter } from '../../../src/adapters/bigtable/writer.ts';
import { createBigtable, type ReadFault } from '../../../src/devstack/bigtable.ts';
import type { ViewSpec } from '../../../src/kernel/cells/views.ts';
import { retry } from '../../../src/kernel/retry.ts';
import { createSystemClock } from '../../../src/kernel/system-clock.ts';
import { seeded } from '../../fixtures/random.ts';
import { RecordingTelemetry } from '../../fixtures/telemetry.ts';
import { record } from '../report.ts';

const VIEW: ViewSpec = { name: 'v', family: 'f', columns: [{ name: 'n', kind: 'number', width: 1, offset: 0 }] };
const KEYS = [Buffer.from('a'), Buffer.from('b')];
const PASSING = [status.DEADLINE_EXCEEDED, status.UNAVAILABLE, status.RESOURCE_EXHAUSTED, status.ABORTED];
/** As many frames wait at once, over and over. */
const FRAMES = 40;
const ROUNDS = 20;

async function setUp(t: TestContext, fault: () => ReadFault | undefined) {
  let calls = 0;
  const server = await createBigtable({
    onRead: () => {
      calls++;
      return fault();
    },
  });
  const clock = createSystemClock();
  const telemetry = new RecordingTelemetry();
  const random = seeded(15);
  const connection = { project: 'p', instance: 'i', emulatorHost: server.host };
  const writer = createBigtableWriter({ clock, telemetry, random }, connection);
  const common = { table: 't', layout: 'packed', views: [VIEW], rowWidth: 1, keys: KEYS } as const;
  await writer.ensureTable('t', ['f']);
  await writer.write({ ...common, values: Float64Array.of(1, 2), present: Uint8Array.of(1, 1), timestampMs: 1_000 });
  await writer.close();
  const store = createBigtableStore({ clock, telemetry }, connection);
  t.after(async () => {
    await store.close();
    await server.close();
  });
  const allowed: number[] = [];
  /** As a frame does: again and again, until there is an answer. */
  const read = async (): Promise<void> => {
    const into = { values: new Float64Array(2).fill(Number.NaN), writtenAtMs: new Float64Array(2).fill(Number.NaN) };
    const onRetry = (): void => {};
    await retry({ clock, random }, { initialMs: 5, maxMs: 20, onRetry }, () =>
      store.read({ ...common, into, timeoutMs: 1_500 }),
    );
    allowed.push(telemetry.gauges.get('sluice_store_calls_allowed{store=bigtable}')?.() ?? Number.NaN);
    assert.deepEqual([...into.values], [1, 2]);
  };
  return { store, read, telemetry, allowed, calls: () => calls, common };
}

test('row 15: a store that fails in every way for a while is asked hardly more often than one that does not', async (t) => {
  const random = seeded(51);
  let failing = 0;
  const bench = await setUp(t, () => {
    // Every two hundred calls the next ten fail, in whatever way.
    if (failing === 0 && bench.calls() % 200 === 100) failing = 10;
    if (failing === 0) return undefined;
    failing--;
    return { code: PASSING[Math.floor(random() * PASSING.length)] };
  });
  for (let round = 0; round < ROUNDS; round++) await Promise.all(Array.from({ length: FRAMES }, bench.read));
  const needed = FRAMES * ROUNDS;
  const attempted = bench.calls();
  assert.ok(attempted > needed && attempted / needed <= 1.1, `${attempted} calls for ${needed}`);
  const codes = PASSING.map((code) => status[code].toLowerCase().replaceAll('_', '-'));
  for (const result of codes) assert.ok(bench.telemetry.count('sluice_store_calls_total', { result }) > 0, result);
  record({ rows: [15], test: 'a mix of statuses', faults: { status: attempted - needed }, invariants: ['I2', 'I10'] });
});

test('row 15: a store that says it is overloaded is asked by fewer calls at a time, and by more again later', async (t) => {
  let overloaded = true;
  const bench = await setUp(t, () => (overloaded ? { code: status.RESOURCE_EXHAUSTED } : undefined));
  const allowed = bench.telemetry.gauges.get('sluice_store_calls_allowed{store=bigtable}');
  assert.equal(allowed?.(), 4);
  const reads = Promise.all(Array.from({ length: FRAMES }, bench.read));
  while ((allowed?.() as number) > 1) await new Promise((resolve) => setImmediate(resolve));
  overloaded = false;
  await reads;
  assert.ok((allowed?.() as number) > 1);
  assert.equal(bench.allowed[0] < 4, true, 'not all at once');
});

test('row 15: a store that refuses is not asked again', async (t) => {
  for (const code of [status.PERMISSION_DENIED, status.UNAUTHENTICATED, status.INVALID_ARGUMENT]) {
    const bench = await setUp(t, () => ({ code }));
    await assert.rejects(bench.read(), { code: 'store-refused', disposition: 'fatal' });
    assert.equal(bench.calls(), 1);
  }
});
