import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { createKafkaSource } from '../../../../src/adapters/kafka/source.ts';
import { createBroker } from '../../../../src/devstack/kafka/broker.ts';
import { Credit } from '../../../../src/kernel/credit.ts';
import { createSystemClock } from '../../../../src/kernel/system-clock.ts';
import type { SourceListener } from '../../../../src/ports/source.ts';
import { seeded } from '../../../fixtures/random.ts';
import { RecordingTelemetry } from '../../../fixtures/telemetry.ts';

const METADATA = 3;
const JOIN_GROUP = 11;

test('a source that is closed while it starts joins no group, and its start does not resolve', {
  timeout: 20_000,
}, async (context) => {
  let joins = 0;
  let asked: () => void = () => {};
  const reached = new Promise<void>((resolve) => {
    asked = resolve;
  });
  const broker = await createBroker({
    log: () => {},
    hooks: {
      onRequest: ({ apiKey, clientId }) => {
        if (apiKey === JOIN_GROUP) joins++;
        if (apiKey === METADATA && clientId === 'late') asked();
        return undefined;
      },
    },
  });
  context.after(() => broker.close());
  broker.createTopic('events');
  const source = createKafkaSource(
    {
      credit: new Credit({ maxRecords: 10, maxBytes: 1_000 }),
      clock: createSystemClock(),
      telemetry: new RecordingTelemetry(),
      random: seeded(1),
    },
    { brokers: broker.brokers, clientId: 'late', groupId: 'g', topics: ['events'], from: 'earliest', drainMs: 100 },
  );
  const started = source.start({} as SourceListener);
  const refused = assert.rejects(started, /group g was not joined: .* closed while it started/);
  await reached;
  await source.close();
  await refused;
  assert.equal(joins, 0);
  assert.equal(source.health().ready, false);
  const { prototype } = createRequire(import.meta.url)('kafkajs/src/consumer/runner') as {
    prototype: { fetch: object };
  };
  assert.ok('isOurs' in prototype.fetch, 'whoever starts a source has its fetches end with it: stopped-fetches.ts');
});
