import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { ledger } from '../fixtures/reader.ts';
import { decodeRisk } from '../fixtures/upstream.ts';
import { flights, lazyExample, predictedByBatch, SHIPPED, type Stack } from './example-bench.ts';

const TOLERANCE = 1e-6;
/** Added to the ids of a second pass over the week, so that every event is its own. */
const PASS_STEP = 10_000_000;
const SEND_AT_ONCE = 5_000;

/** The week of flights, and again, through the shipped topology: a backlog that one instance works off. `start` is called once. */
export function exampleScale(name: string, start: () => Promise<Stack>, options: { readonly records: number }): void {
  const { records } = options;
  const bench = lazyExample(start);
  describe(`${name}: ${records} flights`, () => {
    test('every id once, all probabilities as in batch', async (t) => {
      const { createTopics, upstream, run, answered, read, ends, dir } = await bench();
      await createTopics(SHIPPED, 4);
      const week = flights('examples/flight-delay/flights.jsonl.gz');
      const events = Array.from({ length: records }, (_, i) => {
        const flight = week[i % week.length];
        return { ...flight, id: flight.id + PASS_STEP * Math.floor(i / week.length) };
      });
      const producer = await upstream(SHIPPED.input);
      for (let from = 0; from < records; from += SEND_AT_ONCE) {
        await producer.send(events.slice(from, from + SEND_AT_ONCE).map(producer.message));
      }

      const child = run();
      await child.ready();
      const startedMs = performance.now();
      await answered(child, SHIPPED, records);
      const seconds = (performance.now() - startedMs) / 1000;
      const cpuSeconds = await child.metric('process_cpu_seconds_total');
      const batches = await child.metric('sluice_batch_rows_count');
      const hits = await child.metric('sluice_cache_requests_total', { result: 'hit' });
      const requests = await child.metric('sluice_cache_requests_total');
      assert.equal(await child.stop(), 0, child.stderr.slice(-3_000));
      t.diagnostic(
        `${records} flights in ${seconds.toFixed(1)} s after ready: ${Math.round(records / seconds)} a second; ` +
          `${cpuSeconds.toFixed(1)} s CPU with the start; ${batches} batches; ${hits} of ${requests} look-ups from the cache`,
      );

      const outputs = await read(SHIPPED.output);
      const found = ledger(
        { topic: SHIPPED.input, ends: await ends(SHIPPED.input) },
        outputs,
        await read(SHIPPED.deadLetter),
      );
      assert.deepEqual(
        {
          lost: found.lost.slice(0, 5),
          duplicates: found.duplicates.slice(0, 5),
          strangers: found.strangers.slice(0, 5),
        },
        { lost: [], duplicates: [], strangers: [] },
      );
      const file = join(dir, 'all.jsonl');
      writeFileSync(file, events.map((event) => JSON.stringify(event)).join('\n'));
      const byBatch = await predictedByBatch(file, join(dir, 'all.predicted.jsonl'));
      assert.deepEqual(
        byBatch.map(({ id }) => id),
        events.map(({ id }) => id),
        'batch answers in input order',
      );
      const expected = new Map(byBatch.map((each) => [each.id, each]));
      let worst = 0;
      for (const { key, value } of outputs) {
        const { id, probability, band } = decodeRisk(value as Buffer);
        const of = expected.get(id);
        assert.ok(of !== undefined, `${id} came twice, or was never sent`);
        expected.delete(id);
        worst = Math.max(worst, Math.abs(probability - of.probability));
        assert.ok(worst <= TOLERANCE, `${id}: ${probability} through Kafka, ${of.probability} by batch`);
        assert.equal(band, of.band);
        assert.equal(String(key), String(id));
      }
      assert.equal(expected.size, 0);
      t.diagnostic(`largest difference from batch: ${worst}`);
    });
  });
}
