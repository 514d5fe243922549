import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { test } from 'node:test';
import { createBroker } from '../../../src/devstack/kafka/broker.ts';
import type { Fault, RequestInfo } from '../../../src/devstack/kafka/server.ts';
import { FakeClock, settle } from '../../fixtures/clock.ts';
import {
  batch,
  consume,
  type Decoded,
  fetchFrom,
  gate,
  only,
  producerOf,
  type Stack,
  watchFor,
  wireTo,
  withBroker,
} from './kafka-client.ts';

const FETCH = 1;

async function filled(stack: Stack, topic: string, partitions: number, each: number): Promise<void> {
  stack.broker.createTopic(topic, { partitions });
  const producer = await producerOf(stack);
  for (let partition = 0; partition < partitions; partition++) {
    const messages = Array.from({ length: each }, (_, i) => ({ value: String(i), partition }));
    await producer.send({ topic, messages });
  }
}

test('two consumers share the partitions of a group, and one takes over when the other leaves', () =>
  withBroker({}, async (stack) => {
    await filled(stack, 't', 4, 1);
    const first = await consume(stack, 'g', 't', () => undefined);
    assert.deepEqual((await first.joined).t.toSorted(), [0, 1, 2, 3]);
    const shrunk = gate<number[]>();
    const grown = gate<number[]>();
    first.consumer.on(first.consumer.events.GROUP_JOIN, ({ payload }) => {
      const mine = payload.memberAssignment.t.toSorted();
      if (mine.length === 2) shrunk.open(mine);
      else grown.open(mine);
    });
    const second = await consume(stack, 'g', 't', () => undefined);
    const theirs = (await second.joined).t.toSorted();
    assert.deepEqual([...(await shrunk.opened), ...theirs].toSorted(), [0, 1, 2, 3]);
    await second.consumer.disconnect();
    assert.deepEqual(await grown.opened, [0, 1, 2, 3]);
  }));

test('a group resumes where it committed', () =>
  withBroker({}, async (stack) => {
    await filled(stack, 't', 1, 3);
    const first: string[] = [];
    const { opened, open } = gate();
    const { consumer } = await consume(stack, 'g', 't', (text) => first.push(text) === 3 && open());
    await opened;
    await consumer.commitOffsets([{ topic: 't', partition: 0, offset: '2', metadata: 'note' }]);
    assert.deepEqual(stack.broker.groupOffsets('g'), { t: { 0: 2 } });
    const admin = stack.kafka.admin();
    await admin.connect();
    stack.onEnd(() => admin.disconnect());
    const fetched = await admin.fetchOffsets({ groupId: 'g' });
    assert.deepEqual(fetched, [{ topic: 't', partitions: [{ partition: 0, offset: '2', metadata: 'note' }] }]);
    const [described] = (await admin.describeGroups(['g'])).groups;
    assert.deepEqual([described.state, described.protocolType, described.members.length], ['Stable', 'consumer', 1]);
    await consumer.disconnect();
    const node = await wireTo(stack); // kafkajs takes five seconds to do this
    const topics = [{ topic: 't', partitions: [{ partition: 0, offset: '1', metadata: null }] }];
    await node.call('offsetCommit', 5, { groupId: 'g', groupGenerationId: -1, memberId: '', topics });
    const second = gate<string>();
    await consume(stack, 'g', 't', second.open);
    assert.equal(await second.opened, '0:1:1');
  }));

test('a commit of a member that was replaced is fenced; of an unknown partition refused; of no member allowed', () =>
  withBroker({}, async (stack) => {
    stack.broker.createTopic('t');
    const node = await wireTo(stack);
    const topics = (partition: number, offset: string) => [
      { topic: 't', partitions: [{ partition, offset, metadata: null }] },
    ];
    const commit = async (memberId: string, groupGenerationId: number, partition = 0, offset = '7') => {
      const fields = { groupId: 'g', groupGenerationId, memberId, topics: topics(partition, offset) };
      return (await node.call('offsetCommit', 5, fields)).responses[0].partitions[0].errorCode;
    };
    assert.equal(await commit('', -1), 0, 'nobody is in the group');
    assert.equal(await commit('', -1, 9), 3);
    const profile = { groupId: 'g', sessionTimeout: 10_000, rebalanceTimeout: 10_000, protocolType: 'consumer' };
    const groupProtocols = [{ name: 'range', metadata: Buffer.from('m') }];
    const asked = await node.call('joinGroup', 5, { ...profile, memberId: '', groupProtocols });
    assert.equal(asked.errorCode, 79);
    const { memberId } = asked;
    const joined = await node.call('joinGroup', 5, { ...profile, memberId, groupProtocols });
    assert.deepEqual([joined.errorCode, joined.generationId, joined.leaderId], [0, 1, memberId]);
    assert.equal(joined.members[0].memberMetadata.toString(), 'm');
    const groupAssignment = [{ memberId, memberAssignment: Buffer.from('all') }];
    const synced = await node.call('syncGroup', 3, { groupId: 'g', generationId: 1, memberId, groupAssignment });
    assert.equal(synced.memberAssignment.toString(), 'all');
    assert.equal(await commit(memberId, 1, 0, '8'), 0);
    assert.equal(await commit(memberId, 0), 22);
    assert.equal(await commit('stranger', 1), 25);
    assert.equal(await commit('', -1), 25);
    assert.deepEqual(stack.broker.groupOffsets('g'), { t: { 0: 8 } });
    assert.equal((await node.call('leaveGroup', 1, { groupId: 'g', memberId })).errorCode, 0);
    assert.equal((await node.call('heartbeat', 3, { groupId: 'g', groupGenerationId: 1, memberId })).errorCode, 25);
  }));

