import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createKafkaSink } from '../../src/adapters/kafka/sink.ts';
import { encodeHeaders } from '../../src/kernel/headers.ts';
import { RecordSlab } from '../../src/kernel/record-slab.ts';
import { createSystemClock } from '../../src/kernel/system-clock.ts';
import { lazyExample } from '../contract/example-bench.ts';
import { startEmbeddedStack } from '../fixtures/embedded-stack.ts';
import { seeded } from '../fixtures/random.ts';
import { RecordingTelemetry } from '../fixtures/telemetry.ts';
import { type Flight, readJsonLines } from '../fixtures/upstream.ts';

const bench = lazyExample(startEmbeddedStack);
const EVENTS = 200;

/** No event, and with a header that has no value: what is written of that says who wrote. */
async function sendPoison(brokers: string, topic: string): Promise<void> {
  const deps = { clock: createSystemClock(), telemetry: new RecordingTelemetry(), random: seeded(1) };
  const sink = createKafkaSink(deps, { brokers: brokers.split(','), clientId: 'poison' });
  const slab = new RecordSlab(1, 64);
  slab.append(1, null, Buffer.from('no event'), encodeHeaders([{ name: 'nothing', value: null }]));
  await sink.open([topic]);
  await sink.send(topic, 0, slab);
  await sink.close();
}

test('the stock client and ours predict the same for the same records', { timeout: 120_000 }, async () => {
  const { stack, variant, createTopics, upstream, run, answered, read } = await bench();
  const flights = readJsonLines<Flight>('examples/flight-delay/events-500.jsonl').slice(0, EVENTS);
  const predicted: string[][] = [];
  const nothings: unknown[] = [];
  for (const client of ['columnar', 'stock']) {
    const topology = variant(client, (yaml) => yaml.replace('kafka:    { ', `kafka: { client: ${client}, `));
    await createTopics(topology, 2);
    const producer = await upstream(topology.input);
    await producer.send(flights.map((flight) => producer.message(flight)));
    await sendPoison(stack.env.KAFKA_BROKERS, topology.input);
    const child = run(topology.file);
    await answered(child, topology, EVENTS + 1);
    assert.equal(await child.stop(), 0);
    const outputs = await read(topology.output);
    predicted.push(outputs.map(({ key, value }) => `${key?.toString('hex')} ${value?.toString('hex')}`).sort());
    const poison = (await read(topology.deadLetter)).find(({ headers }) => 'nothing' in headers);
    nothings.push(poison?.headers.nothing);
  }
  assert.deepEqual(nothings, [null, Buffer.alloc(0)], 'the topology chose the client');
  const [ours, stock] = predicted;
  assert.ok(ours.length > EVENTS / 2);
  assert.deepEqual(stock, ours);
});
