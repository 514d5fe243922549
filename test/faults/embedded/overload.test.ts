/** Row 14, as a topology may answer it: by a pause, which is the default, or by what `onOverload` declares. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { flights, lazyExample, type Stack } from '../../contract/example-bench.ts';
import { startEmbeddedStack } from '../../fixtures/embedded-stack.ts';
import { type Sluice, sluice } from '../../fixtures/sluice.ts';
import { record } from '../report.ts';
import { outputs, shortCaches, writeSmallBundle } from './ladder.ts';

const LIMIT = { timeout: 90_000 };
const EVENTS = flights('examples/flight-delay/events-500.jsonl');
const PART = 100;

/** Calls on the store stall: neither answer nor end. */
let stalled = false;
let stalls = 0;

const startStack = (): Promise<Stack> =>
  startEmbeddedStack({
    onRead() {
      if (!stalled) return undefined;
      stalls++;
      return { stall: true };
    },
  });

async function outage(child: Sluice): Promise<void> {
  stalled = true;
  // What was read before is fresh no more.
  await new Promise((resolve) => setTimeout(resolve, 600));
  assert.equal((await child.health()).status, 200);
}

describe('the store stalls', () => {
  const bench = lazyExample(startStack);

  test('row 14: with a ladder predictions go on, each saying what it lacks; then whole again', LIMIT, async () => {
    const made = await bench();
    const { variant, createTopics, upstream, run, answered, dir, stack } = made;
    const small = writeSmallBundle(dir);
    const topology = variant('ladder', (yaml) => {
      const ladder = `onOverload: { lag: 10s, staleCache: 1h, defaultFeatures: true, smallerModel: ${small} }`;
      return `${shortCaches(yaml)}\n${ladder}\n`;
    });
    const checked = await sluice(['check', topology.file], stack.env);
    assert.equal(checked.code, 0, checked.stderr);
    await createTopics(topology, 2);
    const producer = await upstream(topology.input);
    const send = (part: number) => producer.send(EVENTS.slice(part * PART, (part + 1) * PART).map(producer.message));

    const child = run(topology.file);
    await send(0);
    await answered(child, topology, PART);
    assert.equal(child.logged('model loaded').length, 2);

    const stallsBefore = stalls;
    await outage(child);
    const startedMs = performance.now();
    await send(0);
    await send(1);
    await answered(child, topology, 3 * PART);
    const bridgedMs = performance.now() - startedMs;
    assert.equal((await child.health()).status, 200, 'it makes progress');
    assert.equal(await child.metric('sluice_overload_step', { step: 'default-features' }), 1);

    stalled = false;
    const healedMs = performance.now();
    await child.until('no step is in force', async () => (await child.metric('sluice_overload_step')) === 0);
    assert.ok(child.logged('the store answers again').length > 0);
    const recoveryMs = performance.now() - healedMs;
    await send(2);
    await answered(child, topology, 4 * PART);
    assert.equal(await child.stop(), 0);

    const all = await outputs(made, topology);
    assert.equal(all.length, 4 * PART, 'each answered once');
    assert.ok(
      all.every(({ model }) => model.startsWith('flight-delay@1#')),
      'the lag never asked for the smaller model',
    );
    const how = (text: string): number => all.filter(({ degraded }) => degraded === text).length;
    // The first part is known from before; of the second, airports are, and many routes are not.
    assert.equal(how(''), 2 * PART, 'before and after');
    assert.ok(how('stale-cache') >= PART, 'known rows');
    assert.ok(how('default-features') + how('stale-cache,default-features') > 0, 'unknown rows');
    record({
      rows: [14],
      test: 'row 14: with a ladder predictions go on, each saying what it lacks; then whole again',
      faults: { stall: stalls - stallsBefore },
      invariants: ['I1', 'I2', 'I3', 'I9', 'I10'],
      duplicates: 0,
      recoveryMs: Math.round(Math.max(recoveryMs, bridgedMs)),
    });
  });

  test(
    'row 14: without a ladder it is a pause: nothing comes out, no dead letters, and it goes on',
    LIMIT,
    async () => {
      const made = await bench();
      const { variant, createTopics, upstream, run, answered, ends } = made;
      const topology = variant('pause', shortCaches);
      await createTopics(topology, 2);
      const producer = await upstream(topology.input);
      const child = run(topology.file);
      await producer.send(EVENTS.slice(0, PART).map(producer.message));
      await answered(child, topology, PART);

      const stallsBefore = stalls;
      await outage(child);
      await producer.send(EVENTS.slice(0, PART).map(producer.message));
      await child.until('/ready names the store', async () => /store /.test((await child.health()).reason));
      assert.equal((await child.health('/live')).status, 200);
      const before = (await ends(topology.output)).reduce((sum, end) => sum + end, 0);
      assert.equal(before, PART, 'nothing comes out');

      stalled = false;
      const healedMs = performance.now();
      await answered(child, topology, 2 * PART);
      const recoveryMs = Math.round(performance.now() - healedMs);
      await child.ready();
      assert.equal(await child.stop(), 0);
      const all = await outputs(made, topology);
      assert.equal(all.length, 2 * PART);
      assert.ok(all.every(({ degraded }) => degraded === ''));
      record({
        rows: [14],
        test: 'without a ladder it is a pause: nothing comes out, no dead letters, and it goes on',
        faults: { stall: stalls - stallsBefore },
        invariants: ['I1', 'I2', 'I3', 'I9', 'I10'],
        duplicates: 0,
        recoveryMs,
      });
    },
  );
});
