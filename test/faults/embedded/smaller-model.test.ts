/** A topology may answer a lag that does not go away with a smaller model. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { flights, lazyExample } from '../../contract/example-bench.ts';
import { startEmbeddedStack } from '../../fixtures/embedded-stack.ts';
import { headerText } from '../../fixtures/reader.ts';
import { decodeRisk } from '../../fixtures/upstream.ts';
import { createProxy } from '../proxy.ts';
import { record } from '../report.ts';
import { outputs, shortCaches, writeSmallBundle } from './ladder.ts';

const LIMIT = { timeout: 90_000 };
const EVENTS = flights('examples/flight-delay/events-500.jsonl');
const PART = 100;
const TIMES = 5;

describe('the store is slow', () => {
  const bench = lazyExample(startEmbeddedStack);

  test(
    'a lag: the smaller model takes over and gives back, whole frames at a time: each prediction has one model',
    LIMIT,
    async () => {
      const made = await bench();
      const { variant, createTopics, upstream, run, answered, read, dir, stack } = made;
      const small = writeSmallBundle(dir);
      const topology = variant('slow', (yaml) => {
        const narrow = yaml.replace('maxBatch: 256', 'maxBatch: 64').replace('records: 20000', 'records: 64');
        return `${shortCaches(narrow)}\nonOverload: { lag: 2s, smallerModel: ${small} }\n`;
      });
      await createTopics(topology, 1);
      const producer = await upstream(topology.input);
      const messages = EVENTS.map(producer.message);
      const proxy = await createProxy(() => stack.env.BIGTABLE_EMULATOR_HOST);
      try {
        const child = run(topology.file, { BIGTABLE_EMULATOR_HOST: proxy.host });
        await producer.send(messages.slice(0, PART));
        await answered(child, topology, PART);
        // Frames wait for one answer after the other: slower than what comes.
        proxy.poison({ kind: 'latency', ms: 150 });
        for (let n = 0; n < TIMES; n++) await producer.send(messages);
        const inForce = async (): Promise<boolean> => (await child.metric('sluice_overload_step')) === 1;
        await child.until('the step is taken', inForce, 30_000);
        assert.equal((await child.health()).status, 200);
        await child.until('the smaller model scores', async () => {
          return (await child.metric('sluice_degraded_records_total', { how: 'smaller-model' })) > 0;
        });
        await proxy.heal();
        await answered(child, topology, PART + TIMES * EVENTS.length);
        await child.until('the step is taken back', async () => !(await inForce()), 30_000);
        await producer.send(messages.slice(0, PART));
        await answered(child, topology, 2 * PART + TIMES * EVENTS.length);
        assert.equal(await child.stop(), 0);
      } finally {
        await proxy.close();
      }
      const all = await outputs(made, topology);
      assert.equal(all.length, 2 * PART + TIMES * EVENTS.length, 'each answered once');
      const models = [...new Set(all.map(({ model }) => model))].sort();
      assert.equal(models.length, 2);
      const [whole, smaller] = models;
      assert.match(whole, /^flight-delay@1#/);
      assert.match(smaller, /^small@1#/);
      assert.ok(all.every(({ model, degraded }) => degraded === (model === smaller ? 'smaller-model' : '')));
      for (const each of await read(topology.output)) {
        const { model, probability } = decodeRisk(each.value as Buffer);
        const header = headerText(each, 'sluice-model');
        assert.equal(header.split('#')[1], model, 'the value and the header speak of the same model');
        if (header === smaller) assert.ok(probability >= 0.5 && probability < 0.74, `${probability} is its answer`);
      }
      const steps = all.map(({ model }) => model).filter((model, i, list) => model !== list[i - 1]);
      assert.deepEqual(steps, [whole, smaller, whole], 'in order, once each way');
      record({
        rows: [],
        test: 'a lag: the smaller model takes over and gives back, whole frames at a time: each prediction has one model',
        faults: { latency: 1 },
        invariants: ['I1', 'I2', 'I3', 'I5', 'I10'],
        duplicates: 0,
      });
    },
  );
});
