import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type Broker,
  type BrokerPool,
  type Connection,
  guardConnection,
  guardPool,
  guardProduce,
} from '../../../../../src/adapters/kafka/client/network.ts';
import { FakeClock } from '../../../../fixtures/clock.ts';

class Lost extends Error {
  override readonly name = 'KafkaJSConnectionError';
}

/** A class as the client has it, guarded, and an instance of it. */
function guarded(own: Partial<Connection>) {
  const clock = new FakeClock();
  const hungUp = new WeakSet<Connection>();
  const log: string[] = [];
  const prototype = {
    connect: async () => log.push('dialled'),
    disconnect: async () => log.push('gone'),
    send: async () => 'answer',
    rejectRequests: (error: Error) => log.push(`rejected: ${error.message}`),
    ...own,
  } as unknown as Connection;
  guardConnection(prototype, { Lost, clock, hungUp }, 1_000);
  const connection: Connection = Object.assign(Object.create(prototype), {
    host: 'kafka',
    port: 9092,
    connectionStatus: 'connected',
    chunks: [Buffer.from('half an answer')],
    bytesBuffered: 14,
    bytesNeeded: 1_000,
    socket: { destroy: () => log.push('destroyed') },
    requestQueue: { destroy: () => undefined, inflight: new Map() },
  });
  return { clock, hungUp, log, connection };
}

const timedOut = (): Error => Object.assign(new Error('timed out'), { name: 'KafkaJSRequestTimeoutError' });
const call = { request: { apiKey: 0 } };

test('a request that runs out of time ends its connection, and with it all that waits behind it', async () => {
  const { connection, log, hungUp } = guarded({ send: async () => Promise.reject(timedOut()) });
  await assert.rejects(connection.send(call), { name: 'KafkaJSConnectionError' });
  assert.equal(connection.connectionStatus, 'disconnected');
  assert.deepEqual(log, ['rejected: a request ran out of time; hung up on kafka:9092', 'destroyed']);
  assert.ok(hungUp.has(connection));
});

test('a dead socket is let go before the client disconnects again, and leaves a listener on it', async () => {
  const { connection } = guarded({});
  const alive = connection.socket;
  await connection.disconnect();
  assert.equal(connection.socket, alive);
  connection.socket = { destroyed: true, destroy: () => undefined };
  await connection.disconnect();
  assert.equal(connection.socket, null);
});

test('the connection that took its place in the meantime is left alone', async () => {
  let fail = (): void => undefined;
  const send = () =>
    new Promise<never>((_, reject) => {
      fail = () => reject(timedOut());
    });
  const { connection, log } = guarded({ send });
  const sent = connection.send(call);
  Object.assign(connection, { socket: { destroy: () => log.push('the new one destroyed') } });
  fail();
  await assert.rejects(sent, { name: 'KafkaJSConnectionError' });
  assert.deepEqual(log, []);
});

test('behind a request that may take longer, only the one that ran out of time fails', async () => {
  const late = () => Promise.reject(Object.assign(timedOut(), { correlationId: 7 }));
  const { connection, log } = guarded({ send: late });
  const inflight = connection.requestQueue.inflight as Map<number, unknown>;
  inflight.set(6, 'a join');
  inflight.set(8, 'what came after');
  await assert.rejects(connection.send(call), { name: 'KafkaJSConnectionError' });
  assert.deepEqual(log, []);
  inflight.delete(6);
  await assert.rejects(connection.send(call), { name: 'KafkaJSConnectionError' });
  assert.equal(log.at(-1), 'destroyed');
});

test('other failures are passed on as they are', async () => {
  const refused = new Error('not the leader');
  const { connection, log } = guarded({ send: async () => Promise.reject(refused) });
  await assert.rejects(connection.send(call), refused);
  assert.deepEqual(log, []);
});

test('requests that wait for a log of the coordinator have longer than others', async () => {
  const given: unknown[] = [];
  const { connection } = guarded({ send: async ({ requestTimeout }) => given.push(requestTimeout) });
  const [produce, offsetCommit, heartbeat, joinGroup] = [0, 8, 12, 11];
  await connection.send({ request: { apiKey: produce } });
  await connection.send({ request: { apiKey: offsetCommit } });
  await connection.send({ request: { apiKey: heartbeat }, requestTimeout: null });
  await connection.send({ request: { apiKey: joinGroup }, requestTimeout: 65_000 });
  assert.deepEqual(given, [0, 10_000, 10_000, 65_000]);
});

test('a connection begins with an empty buffer, and calls at the same time dial once', async () => {
  const { connection, log } = guarded({});
  await Promise.all([connection.connect(), connection.connect()]);
  assert.deepEqual([connection.chunks, connection.bytesBuffered, connection.bytesNeeded], [[], 0, 4]);
  assert.deepEqual(log, ['dialled']);
  await connection.connect();
  assert.deepEqual(log, ['dialled', 'dialled']);
});

test('disconnecting waits for what is under way, but not for ever', async () => {
  let end = (): void => undefined;
  const disconnect = () =>
    new Promise<void>((resolve) => {
      end = resolve;
    });
  const { clock, connection, log } = guarded({ disconnect });
  const gone = connection.disconnect();
  await clock.advance(999);
  assert.deepEqual(log, []);
  await clock.advance(1);
  assert.equal(connection.connectionStatus, 'disconnected');
  end();
  await gone;
});

test('a broker that closed a connection is kept: only the metadata counts as old', () => {
  const prototype = { metadataExpireAt: 5, findBroker: async () => ({}) as Broker } as unknown as BrokerPool;
  guardPool(prototype, new WeakSet());
  const pool = Object.assign(Object.create(prototype) as BrokerPool, { brokers: { 1: {} } });
  pool.removeBroker({ host: 'kafka', port: 9092 });
  assert.equal(pool.metadataExpireAt, null);
  assert.deepEqual(pool.brokers, { 1: {} });
});

test('what waited for its turn behind a hang-up fails at once; who chooses the broker after it may send', async () => {
  const hungUp = new WeakSet<Connection>();
  const connection = {} as Connection;
  let produced = 0;
  const prototype = { produce: async () => ++produced } as unknown as Broker;
  guardProduce(prototype, Lost, hungUp);
  const broker: Broker = Object.assign(Object.create(prototype), {
    connectionPool: { host: 'kafka', port: 9092, pool: [connection] },
  });
  const pool = { findBroker: async () => broker } as unknown as BrokerPool;
  guardPool(pool, hungUp);

  await broker.produce({});
  hungUp.add(connection);
  await assert.rejects(broker.produce({}), { name: 'KafkaJSConnectionError' });
  await (await pool.findBroker({ nodeId: '1' })).produce({});
  assert.equal(produced, 2);
});
