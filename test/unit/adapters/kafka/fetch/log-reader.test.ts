/** A reader without a group: nothing of it stays open, where its first connection fails, or where it is closed in the midst of something. */
import assert from 'node:assert/strict';
import { Socket } from 'node:net';
import { mock, test } from 'node:test';
import { createLogReader } from '../../../../../src/adapters/kafka/fetch/log-reader.ts';
import { createTopicLog } from '../../../../../src/adapters/kafka/topic-log.ts';
import { createBroker } from '../../../../../src/devstack/kafka/broker.ts';
import { createSystemClock } from '../../../../../src/kernel/system-clock.ts';
import { seeded } from '../../../../fixtures/random.ts';
import { quietKafka } from '../../../../fixtures/reader.ts';
import { RecordingTelemetry } from '../../../../fixtures/telemetry.ts';
import { until } from '../../../../fixtures/until.ts';

const API_VERSIONS = 18;

for (const [what, good] of [
  ['the first connection', 0],
  ['the second of two', 1],
] as const) {
  test(`where ${what} failed, the reader closes what it has and connects anew when it is asked again`, async () => {
    let greetings = 0;
    let isAway = true;
    const onRequest = ({ apiKey, clientId }: { readonly apiKey: number; readonly clientId: string }) => {
      if (clientId !== 'reader' || !isAway || apiKey !== API_VERSIONS) return undefined;
      return ++greetings > good ? { closeConnection: true } : undefined;
    };
    const broker = await createBroker({ log: () => {}, hooks: { onRequest } });
    broker.createTopic('t', { partitions: 1 });
    const sockets = new Set<Socket>();
    const { connect } = Socket.prototype;
    const watching = mock.method(Socket.prototype, 'connect', function (this: Socket, ...args: never[]) {
      sockets.add(this);
      return Reflect.apply(connect, this, args);
    });
    const reader = createLogReader(
      { clock: createSystemClock(), random: seeded(1), telemetry: new RecordingTelemetry() },
      { brokers: broker.brokers, clientId: 'reader', reachWithinMs: 0 },
    );
    try {
      await assert.rejects(reader.fetch('t', 0, 0));
      assert.ok(sockets.size > good);
      await until('all sockets are closed', () => [...sockets].every((socket) => socket.destroyed));
      isAway = false;
      assert.deepEqual((await reader.fetch('t', 0, 0))?.messages, []);
      await reader.close();
    } finally {
      await reader.close();
      watching.mock.restore();
      await broker.close();
    }
  });
}

const FETCH = 1;
const LIST_OFFSETS = 2;

for (const [what, asked] of [
  ['a fetch', FETCH],
  ['the first of two questions', LIST_OFFSETS],
] as const) {
  test(`closed in the midst of ${what}, a log connects no more, though its broker is there and it would read on`, async () => {
    let isClosed = false;
    let dialled = 0;
    let closing: Promise<void> | undefined;
    const onRequest = ({ apiKey, clientId }: { readonly apiKey: number; readonly clientId: string }) => {
      if (clientId !== 'reader' || apiKey !== asked || closing !== undefined) return undefined;
      closing = log.close().then(() => {
        isClosed = true;
      });
      // It is under way for as long as it takes to begin with the end.
      return { delayMs: 20 };
    };
    const broker = await createBroker({ log: () => {}, hooks: { onRequest } });
    broker.createTopic('t', { partitions: 1 });
    const producer = quietKafka(broker.brokers.join(','), 'load').producer();
    await producer.connect();
    for (let n = 0; n < 3; n++) await producer.send({ topic: 't', messages: [{ value: 'v'.repeat(500) }] });
    await producer.disconnect();
    const sockets = new Set<Socket>();
    const { connect } = Socket.prototype;
    const watching = mock.method(Socket.prototype, 'connect', function (this: Socket, ...args: never[]) {
      if (closing !== undefined) dialled++;
      sockets.add(this);
      return Reflect.apply(connect, this, args);
    });
    // A batch a fetch.
    const log = createTopicLog(
      { clock: createSystemClock(), random: seeded(1), telemetry: new RecordingTelemetry() },
      { brokers: broker.brokers, clientId: 'reader', reachWithinMs: 0, fetchMaxBytes: 600 },
    );
    try {
      const read = asked === FETCH ? log.read('t', 0, { from: 0, to: 3 }, () => true) : log.extents('t');
      await assert.rejects(read, /closed|connect/);
      await closing;
      assert.ok(isClosed);
      await assert.rejects(log.extents('t'), /is closed, and reads no more/);
      await until('all sockets are closed', () => [...sockets].every((socket) => socket.destroyed), 10_000);
      assert.equal(dialled, 0);
    } finally {
      await log.close();
      watching.mock.restore();
      await broker.close();
    }
  });
}
