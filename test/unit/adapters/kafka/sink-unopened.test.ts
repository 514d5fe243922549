import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createKafkaSink } from '../../../../src/adapters/kafka/sink.ts';
import { createKafkaTransactions } from '../../../../src/adapters/kafka/transactions.ts';
import { createBroker } from '../../../../src/devstack/kafka/broker.ts';
import { createSystemClock } from '../../../../src/kernel/system-clock.ts';
import { seeded } from '../../../fixtures/random.ts';
import { RecordingTelemetry } from '../../../fixtures/telemetry.ts';
import { until } from '../../../fixtures/until.ts';

const deps = { clock: createSystemClock(), telemetry: new RecordingTelemetry(), random: seeded(1) };

for (const [name, make] of [
  ['sink', (brokers: readonly string[]) => createKafkaSink(deps, { brokers, clientId: 'c' })],
  [
    'transactional sink',
    (brokers: readonly string[]) => createKafkaTransactions(deps, { brokers, clientId: 'c', groupId: 'g' }),
  ],
] as const) {
  test(`a ${name} that cannot be opened leaves no timer and no connection behind`, async (context) => {
    const broker = await createBroker({ log: () => undefined });
    context.after(() => broker.close());
    broker.createTopic('out');
    const sink = make(broker.brokers);
    await assert.rejects(sink.open(['out', 'missing']), /topic "missing" does not exist/);
    await until('nothing is left', () => !/Timeout|TCPSocket/.test(process.getActiveResourcesInfo().join()), 15_000);
  });
}
