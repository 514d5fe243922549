import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Kafka, logLevel } from 'kafkajs';
import { openChangelogs } from '../../../../src/adapters/kafka/changelog.ts';
import { createTopicLog } from '../../../../src/adapters/kafka/topic-log.ts';
import { createBroker } from '../../../../src/devstack/kafka/broker.ts';
import { createSystemClock } from '../../../../src/kernel/system-clock.ts';
import { seeded } from '../../../fixtures/random.ts';
import { RecordingTelemetry } from '../../../fixtures/telemetry.ts';
import { until } from '../../../fixtures/until.ts';

const TOPIC = 'rows.changed';

test('the keys of a topic, over the wire: from its end on; a broker that goes and comes back is found', {
  timeout: 60_000,
}, async () => {
  let broker = await createBroker({ log: () => {} });
  broker.createTopic(TOPIC, { partitions: 3 });
  const port = Number(broker.brokers[0].split(':')[1]);
  const send = async (...keys: string[]): Promise<void> => {
    const producer = new Kafka({ brokers: broker.brokers, clientId: 'writer', logLevel: logLevel.NOTHING }).producer();
    await producer.connect();
    await producer.send({ topic: TOPIC, messages: keys.map((key) => ({ key, value: null })) });
    await producer.disconnect();
  };
  const deps = { clock: createSystemClock(), telemetry: new RecordingTelemetry(), random: seeded(1) };
  const connection = { brokers: broker.brokers, clientId: 'changelog', reachWithinMs: 1_000 };
  await send('before');
  const logs = await openChangelogs(
    { ...deps, log: () => createTopicLog(deps, connection) },
    { topics: [TOPIC], everyMs: 20, againAfterMs: 50 },
  );
  try {
    const heard: string[] = [];
    let misses = 0;
    logs.subscribe(TOPIC, { changed: (keys) => void heard.push(...keys.map(String)), missed: () => void misses++ });
    const names = Array.from({ length: 40 }, (_, n) => `row-${n}`);
    await send(...names);
    await until('all keys', () => heard.length >= 40);
    assert.deepEqual([...heard].sort(), [...names].sort());
    const up = deps.telemetry.gauges.get(`sluice_changelog_up{topic=${TOPIC}}`);
    assert.equal(up?.(), 1);

    await broker.close();
    await until('down', () => up?.() === 0);
    assert.ok(deps.telemetry.events.some(({ name }) => name === 'changelog-unread'));
    // The embedded broker forgets with its end what it had: what is there now is another topic.
    broker = await createBroker({ log: () => {}, port });
    broker.createTopic(TOPIC, { partitions: 3 });
    await until('up again', () => up?.() === 1);
    assert.equal(misses, 1);
    await send('after');
    await until('a key of the new topic', () => heard.includes('after'));
  } finally {
    await logs.close();
    await broker.close();
  }
});
