import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SluiceError } from '../../src/kernel/errors.ts';
import { Gate } from '../fixtures/fakes.ts';
import { events, origin, startWorld, type TestWorld } from '../fixtures/world.ts';

const DRAIN_MS = 5_000;

/** Everything that can hang at the end, and whether the records are settled nevertheless. */
const HANGS: Readonly<Record<string, { readonly settled: boolean; readonly hang: (world: TestWorld) => void }>> = {
  'the sink': { settled: false, hang: (world) => shut(world, (gate) => (world.sink.before = () => gate.through())) },
  'the model': {
    settled: false,
    hang: (world) => shut(world, (gate) => (world.session.before = () => gate.through())),
  },
  'the broker, refusing again and again,': {
    settled: false,
    hang: (world) => {
      world.sink.before = () => {
        throw new SluiceError('broker-unavailable', 'the broker is down');
      };
    },
  },
  'the source, halting': { settled: true, hang: (world) => world.source.haltGate.close() },
  'the source, leaving': { settled: true, hang: (world) => world.source.closeGate.close() },
  'the sink, closing': { settled: true, hang: (world) => world.sink.closeGate.close() },
};

function shut(_world: TestWorld, install: (gate: Gate) => void): void {
  const gate = new Gate();
  gate.close();
  install(gate);
}

for (const [what, { settled, hang }] of Object.entries(HANGS)) {
  test(`L8 ends: shutdown finishes within the drain budget when ${what} hangs`, async () => {
    const world = startWorld({ flow: { drainMs: DRAIN_MS } });
    const from = origin();
    world.source.assign(from);
    hang(world);
    await world.source.feed(from, events(0, 20));
    if (settled) await world.clock.advance(500);
    const stoppedMs = world.clock.monotonicMs();
    const outcome = await world.finish();
    assert.ok(world.clock.monotonicMs() - stoppedMs <= DRAIN_MS, 'one budget for all steps');
    assert.equal(outcome.result, 'drain-budget');
    assert.equal(outcome.unsettledRecords, settled ? 0 : 20);
    if (!settled) assert.deepEqual(world.source.commits, [], 'what is unsettled stays uncommitted');
  });
}
