import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  isCoordinatorLost,
  isFenced,
  isRejoin,
  mayBeWritten,
  translate,
} from '../../../../src/adapters/kafka/client/errors.ts';
import { checkClient, installedClientVersion, producerPath } from '../../../../src/adapters/kafka/client/internals.ts';
import { createKafkaClient } from '../../../../src/adapters/kafka/connection.ts';
import { RecordingTelemetry } from '../../../fixtures/telemetry.ts';

test('the installed client is the one that was read; any other, or one that logs payloads, is refused', () => {
  checkClient({ version: installedClientVersion(), debugProtocolBuffers: false });
  assert.throws(() => checkClient({ version: '2.2.5', debugProtocolBuffers: false }), {
    code: 'client-unsupported',
    message: /kafkajs@2\.2\.4/,
  });
  assert.throws(() => checkClient({ version: '2.2.4', debugProtocolBuffers: true }), {
    code: 'client-unsupported',
    message: /KAFKAJS_DEBUG_PROTOCOL_BUFFERS/,
  });
});

test("another version of the client, or the word stock, writes with the client's own producer; only the version is told", () => {
  const told: string[] = [];
  const path = (version: string, stock = false): string =>
    producerPath({ version, stock, debugProtocolBuffers: false }, () => told.push(version));
  assert.equal(path(installedClientVersion()), 'columnar');
  assert.equal(path(installedClientVersion(), true), 'stock');
  assert.deepEqual(told, []);
  assert.deepEqual([path('2.2.5'), path('2.2.3', true)], ['stock', 'stock']);
  assert.deepEqual(told, ['2.2.5', '2.2.3']);
  assert.throws(() => producerPath({ version: '2.2.5', stock: true, debugProtocolBuffers: true }, assert.fail), {
    code: 'client-unsupported',
    message: /KAFKAJS_DEBUG_PROTOCOL_BUFFERS/,
  });
});

const protocol = (type: string) => Object.assign(new Error('said the broker'), { name: 'KafkaJSProtocolError', type });
const retried = (cause: Error) =>
  Object.assign(new Error(cause.message, { cause }), { name: 'KafkaJSNumberOfRetriesExceeded' });

test('errors of the client become ours by the Kafka error below them', () => {
  for (const [type, code] of [
    ['MESSAGE_TOO_LARGE', 'record-too-large'],
    ['RECORD_LIST_TOO_LARGE', 'record-too-large'],
    ['TOPIC_AUTHORIZATION_FAILED', 'broker-refused'],
    ['UNKNOWN_TOPIC_OR_PARTITION', 'topic-missing'],
    ['NOT_ENOUGH_REPLICAS', 'broker-rejected'],
  ] as const) {
    const error = translate(retried(protocol(type)), 'do it', ['b:1']);
    assert.equal(error.code, code);
    assert.match(error.message, new RegExp(`could not do it: said the broker \\(${type}\\)`));
    assert.ok(error.cause);
  }
  assert.equal(translate(new Error('ECONNREFUSED'), 'x', ['b:1']).code, 'broker-unavailable');
  assert.equal(translate(new TypeError('undefined is not'), 'x', ['b:1']).disposition, 'fatal');
  assert.equal(translate(undefined, 'x', []).code, 'broker-unavailable');
});

test('which errors end a generation, lose a coordinator, or leave a write open', () => {
  assert.ok(isFenced(protocol('ILLEGAL_GENERATION')) && isFenced(protocol('UNKNOWN_MEMBER_ID')));
  assert.ok(!isFenced(protocol('REBALANCE_IN_PROGRESS')) && isRejoin(protocol('REBALANCE_IN_PROGRESS')));
  assert.ok(isCoordinatorLost(protocol('NOT_COORDINATOR_FOR_GROUP')));
  assert.ok(isCoordinatorLost(Object.assign(new Error(), { name: 'KafkaJSConnectionClosedError' })));
  assert.ok(!isCoordinatorLost(protocol('UNKNOWN_MEMBER_ID')));
  for (const type of ['REQUEST_TIMED_OUT', 'NOT_ENOUGH_REPLICAS_AFTER_APPEND', 'NOT_LEADER_FOR_PARTITION', 'UNKNOWN']) {
    assert.ok(mayBeWritten(protocol(type)), type);
  }
  assert.ok(mayBeWritten(new Error('socket closed')));
  const lost = (code?: string) =>
    retried(Object.assign(new Error('no connection'), { name: 'KafkaJSConnectionError', code }));
  assert.ok(mayBeWritten(lost('ECONNRESET')) && mayBeWritten(lost()), 'the answer may have been on its way');
  assert.ok(!mayBeWritten(lost('ECONNREFUSED')), 'nothing was sent, so nothing comes twice');
  for (const type of ['MESSAGE_TOO_LARGE', 'NOT_ENOUGH_REPLICAS', 'OUT_OF_ORDER_SEQUENCE_NUMBER']) {
    assert.ok(!mayBeWritten(protocol(type)), type);
  }
});

test('what the client logs, errors too, is an event for debugging, with nothing but the message', () => {
  const telemetry = new RecordingTelemetry();
  const kafka = createKafkaClient({ brokers: ['b:1'], clientId: 'c' }, telemetry);
  kafka.logger().error('it failed, and is retried', { sasl: 'password' });
  assert.deepEqual(
    telemetry.events.map(({ name }) => name),
    ['kafka-client'],
  );
  assert.equal(telemetry.events[0].fields.severity, 'error');
  assert.ok(!JSON.stringify(telemetry.events).includes('password'));
});

test('what it says of connections that fail is told; other errors are not', () => {
  const told: string[] = [];
  const kafka = createKafkaClient({ brokers: ['b:1'], clientId: 'c' }, new RecordingTelemetry(), (message) => {
    told.push(message);
  });
  kafka.logger().namespace('Connection').error('Connection error: connect ECONNREFUSED 127.0.0.1:1', { secret: 'x' });
  kafka.logger().namespace('Connection').info('connecting');
  kafka.logger().namespace('Runner').error('offset out of range');
  assert.deepEqual(told, ['Connection error: connect ECONNREFUSED 127.0.0.1:1']);
});
