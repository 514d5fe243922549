import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import kafkajs, { CompressionTypes } from 'kafkajs';
import { createBroker } from '../../src/devstack/kafka/broker.ts';
import { REASONS } from '../../src/kernel/fate.ts';
import { lazyBench, numbered } from './bench-broker.ts';

/** Record batches that the stock client does not write, over the wire: in other codecs, and unreadable. */
const LIMIT = { timeout: 30_000 };

type Compress = (bytes: Buffer) => Buffer;

/** Snappy's raw format: a length, then literals. */
const snappy: Compress = (bytes) => {
  const tag = Buffer.alloc(3);
  tag[0] = 61 << 2;
  tag.writeUInt16LE(bytes.length - 1, 1);
  return Buffer.concat([Buffer.from([(bytes.length & 127) | 128, bytes.length >> 7]), tag, bytes]);
};

/** An LZ4 frame of one block that is stored as it is. */
const lz4: Compress = (bytes) => {
  const frame = Buffer.alloc(11 + bytes.length + 4);
  frame.writeUInt32LE(0x184d2204, 0);
  frame[4] = 0x60;
  frame[5] = 0x40;
  frame[6] = 0x82;
  frame.writeUInt32LE((bytes.length | 0x80000000) >>> 0, 7);
  bytes.copy(frame, 11);
  return frame;
};

describe('record batches', () => {
  const bench = lazyBench(async () => {
    const broker = await createBroker({ log: () => {} });
    return { brokers: broker.brokers.join(','), minSessionMs: 600, stop: () => broker.close() };
  });

  /** Sends a batch in a codec that the stock client cannot write by itself. */
  async function sendIn(codec: CompressionTypes, compress: Compress, topic: string, count: number): Promise<void> {
    const { kafka } = await bench();
    const table: Record<number, () => object> = kafkajs.CompressionCodecs;
    const before = table[codec];
    table[codec] = () => ({ compress: async (encoder: { buffer: Buffer }) => compress(encoder.buffer) });
    const producer = kafka.producer({ createPartitioner: () => () => 0 });
    await producer.connect();
    await producer.send({ topic, compression: codec, messages: numbered(count, 1) });
    table[codec] = before;
    await producer.send({ topic, messages: numbered(2, 1) });
    await producer.disconnect();
  }

  test('row 20: batches in snappy and LZ4 are read', LIMIT, async () => {
    const { fresh, topic, member } = await bench();
    const name = await topic(1);
    await sendIn(CompressionTypes.Snappy, snappy, name, 20);
    await sendIn(CompressionTypes.LZ4, lz4, name, 20);
    const reader = member({ topics: [name], groupId: fresh('group') });
    await reader.start();
    await reader.until(() => reader.rows().length === 44);
    assert.ok(reader.frames.every(({ reason }) => reason.every((code) => REASONS[code] === 'none')));
    const [{ arena, keyStart, keyEnd, valueStart, valueEnd }] = reader.frames;
    assert.equal(arena.toString('utf8', keyStart[0], keyEnd[0]), 'k0');
    assert.equal(arena.toString('utf8', valueStart[0], valueEnd[0]), 'v0');
  });

  test('row 17: an unreadable batch comes by reference, and the partition goes on', LIMIT, async () => {
    const { fresh, topic, member } = await bench();
    const name = await topic(1);
    await sendIn(CompressionTypes.Snappy, (bytes) => bytes, name, 3);
    const reader = member({ topics: [name], groupId: fresh('group') });
    await reader.start();
    await reader.until(() => reader.rows().length === 5);
    assert.deepEqual(
      reader.frames.flatMap(({ reason }) => Array.from(reason, (code) => REASONS[code])),
      ['batch-unreadable', 'batch-unreadable', 'batch-unreadable', 'none', 'none'],
    );
    const [told] = reader.telemetry.eventsNamed('batch-unreadable');
    assert.deepEqual(told, { topic: name, partition: 0, offset: 0, error: 'is not valid snappy' });
    assert.equal(reader.failures.length, 0);
  });
});
