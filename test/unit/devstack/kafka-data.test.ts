import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { CompressionTypes } from 'kafkajs';
import { batch, consume, fetchFrom, gate, only, producerOf, watchFor, wireTo, withBroker } from './kafka-client.ts';

const FETCH = 1;

test('keys, values, headers, nulls and timestamps come back as they were sent, plain and with gzip', () =>
  withBroker({}, async (stack) => {
    const { broker, kafka, onEnd } = stack;
    const admin = kafka.admin();
    await admin.connect();
    onEnd(() => admin.disconnect());
    assert.equal(await admin.createTopics({ topics: [{ topic: 't', numPartitions: 2 }] }), true);
    assert.equal(await admin.createTopics({ topics: [{ topic: 't' }] }), false, 'it exists');
    const producer = await producerOf(stack);
    const messages = [
      { key: 'k', value: 'v', headers: { h: Buffer.from([1, 2]), many: ['a', 'b'] }, timestamp: '1000', partition: 1 },
      { key: null, value: null, timestamp: '2000', partition: 1 },
      { key: 'ü', value: 'x'.repeat(5000), timestamp: '3000', partition: 1 },
    ];
    await producer.send({ topic: 't', messages });
    await producer.send({ topic: 't', messages, compression: CompressionTypes.GZIP });
    assert.deepEqual(broker.endOffsets('t'), [0, 6]);
    assert.equal(broker.read('t', 1).length, 2, 'two batches');

    const consumer = kafka.consumer({ groupId: 'g', maxWaitTimeInMs: 50 });
    await consumer.connect();
    onEnd(() => consumer.disconnect());
    await consumer.subscribe({ topic: 't', fromBeginning: true });
    const seen: unknown[] = [];
    const { opened, open } = gate();
    await consumer.run({
      eachMessage: async ({ message: { offset, key, value, timestamp, headers } }) => {
        const entries = Object.entries(headers ?? {}).map(([name, value]) => [name, String(value)]);
        seen.push([offset, key?.toString(), value?.toString(), timestamp, entries]);
        if (seen.length === 6) open();
      },
    });
    await opened;
    const expected = (offset: number) => [
      [
        `${offset}`,
        'k',
        'v',
        '1000',
        [
          ['h', '\u0001\u0002'],
          ['many', 'a,b'],
        ],
      ],
      [`${offset + 1}`, undefined, undefined, '2000', []],
      [`${offset + 2}`, 'ü', 'x'.repeat(5000), '3000', []],
    ];
    assert.deepEqual(seen, [...expected(0), ...expected(3)]);
  }));

test('offsets are found by time inside plain batches, by batch if they are packed, and at both ends', () =>
  withBroker({}, async (stack) => {
    const { broker, kafka, onEnd } = stack;
    broker.createTopic('t', { partitions: 1 });
    const producer = await producerOf(stack);
    const at = (...times: number[]) => times.map((time) => ({ value: 'v', timestamp: `${time}`, partition: 0 }));
    await producer.send({ topic: 't', messages: at(1000, 2000, 3000) });
    await producer.send({ topic: 't', messages: at(4000, 5000), compression: CompressionTypes.GZIP });
    const admin = kafka.admin();
    await admin.connect();
    onEnd(() => admin.disconnect());
    const find = async (time: number) => (await admin.fetchTopicOffsetsByTimestamp('t', time))[0].offset;
    assert.deepEqual(await Promise.all([0, 1000, 1001, 3000, 3500, 4001].map(find)), ['0', '0', '1', '2', '3', '3']);
    assert.equal(await find(9999), '5', 'after the last: kafkajs takes the end');
    const node = await wireTo(stack);
    const listed = async (timestamp: number) => {
      const topics = [{ topic: 't', partitions: [{ partition: 0, timestamp }] }];
      const response = await node.call('listOffsets', 2, { replicaId: -1, isolationLevel: 1, topics });
      return response.responses[0].partitions[0];
    };
    assert.deepEqual(await listed(2500), { partition: 0, errorCode: 0, timestamp: '3000', offset: '2' });
    assert.deepEqual(await listed(9999), { partition: 0, errorCode: 0, timestamp: '-1', offset: '-1' });
    await admin.deleteTopicRecords({ topic: 't', partitions: [{ partition: 0, offset: '2' }] });
    assert.equal((await listed(-2)).offset, '2');
    assert.equal((await listed(-1)).offset, '5');
  }));

