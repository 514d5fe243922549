import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { headerText, ledger } from '../fixtures/reader.ts';
import { ROOT } from '../fixtures/sluice.ts';
import { decodeRisk, readJsonLines, register } from '../fixtures/upstream.ts';
import { type ExampleBench, flights, predictedByBatch, SHIPPED } from './example-bench.ts';

const FILES = {
  'expected-500': 'examples/flight-delay/events-500.jsonl',
  'edge-30': 'examples/flight-delay/edge-30.events.jsonl',
} as const;
const TOLERANCE = 1e-6;
/** What the Python pipeline wrote down has seven digits. */
const PYTHON_TOLERANCE = 1e-5;

/** The shipped topology gives through Kafka what batch gives from files. */
export function examplePredictions(name: string, bench: () => Promise<ExampleBench>): void {
  describe(`${name}: predictions`, () => {
    test('expected-500 and edge-30: every id once, probabilities as in batch, headers and keys right', async () => {
      const { createTopics, upstream, run, answered, read, ends, dir, stack } = await bench();
      await createTopics(SHIPPED, 4);
      const events = Object.values(FILES).flatMap(flights);
      const producer = await upstream(SHIPPED.input);
      await producer.send(events.map(producer.message));

      const child = run();
      await answered(child, SHIPPED, events.length);
      assert.equal(await child.stop(), 0);

      const outputs = await read(SHIPPED.output);
      assert.equal((await read(SHIPPED.deadLetter)).length, 0);
      const input = await read(SHIPPED.input);
      const nothing = { lost: [], duplicates: [], strangers: [] };
      assert.deepEqual(ledger({ topic: SHIPPED.input, ends: await ends(SHIPPED.input) }, outputs, []), nothing);

      const byBatch = new Map<number, Awaited<ReturnType<typeof predictedByBatch>>[number]>();
      for (const [label, file] of Object.entries(FILES)) {
        for (const each of await predictedByBatch(file, join(dir, `${label}.jsonl`))) byBatch.set(each.id, each);
      }
      const ids = events.map(({ id }) => id).sort((a, b) => a - b);
      const decoded = outputs.map((record) => ({ record, ...decodeRisk(record.value as Buffer) }));
      assert.deepEqual(
        decoded.map(({ id }) => id).sort((a, b) => a - b),
        ids,
      );

      const digest = bundleDigest('models/flight-delay/1').slice(0, 12);
      const schema = readFileSync(join(ROOT, 'schemas/delay-risk.avsc'), 'utf8');
      const schemaId = await register(stack.env.SCHEMA_REGISTRY_URL, `${SHIPPED.output}-value`, schema);
      const inputKeys = new Map(
        input.map(({ partition, offset, key }) => [`${SHIPPED.input}/${partition}/${offset}`, String(key)]),
      );
      for (const { record, id, probability, band, model, ...rest } of decoded) {
        const expected = byBatch.get(id);
        assert.ok(expected !== undefined, `batch knows no ${id}`);
        assert.ok(
          Math.abs(probability - expected.probability) <= TOLERANCE,
          `${id}: ${probability} through Kafka, ${expected.probability} by batch`,
        );
        assert.equal(band, probability < 0.2 ? 'low' : probability < 0.5 ? 'medium' : 'high');
        assert.equal(band, expected.band);
        assert.equal(model, digest);
        assert.equal(rest.schemaId, schemaId);
        assert.equal(String(record.key), String(id));
        assert.equal(inputKeys.get(headerText(record, 'sluice-source')), String(id), 'the header names its own input');
        assert.equal(headerText(record, 'sluice-model'), `flight-delay@1#${digest}`);
        assert.deepEqual(Object.keys(record.headers).sort(), ['sluice-inputs', 'sluice-model', 'sluice-source']);
        assert.match(headerText(record, 'sluice-inputs'), /^schema=[1-9]\d*( features=17\d{8})?$/);
      }

      const python = [
        ...readJsonLines<{ id: number; probability: number }>('examples/flight-delay/expected-500.jsonl'),
        ...readJsonLines<{ event: { id: number }; probability: number }>('examples/flight-delay/edge-30.jsonl').map(
          ({ event, probability }) => ({ id: event.id, probability }),
        ),
      ];
      const risks = new Map(decoded.map(({ id, probability }) => [id, probability]));
      assert.equal(python.length, risks.size);
      for (const { id, probability } of python) {
        assert.ok(Math.abs((risks.get(id) as number) - probability) <= PYTHON_TOLERANCE, `${id} is not Python's`);
      }
    });
  });
}

/** A bundle's digest as DESIGN says it: sha256 over its files' names and sha256, sorted. */
function bundleDigest(folder: string): string {
  const files = readdirSync(join(ROOT, folder)).sort();
  const sha256 = (data: string | Buffer): string => createHash('sha256').update(data).digest('hex');
  return sha256(files.map((file) => `${file}\n${sha256(readFileSync(join(ROOT, folder, file)))}\n`).join(''));
}
