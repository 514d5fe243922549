/** Row 12 on the adapters: each toxic, in each direction, on Bigtable and the registry. Kafka's: test/faults/real/network.test.ts. */
import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { createBigtableStore } from '../../../src/adapters/bigtable/store.ts';
import { createBigtableWriter } from '../../../src/adapters/bigtable/writer.ts';
import { createRegistrySchemas } from '../../../src/adapters/registry/registry.ts';
import { createBigtable } from '../../../src/devstack/bigtable.ts';
import { createRegistry } from '../../../src/devstack/registry.ts';
import type { ViewSpec } from '../../../src/kernel/cells/views.ts';
import { SluiceError } from '../../../src/kernel/errors.ts';
import { createSystemClock } from '../../../src/kernel/system-clock.ts';
import { seeded } from '../../fixtures/random.ts';
import { RecordingTelemetry } from '../../fixtures/telemetry.ts';
import { createProxy, type Direction, type TcpProxy, TOXICS } from '../proxy.ts';
import { record } from '../report.ts';

const VIEW: ViewSpec = {
  name: 'v',
  family: 'f',
  columns: [{ name: 'n', kind: 'vector', width: 64, offset: 0 }],
};
const TIMEOUT_MS = 250;
/** Time-outs are of each step; whoever waits for ever waits longer than all of them together on the slowest machine. */
const LIMIT_MS = 30_000;
const WAYS: readonly (readonly Direction[])[] = [['up'], ['down'], ['up', 'down']];

type Attempt = () => Promise<unknown>;

/** Every attempt ends; what fails, fails with a reason to try again; after the heal one succeeds. */
async function through(proxy: TcpProxy, attempt: Attempt): Promise<number> {
  const ways = TOXICS.flatMap((toxic) =>
    (toxic.kind === 'down' || toxic.kind === 'reset' ? [WAYS[2]] : WAYS).map((way) => ({ toxic, way })),
  );
  for (const { toxic, way } of ways) {
    proxy.poison(toxic, way);
    for (let n = 0; n < 2; n++) {
      await attempt().catch((error: SluiceError) => {
        assert.ok(
          error instanceof SluiceError && error.disposition === 'retry',
          `${toxic.kind} ${way}: ${error.stack}`,
        );
      });
    }
    await proxy.heal();
    const healedMs = performance.now();
    for (let tries = 1; ; tries++) {
      try {
        await attempt();
        break;
      } catch (error) {
        assert.ok(
          performance.now() - healedMs < LIMIT_MS,
          `${toxic.kind} ${way}: not back after ${tries} tries: ${error}`,
        );
      }
    }
  }
  return ways.length;
}

async function openProxy(context: TestContext, host: string): Promise<TcpProxy> {
  const proxy = await createProxy(() => host, { random: seeded(12) });
  context.after(() => proxy.close());
  return proxy;
}

describe('row 12: a bad network ends every wait, and never a record', { concurrency: 2 }, () => {
  test('row 12: Bigtable behind each toxic, up, down and both ways', { timeout: 120_000 }, async (context) => {
    const server = await createBigtable();
    context.after(() => server.close());
    const proxy = await openProxy(context, server.host);
    const deps = { clock: createSystemClock(), telemetry: new RecordingTelemetry(), random: () => 0.5 };
    const writer = createBigtableWriter(deps, { project: 'p', instance: 'i', emulatorHost: server.host });
    const keys = [Buffer.from('a'), Buffer.from('b')];
    const common = { table: 't', layout: 'packed', views: [VIEW], rowWidth: 64, keys } as const;
    await writer.ensureTable('t', ['f']);
    const values = Float64Array.from({ length: 128 }, (_, i) => i);
    await writer.write({ ...common, values, present: new Uint8Array(2).fill(1), timestampMs: 1_000 });
    await writer.close();
    const store = createBigtableStore(deps, {
      project: 'p',
      instance: 'i',
      emulatorHost: proxy.host,
      openTimeoutMs: TIMEOUT_MS,
    });
    context.after(() => store.close());
    await store.open(['t']);
    const faults = await through(proxy, async () => {
      const into = {
        values: new Float64Array(128).fill(Number.NaN),
        writtenAtMs: new Float64Array(2).fill(Number.NaN),
      };
      await store.read({ ...common, into, timeoutMs: TIMEOUT_MS });
      assert.deepEqual(into.values, values, 'an answer is whole');
    });
    assert.ok(deps.telemetry.count('sluice_store_reconnects_total') > 0, 'a black-holed connection is given up');
    record({ rows: [12], test: 'Bigtable behind each toxic', faults: { toxic: faults }, invariants: ['I8', 'I10'] });
  });

  test('row 12: the registry behind each toxic, up, down and both ways', { timeout: 120_000 }, async (context) => {
    const server = await createRegistry();
    context.after(() => server.close());
    const proxy = await openProxy(context, new URL(server.url).host);
    const id = server.register('s', '"string"');
    const deps = { clock: createSystemClock(), telemetry: new RecordingTelemetry() };
    const faults = await through(proxy, async () => {
      // One that has asked before does not ask again.
      const schemas = createRegistrySchemas(deps, { url: `http://${proxy.host}`, timeoutMs: TIMEOUT_MS });
      assert.equal(await schemas.writerSchema(id), 'string');
    });
    record({ rows: [12, 18], test: 'the registry behind each toxic', faults: { toxic: faults }, invariants: ['I8'] });
  });
});