test('an idempotent producer: a repeated batch gets its first offset, a gap and an old epoch are refused', () =>
  withBroker({}, async (stack) => {
    stack.broker.createTopic('t');
    const node = await wireTo(stack);
    const { producerId } = await node.call('initProducerId', 1, { transactionalId: null, transactionTimeout: 1000 });
    const send = async (values: string[], firstSequence: number, producerEpoch = 0) => {
      const fields = batch('t', 0, values, { producerId, producerEpoch, firstSequence });
      const { errorCode, baseOffset, logAppendTime } = only(await node.call('produce', 7, fields)) as Record<
        string,
        unknown
      >;
      return [errorCode, baseOffset, logAppendTime];
    };
    assert.deepEqual(await send(['a', 'b'], 0), [0, '0', '-1']);
    assert.deepEqual(await send(['c'], 2), [0, '2', '-1']);
    assert.deepEqual(
      await send(['a', 'b'], 0),
      [0, '0', '1000'],
      'a duplicate: the original offset, a time that betrays it',
    );
    assert.deepEqual(await send(['e'], 4), [45, '-1', '-1'], 'sequence 3 is missing');
    assert.deepEqual(await send(['d'], 0, 1), [0, '3', '-1'], 'a new epoch starts at 0');
    assert.deepEqual(await send(['x'], 3, 0), [47, '-1', '-1'], 'the old epoch is fenced');
    for (let i = 1; i <= 5; i++) assert.deepEqual(await send(['f'], i, 1), [0, String(3 + i), '-1']);
    assert.deepEqual(await send(['d'], 0, 1), [45, '-1', '-1'], 'six batches ago: no longer remembered');
    assert.deepEqual(stack.broker.endOffsets('t'), [9]);
  }));

test('a kafkajs idempotent producer goes on after its answer was lost, without a second copy', () => {
  let lose = 1;
  const hooks = {
    onRequest: ({ apiKey }: { apiKey: number }) =>
      apiKey === 0 && lose-- > 0 ? { dropResponse: true, closeConnection: true } : undefined,
  };
  return withBroker({ hooks }, async (stack) => {
    stack.broker.createTopic('t');
    const producer = await producerOf(stack, { idempotent: true, retry: { initialRetryTime: 1 } });
    for (const value of ['a', 'b']) await producer.send({ topic: 't', messages: [{ value, partition: 0 }] });
    assert.deepEqual(stack.broker.endOffsets('t'), [2]);
  });
});

test('damaged, foreign and oversized batches are refused and not stored', () =>
  withBroker({ maxMessageBytes: 1000 }, async (stack) => {
    stack.broker.createTopic('t');
    const node = await wireTo(stack);
    const code = async (fields: object) => only(await node.call('produce', 7, fields)).errorCode;
    assert.equal(await code(batch('t', 0, ['x'.repeat(990)])), 10);
    assert.equal(await code(batch('nope', 0, ['x'])), 3);
    assert.equal(await code(batch('t', 0, ['x'], { acks: 2 })), 21);
    const marker = Buffer.from('marker!!');
    const write = node.socket.write.bind(node.socket);
    node.socket.write = ((frame: Buffer) => {
      frame[frame.indexOf(marker)] ^= 1; // one bit of the value, after the checksum was taken
      return write(frame);
    }) as typeof write;
    assert.equal(await code(batch('t', 0, [marker])), 2);
    assert.deepEqual(stack.broker.endOffsets('t'), [0]);
  }));

