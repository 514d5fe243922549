/** A reader without a group whose first connection fails: nothing of it stays open, and the next one is made. */
import assert from 'node:assert/strict';
import { Socket } from 'node:net';
import { mock, test } from 'node:test';
import { createLogReader } from '../../../../../src/adapters/kafka/fetch/log-reader.ts';
import { createBroker } from '../../../../../src/devstack/kafka/broker.ts';
import { createSystemClock } from '../../../../../src/kernel/system-clock.ts';
import { seeded } from '../../../../fixtures/random.ts';
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
