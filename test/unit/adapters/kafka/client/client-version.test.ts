import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Producer } from 'kafkajs';
import { createStockProducer } from '../../../../../src/adapters/kafka/produce/stock-producer.ts';
import { createKafkaSink } from '../../../../../src/adapters/kafka/sink.ts';
import { createKafkaSource } from '../../../../../src/adapters/kafka/source.ts';
import { createBroker } from '../../../../../src/devstack/kafka/broker.ts';
import { Credit } from '../../../../../src/kernel/credit.ts';
import { RecordSlab } from '../../../../../src/kernel/record-slab.ts';
import { createSystemClock } from '../../../../../src/kernel/system-clock.ts';
import type { SourceListener } from '../../../../../src/ports/source.ts';
import { seeded } from '../../../../fixtures/random.ts';
import { readTopic } from '../../../../fixtures/reader.ts';
import { RecordingTelemetry } from '../../../../fixtures/telemetry.ts';

/** Nobody has read its inside; guards and hooks of another version must not be put into it. */
const OTHER = '2.2.3';
const ROWS = 1_200;

function slabOf(count: number): RecordSlab {
  const slab = new RecordSlab(count, 16 * count);
  for (let i = 0; i < count; i++) slab.append(1_700_000_000_000 + i, null, Buffer.from(`v${i}`), null);
  return slab;
}

function deps() {
  return { clock: createSystemClock(), telemetry: new RecordingTelemetry(), random: seeded(1) };
}

test('with another version of the client the sink writes through its own producer, and says so', {
  timeout: 30_000,
}, async (context) => {
  const broker = await createBroker({ log: () => {} });
  context.after(() => broker.close());
  broker.createTopic('out');
  const made = deps();
  const sink = createKafkaSink(made, { brokers: broker.brokers, clientId: 'other', clientVersion: OTHER });
  await sink.open(['out']);
  await sink.send('out', 0, slabOf(ROWS));
  await sink.close();
  const records = await readTopic(broker.brokers.join(','), 'out');
  assert.deepEqual(
    records.map(({ value }) => String(value)),
    Array.from({ length: ROWS }, (_, i) => `v${i}`),
  );
  assert.deepEqual(made.telemetry.eventsNamed('client-fallback'), [{ installed: OTHER, supported: '2.2.4' }]);
});

test('of another version nothing is used that has no public meaning: retries, and what it does with its messages', async () => {
  const asked: { retries?: number; messages?: object }[] = [];
  const kafka = {
    producer: ({ retry }: { retry: { retries: number } }) => {
      asked.push({ retries: retry.retries });
      return {
        send: async ({ messages }: { messages: object }) => {
          asked.push({ messages });
          return [{ topicName: 'out', partition: 0, errorCode: 0, baseOffset: '0', logAppendTime: '-1' }];
        },
      } as unknown as Producer;
    },
  };
  for (const version of ['2.2.4', OTHER]) {
    const producer = createStockProducer(
      { kafka: kafka as never, version, onNullHeader: assert.fail },
      { topic: 'out', replicasMs: 1_000, metadataMaxAgeMs: 1_000 },
    );
    await producer.request(0, slabOf(2), 0, 2).attempt();
  }
  const [known, list, other, copy] = asked;
  assert.ok(Number.isNaN(known.retries) && Object.hasOwn(list.messages as object, 'reduce'));
  assert.ok(other.retries === 1 && !Object.hasOwn(copy.messages as object, 'reduce'));
});

test('with another version of the client nobody joins a group: what that hooks was read in one', async () => {
  const made = { ...deps(), credit: new Credit({ maxRecords: 10, maxBytes: 1_000 }) };
  const source = createKafkaSource(made, {
    brokers: ['127.0.0.1:1'],
    clientId: 'other',
    clientVersion: OTHER,
    groupId: 'g',
    topics: ['in'],
    from: 'earliest',
    drainMs: 100,
    stock: true,
  });
  await assert.rejects(source.start({} as SourceListener), {
    code: 'client-unsupported',
    message: /kafkajs 2\.2\.3 is installed.*kafkajs@2\.2\.4/,
  });
  await source.close();
});