test('a fetch behind the end or before the start is out of range; at the end it waits for enough bytes', () =>
  withBroker({}, async (stack) => {
    stack.broker.createTopic('t');
    const [reader, writer] = [await wireTo(stack), await wireTo(stack)];
    const fetched = async (offset: number, more = {}) =>
      only(await reader.call('fetch', 11, fetchFrom('t', 0, offset, more)));
    assert.equal((await fetched(1)).errorCode, 1);
    const patient = { maxWaitTime: 600_000 };
    const waiting = fetched(0, patient);
    await writer.call('produce', 7, batch('t', 0, ['hello']));
    const { errorCode, highWatermark, messages } = await waiting;
    assert.deepEqual([errorCode, highWatermark, messages.map(String).length], [0, '1', 1]);
    const forMore = fetched(1, { ...patient, minBytes: 150 });
    await writer.call('produce', 7, batch('t', 0, ['1']));
    await writer.call('produce', 7, batch('t', 0, ['2']));
    await writer.call('produce', 7, batch('t', 0, ['3']));
    assert.ok((await forMore).messages.length >= 2, 'one batch of about 70 bytes was not enough');
    await writer.call('deleteRecords', 1, { topics: [{ topic: 't', partitions: [{ partition: 0, offset: '3' }] }] });
    assert.equal((await fetched(0)).errorCode, 1);
    assert.equal((await fetched(3)).lastStartOffset, '3');
  }));

test('a fetch gives whole batches up to its limits, and always the first one', () =>
  withBroker({}, async (stack) => {
    stack.broker.createTopic('t');
    const node = await wireTo(stack);
    for (let i = 0; i < 40; i++) await node.call('produce', 7, batch('t', 0, ['x'.repeat(1000)]));
    const count = async (offset: number, maxBytes: number) => {
      const response = await node.call('fetch', 11, fetchFrom('t', 0, offset, { maxBytes }));
      const { messages } = response.responses[0].partitions[0];
      assert.equal(messages.length === 0 || messages[0].offset === String(offset), true);
      return messages.length;
    };
    const size = stack.broker.read('t', 0)[0].length;
    assert.equal(await count(0, 10), 1);
    assert.equal(await count(0, 3 * size), 3);
    assert.equal(await count(14, 4 * size - 1), 3, 'in the middle');
    assert.equal(await count(0, 1 << 20), 40);
    assert.equal(await count(39, 1 << 20), 1);
    assert.equal(await count(40, 1 << 20), 0);
  }));

test('each node serves the partitions it leads; a moved leader is found again', () => {
  const { seen: fetchArrived, hooks } = watchFor(FETCH);
  return withBroker({ brokers: 3, hooks }, async (stack) => {
    const { broker } = stack;
    broker.createTopic('t', { partitions: 4 });
    const nodes = await Promise.all([1, 2, 3].map((id) => wireTo(stack, id)));
    const codes = async (partition: number) =>
      Promise.all(
        nodes.map(async (node) => only(await node.call('produce', 7, batch('t', partition, ['x']))).errorCode),
      );
    assert.deepEqual(await codes(1), [6, 0, 6]);
    assert.deepEqual(await codes(3), [0, 6, 6]);
    const waiting = nodes[1].call('fetch', 11, fetchFrom('t', 1, 1, { maxWaitTime: 600_000 }));
    await fetchArrived;
    broker.moveLeader('t', 1, 3);
    assert.equal(only(await waiting).errorCode, 6, 'a waiting fetch hears of it');
    assert.deepEqual(await codes(1), [6, 6, 0]);
    const producer = await producerOf(stack, { retry: { initialRetryTime: 1 } });
    for (const leader of [1, 2, 3]) {
      broker.moveLeader('t', 0, leader);
      await producer.send({ topic: 't', messages: [{ value: 'x', partition: 0 }] });
    }
    assert.deepEqual(broker.endOffsets('t'), [3, 2, 0, 1]);
    const seen: string[] = [];
    const { opened, open } = gate();
    const take = (text: string) => seen.push(text) === 6 && open();
    await consume(stack, 'g', 't', take);
    await opened;
    assert.deepEqual(seen.toSorted(), ['0:0:x', '0:1:x', '0:2:x', '1:0:x', '1:1:x', '3:0:x']);
  });
});

test('without acknowledgement nothing is answered; a failure closes the connection', () =>
  withBroker({}, async (stack) => {
    stack.broker.createTopic('t');
    const node = await wireTo(stack);
    await node.send('produce', 7, batch('t', 0, ['x'], { acks: 0 }));
    const { responses } = await node.call('fetch', 11, fetchFrom('t', 0, 0));
    assert.equal(responses[0].partitions[0].highWatermark, '1', 'requests are worked off in order');
    await node.send('produce', 7, batch('nope', 0, ['x'], { acks: 0 }));
    await once(node.socket, 'close');
    assert.match(stack.lines.join(), /failed with error 3/);
  }));
