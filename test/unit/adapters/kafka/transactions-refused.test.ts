import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createKafkaTransactions } from '../../../../src/adapters/kafka/transactions.ts';
import { createBroker } from '../../../../src/devstack/kafka/broker.ts';
import { createSystemClock } from '../../../../src/kernel/system-clock.ts';
import { RecordingTelemetry } from '../../../fixtures/telemetry.ts';

const ADD_OFFSETS_TO_TXN = 25;
const END_TXN = 26;

test('a broker without transactions is refused when it is opened, and it is said what to do', async () => {
  const broker = await createBroker({ log: () => {}, without: [ADD_OFFSETS_TO_TXN, END_TXN] });
  broker.createTopic('out', { partitions: 1 });
  const sink = createKafkaTransactions(
    { clock: createSystemClock(), telemetry: new RecordingTelemetry(), random: () => 0.5 },
    { brokers: broker.brokers, clientId: 'test', groupId: 'g' },
  );
  try {
    await assert.rejects(sink.open(['out']), (error: { code: string; disposition: string; message: string }) => {
      assert.deepEqual([error.code, error.disposition], ['topology-invalid', 'usage']);
      assert.match(
        error.message,
        /exactly-once needs transactions, .*\(no AddOffsetsToTxn, EndTxn\); .*write delivery: at-least-once$/,
      );
      return true;
    });
  } finally {
    await sink.close();
    await broker.close();
  }
});
