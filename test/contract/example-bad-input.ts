import assert from 'node:assert/strict';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { IHeaders, Message } from 'kafkajs';
import { deadLetterSource, headerText, ledger, type ReadRecord } from '../fixtures/reader.ts';
import { ROOT } from '../fixtures/sluice.ts';
import { decodeRisk, FLIGHT_SCHEMA, flightType, framed, register } from '../fixtures/upstream.ts';
import { asMessage, badRecords, manyHeaders, SPOOFED, taggedSchema } from './example-bad-records.ts';
import { type ExampleBench, flights, predictedByBatch } from './example-bench.ts';

const EVENTS = 'examples/flight-delay/events-500.jsonl';
const PARTITIONS = 2;
const NOTHING = { lost: [], duplicates: [], strangers: [] };
/** Every record has a time of its own, by which its dead letter is recognised. */
const FIRST_TIMESTAMP_MS = 1_700_000_000_000;

/** A record that cannot be scored goes to the dead-letter topic unchanged, with the reason; its neighbours are published. */
export function exampleBadInput(name: string, bench: () => Promise<ExampleBench>): void {
  describe(`${name}: bad input`, () => {
    test('each bad record becomes a dead letter with its bytes and the reason; a tombstone is dropped; all others are published', async () => {
      const { variant, createTopics, upstream, run, answered, read, ends, dir, stack } = await bench();
      const topology = variant('bad');
      await createTopics(topology, PARTITIONS);
      const producer = await upstream(topology.input);
      const tagged = await register(stack.env.SCHEMA_REGISTRY_URL, 'other-team-value', taggedSchema(FLIGHT_SCHEMA));
      const good = flights(EVENTS);
      const bad = badRecords(good[0], { flight: producer.schemaId, tagged, unknown: 999_999 });

      const messages: Message[] = good.map((flight, i) => {
        const message = producer.message(flight);
        // Good records may be odd as well.
        if (i === 10) return { ...message, key: null };
        if (i === 20) return { ...message, headers: SPOOFED };
        if (i === 30) return { ...message, headers: manyHeaders() };
        if (i === 40) {
          const value = framed(tagged, Buffer.concat([Buffer.from([4, 0]), flightType.toBuffer(flight)]));
          return { ...message, value };
        }
        return message;
      });
      bad.forEach((record, i) => {
        messages.splice(5 + 19 * i, 0, asMessage(record));
      });
      const tombstones = [50, 51, 300];
      for (const at of tombstones)
        messages.splice(at, 0, { key: `gone ${at}`, value: null, headers: { 'test-case': 'tombstone' } });
      await producer.send(
        messages.map((message, i) => ({
          ...message,
          partition: i % PARTITIONS,
          timestamp: String(FIRST_TIMESTAMP_MS + i),
        })),
      );

      const child = run(topology.file);
      await answered(child, topology, good.length + bad.length);
      await child.until(
        'the counters say so',
        async () => (await child.metric('sluice_records_total')) === messages.length,
      );
      const fate = (value: string) => child.metric('sluice_records_total', { fate: value });
      assert.equal(await fate('published'), good.length);
      assert.equal(await fate('dead-lettered'), bad.length);
      assert.equal(await fate('dropped'), tombstones.length);
      for (const reason of ['decode-failed', 'schema-unknown']) {
        const expected = bad.filter((record) => record.reason === reason).length;
        assert.equal(await child.metric('sluice_dead_letters_total', { reason }), expected, reason);
      }
      assert.equal(await child.stop(), 0);

      const input = await read(topology.input);
      const outputs = await read(topology.output);
      const deadLetters = await read(topology.deadLetter);
      const sourceOf = ({ partition, offset }: ReadRecord) => `${topology.input}/${partition}/${offset}`;
      const silent = new Set(input.filter(({ value }) => value === null).map(sourceOf));
      assert.equal(silent.size, tombstones.length);
      const inputs = { topic: topology.input, ends: await ends(topology.input), silent };
      assert.deepEqual(ledger(inputs, outputs, deadLetters), NOTHING);

      const byBatch = await predictedByBatch(EVENTS, join(dir, 'good.jsonl'));
      assertPredictions(outputs, byBatch);
      for (const output of outputs) {
        assert.deepEqual(
          Object.keys(output.headers).sort(),
          ['sluice-inputs', 'sluice-model', 'sluice-source'],
          'nothing is passed through',
        );
      }

      assert.equal(deadLetters.length, bad.length);
      const origins = new Map(input.map((record) => [sourceOf(record), record]));
      for (const record of bad) {
        const letter = deadLetters.find((each) => headerText(each, 'test-case') === record.name);
        assert.ok(letter !== undefined, `no dead letter for: ${record.name}`);
        const origin = origins.get(deadLetterSource(letter));
        assert.ok(origin !== undefined, `${record.name}: its headers name no input`);
        assert.equal(headerText(origin, 'test-case'), record.name, 'its headers name another input');
        assertUntouched(letter, origin, record.name);
        const error = (what: string) => headerText(letter, `__dlq.errors.${what}`);
        assert.equal(error('reason'), record.reason, record.name);
        assert.equal(error('stage'), record.stage, record.name);
        assert.equal(error('schema-id'), record.schemaId, record.name);
        assert.equal(error('timestamp'), String(origin.timestampMs), record.name);
        assert.equal(error('attempts'), '1', record.name);
        assert.equal(new Date(error('first-seen')).toISOString(), error('first-seen'), record.name);
        assert.match(error('model'), /^flight-delay@1#[0-9a-f]{12}$/, record.name);
        assert.match(error('instance'), new RegExp(`-${child.pid}$`), record.name);
      }
    });

    test('with a bundle without ??, a record with a missing value is feature-not-finite; the others are published', async () => {
      const { variant, createTopics, upstream, run, answered, read, ends, dir } = await bench();
      // Not in `models`: paths are looked up beside the topology file first, and other tests have theirs there too.
      const bundle = join(dir, 'gullible/flight-delay/1');
      cpSync(join(ROOT, 'models/flight-delay/1'), bundle, { recursive: true });
      const yaml = readFileSync(join(bundle, 'bundle.yaml'), 'utf8');
      assert.ok(yaml.includes('atLeast(event.distance, 0) ?? 569'));
      writeFileSync(join(bundle, 'bundle.yaml'), yaml.replace(' ?? 569', ''));
      const topology = variant('nan', (text) => text.replace('bundle: models/flight-delay', `bundle: ${bundle}`));
      await createTopics(topology, PARTITIONS);
      const producer = await upstream(topology.input);
      const good = flights(EVENTS).slice(0, 100);
      const missing = good
        .slice(0, 8)
        .map((flight, i) => ({ ...flight, id: -1 - i, distance: i % 2 === 0 ? null : -5 }));
      const events = [...good];
      missing.forEach((flight, i) => {
        events.splice(3 + 12 * i, 0, flight);
      });
      await producer.send(events.map((flight, i) => ({ ...producer.message(flight), partition: i % PARTITIONS })));

      const child = run(topology.file);
      await answered(child, topology, events.length);
      assert.equal(await child.stop(), 0);
      assert.match(child.stderr, /bundle\.yaml:\d+.*event\.distance/s, 'the check warned of it, and named the line');

      const outputs = await read(topology.output);
      const deadLetters = await read(topology.deadLetter);
      const inputs = { topic: topology.input, ends: await ends(topology.input) };
      assert.deepEqual(ledger(inputs, outputs, deadLetters), NOTHING);
      const byBatch = await predictedByBatch(EVENTS, join(dir, 'gullible.jsonl'));
      assertPredictions(outputs, byBatch.slice(0, good.length));
      const input = new Map(
        (await read(topology.input)).map((record) => [
          `${topology.input}/${record.partition}/${record.offset}`,
          record,
        ]),
      );
      assert.deepEqual(
        deadLetters.map(({ key }) => Number(key)).sort((a, b) => b - a),
        missing.map(({ id }) => id),
      );
      for (const letter of deadLetters) {
        assertUntouched(letter, input.get(deadLetterSource(letter)) as ReadRecord, String(letter.key));
        assert.equal(headerText(letter, '__dlq.errors.reason'), 'feature-not-finite');
        assert.equal(headerText(letter, '__dlq.errors.stage'), 'preprocess');
        assert.equal(headerText(letter, '__dlq.errors.schema-id'), String(producer.schemaId));
      }
    });
  });
}

function assertPredictions(
  outputs: readonly ReadRecord[],
  expected: Awaited<ReturnType<typeof predictedByBatch>>,
): void {
  const risks = new Map(outputs.map((record) => [decodeRisk(record.value as Buffer).id, record]));
  assert.equal(outputs.length, expected.length);
  for (const { id, probability, band } of expected) {
    const record = risks.get(id);
    assert.ok(record !== undefined, `no output for ${id}`);
    const risk = decodeRisk(record.value as Buffer);
    assert.ok(Math.abs(risk.probability - probability) <= 1e-6, `${id}: ${risk.probability}, by batch ${probability}`);
    assert.equal(risk.band, band);
    assert.equal(String(record.key), String(id));
  }
}

/** Key, value, timestamp and headers are those of the input; headers that pretended to be ours are kept under `original.`. */
function assertUntouched(letter: ReadRecord, origin: ReadRecord, what: string): void {
  assert.deepEqual(letter.value, origin.value, what);
  assert.deepEqual(letter.key, origin.key, what);
  assert.equal(letter.timestampMs, origin.timestampMs, what);
  const foreign = Object.entries(letter.headers).filter(([header]) => !header.startsWith('__dlq.'));
  const renamed = Object.entries(origin.headers).map(([header, value]) =>
    header.startsWith('__dlq.') ? [`original.${header}`, value] : [header, value],
  );
  assert.deepEqual(Object.fromEntries(foreign) as IHeaders, Object.fromEntries(renamed), what);
}