test('a moved coordinator is found again, and the old one refuses', () =>
  withBroker({ brokers: 2 }, async (stack) => {
    await filled(stack, 't', 1, 1);
    const fields = { groupId: 'g', topics: [{ topic: 't', partitions: [{ partition: 0 }] }] };
    const nodes = [await wireTo(stack, 1), await wireTo(stack, 2)];
    const codes = () => Promise.all(nodes.map(async (node) => (await node.call('offsetFetch', 4, fields)).errorCode));
    for (const [nodeId, expected] of [
      [1, [0, 16]],
      [2, [16, 0]],
    ] as const) {
      stack.broker.moveCoordinator('g', nodeId);
      assert.deepEqual(await codes(), expected);
      const found = await nodes[0].call('findCoordinator', 2, { coordinatorKey: 'g', coordinatorType: 0 });
      assert.equal(found.coordinator.nodeId, nodeId);
    }
    const { opened, open } = gate<string>();
    await consume(stack, 'g', 't', open);
    assert.equal(await opened, '0:0:0');
  }));

test('faults: an error without the work, the work without an answer, a late answer, no connection', () => {
  const faults: Fault[] = [];
  const seen: RequestInfo[] = [];
  const onRequest = (request: RequestInfo) => {
    seen.push(request);
    return faults.shift();
  };
  return withBroker({ hooks: { onRequest } }, async (stack) => {
    stack.broker.createTopic('t');
    let node = await wireTo(stack);
    const send = async () => only(await node.call('produce', 7, batch('t', 0, ['x']))).errorCode;
    const heartbeat = { groupId: 'g', groupGenerationId: 1, memberId: 'm' };
    assert.equal(await send(), 0);
    assert.deepEqual(seen[0], { apiKey: 0, apiVersion: 7, correlationId: 0, clientId: 'wire', nodeId: 1 });
    faults.push({ errorCode: 19 }, { errorCode: 19 }, { errorCode: 19 });
    assert.equal(await send(), 19);
    assert.equal(only(await node.call('fetch', 11, fetchFrom('t', 0, 0))).errorCode, 19);
    assert.equal((await node.call('heartbeat', 3, heartbeat)).errorCode, 19);
    assert.deepEqual(stack.broker.endOffsets('t'), [1]);
    faults.push({ delayMs: 1 });
    assert.equal(await send(), 0);
    faults.push({ dropResponse: true });
    await node.send('produce', 7, batch('t', 0, ['x']));
    const next = only(await node.call('fetch', 11, fetchFrom('t', 0, 0)));
    assert.equal(next.highWatermark, '3', 'appended, and the next answer is that of the fetch');
    faults.push({ closeConnection: true });
    await assert.rejects(send(), /connection closed/);
    assert.deepEqual(stack.broker.endOffsets('t'), [3]);
    node = await wireTo(stack);
    faults.push({ closeConnection: true, dropResponse: true });
    await assert.rejects(send(), /connection closed/);
    assert.deepEqual(stack.broker.endOffsets('t'), [4]);
  });
});

test('calls and versions that it does not know close the connection with a line; ApiVersions says what there is', () =>
  withBroker({}, async (stack) => {
    const node = await wireTo(stack);
    const { apiVersions } = await node.call('apiVersions', 2, {});
    assert.deepEqual(
      apiVersions.find(({ apiKey }: Decoded) => apiKey === 1),
      { apiKey: 1, minVersion: 4, maxVersion: 11 },
    );
    await node.send('fetch', 3, fetchFrom('t', 0, 0));
    await once(node.socket, 'close');
    assert.match(stack.lines[0], /call 1 in version 3/);
    const stranger = connect(Number(stack.broker.brokers[0].split(':')[1]), '127.0.0.1');
    stranger.write('GET / HTTP/1.1\r\n\r\n');
    await once(stranger, 'close');
    assert.match(stack.lines[1], /not a Kafka client/);
  }));

test('ApiVersions in a version that it does not know is answered in the first form with its error', () =>
  withBroker({}, async (stack) => {
    const { socket } = await wireTo(stack);
    socket.write(Buffer.from([0, 0, 0, 10, 0, 18, 0, 3, 0, 0, 0, 9, 0xff, 0xff]));
    const answer = (await once(socket, 'data'))[0] as Buffer;
    assert.equal(answer.readInt32BE(0), answer.length - 4);
    assert.deepEqual([...answer.subarray(4, 10)], [0, 0, 0, 9, 0, 35], 'correlation id, error');
    assert.equal(answer.length, 14 + 6 * answer.readInt32BE(10));
  }));

test('requests that arrive byte by byte, or several in one piece, are cut apart', () =>
  withBroker({}, async (stack) => {
    const { socket } = await wireTo(stack);
    const request = (correlationId: number) => [0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, correlationId, 0xff, 0xff];
    const bytes = Buffer.from([1, 2, 3].flatMap(request));
    socket.setNoDelay(true);
    for (const byte of bytes.subarray(0, 17)) await new Promise((resolve) => socket.write(Buffer.of(byte), resolve));
    socket.write(bytes.subarray(17));
    const ids: number[] = [];
    let pending = Buffer.alloc(0);
    for await (const chunk of socket) {
      pending = Buffer.concat([pending, chunk]);
      while (pending.length >= 4 && pending.length >= 4 + pending.readInt32BE(0)) {
        ids.push(pending.readInt32BE(4));
        pending = pending.subarray(4 + pending.readInt32BE(0));
      }
      if (ids.length === 3) break;
    }
    assert.deepEqual(ids, [1, 2, 3]);
  }));

test('topics: made, described, deleted; a name, a count or a replication that cannot be is refused', () =>
  withBroker({ brokers: 2 }, async (stack) => {
    const { broker, kafka, onEnd } = stack;
    const admin = kafka.admin({ retry: { retries: 0 } });
    await admin.connect();
    onEnd(() => admin.disconnect());
    const configEntries = [{ name: 'max.message.bytes', value: '100' }];
    await admin.createTopics({ topics: [{ topic: 't', numPartitions: 3, replicationFactor: 2, configEntries }] });
    const { topics } = await admin.fetchTopicMetadata({ topics: ['t'] });
    assert.deepEqual(
      topics[0].partitions.map(({ leader }) => leader),
      [1, 2, 1],
    );
    const { resources } = await admin.describeConfigs({ includeSynonyms: false, resources: [{ type: 2, name: 't' }] });
    assert.deepEqual(
      resources[0].configEntries.map(({ configName, configValue }) => [configName, configValue]),
      [['max.message.bytes', '100']],
    );
    const producer = await producerOf(stack, { retry: { retries: 0 } });
    await assert.rejects(producer.send({ topic: 't', messages: [{ value: 'x'.repeat(100), partition: 0 }] }), /larger/);
    assert.deepEqual(broker.endOffsets('t'), [0, 0, 0]);
    const refused = (topic: object) => assert.rejects(admin.createTopics({ topics: [topic as { topic: string }] }));
    await refused({ topic: 'a/b' });
    await refused({ topic: 'u', replicationFactor: 3 });
    await refused({ topic: 'u', numPartitions: 0 });
    await admin.deleteTopics({ topics: ['t'] });
    assert.deepEqual(broker.endOffsets('t'), []);
    await assert.rejects(producer.send({ topic: 'u', messages: [{ value: 'x' }] }), /does not host this topic/);
    assert.deepEqual(broker.endOffsets('u'), [], 'topics are not made on the way');
  }));

test('close ends waiting calls and open connections', async () => {
  const { seen, hooks } = watchFor(FETCH);
  const broker = await createBroker({ hooks });
  broker.createTopic('t');
  const closers: (() => Promise<unknown>)[] = [];
  const node = await wireTo({ broker, onEnd: (close) => void closers.push(close) });
  const waiting = node.call('fetch', 11, fetchFrom('t', 0, 0, { maxWaitTime: 600_000 }));
  const ended = assert.rejects(waiting, /connection closed/);
  await seen;
  await broker.close();
  await ended;
  for (const close of closers) await close();
});

test('a port that is taken is an error that names it, and leaves nothing listening', () =>
  withBroker({}, async ({ broker }) => {
    const port = Number(broker.brokers[0].split(':')[1]);
    await assert.rejects(createBroker({ port }), new RegExp(`127.0.0.1:${port}`));
  }));

test('a client that goes leaves no waiting fetch behind', { timeout: 10_000 }, () => {
  const clock = new FakeClock();
  const { seen, hooks } = watchFor(FETCH);
  return withBroker({ hooks, after: (delayMs, fire) => clock.after(delayMs, fire) }, async (stack) => {
    stack.broker.createTopic('t');
    const node = await wireTo(stack);
    await node.send('fetch', 11, fetchFrom('t', 0, 0, { maxWaitTime: 600_000 }));
    await seen;
    assert.equal(clock.timers, 1);
    node.socket.destroy();
    while (clock.timers > 0) await settle();
  });
});
