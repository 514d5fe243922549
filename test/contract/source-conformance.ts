import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { CompressionTypes } from 'kafkajs';
import { installCodecs } from '../../src/adapters/kafka/record-batch/compression.ts';
import { DEAD_LETTERED, REASONS } from '../../src/kernel/fate.ts';
import type { Frame } from '../../src/kernel/frame.ts';
import { decodeHeaders } from '../../src/kernel/headers.ts';
import { type Bench, lazyBench, numbered } from './bench-broker.ts';
import type { BrokerUnderTest } from './source-sink.ts';

const LIMIT = { timeout: 60_000 };

/** What a member alone promises: records, positions, credit; a batch at a time, and a message a record. */
export function sourceConformance(name: string, start: () => Promise<BrokerUnderTest>): void {
  conformance(`${name}: source`, start, false);
  conformance(`${name}: source, a message a record`, start, true);
}

function conformance(name: string, start: () => Promise<BrokerUnderTest>, stock: boolean): void {
  describe(name, () => {
    const made = lazyBench(start);
    const bench = async (): Promise<Bench> => {
      const one = await made();
      return { ...one, member: (options) => one.member({ ...options, stock }) };
    };

    test('a record keeps key, value, headers and timestamp; null parts stay null', LIMIT, async () => {
      const { fresh, topic, produce, member } = await bench();
      const name = await topic(1);
      await produce(name, [
        { partition: 0, key: 'k', value: 'v', timestamp: '1700000000123', headers: { a: '1', b: ['2', '3'] } },
        { partition: 0, key: null, value: 'no key', timestamp: '1700000000124' },
        { partition: 0, key: 'no value', value: null, timestamp: '1700000000125' },
        { partition: 0, key: '', value: '', timestamp: '1700000000126' },
      ]);
      const reader = member({ topics: [name], groupId: fresh('group') });
      await reader.start();
      await reader.until(() => reader.rows().length === 4);
      const text = (frame: Frame, starts: Int32Array, ends: Int32Array, i: number): string | null =>
        starts[i] < 0 ? null : frame.arena.toString('utf8', starts[i], ends[i]);
      const seen = reader.frames.flatMap((frame) =>
        Array.from(frame.offsets, (offset, i) => ({
          offset,
          timestamp: frame.timestamps[i],
          key: text(frame, frame.keyStart, frame.keyEnd, i),
          value: text(frame, frame.valueStart, frame.valueEnd, i),
          headers:
            frame.headersStart[i] < 0
              ? []
              : decodeHeaders(frame.arena.subarray(frame.headersStart[i], frame.headersEnd[i])).map(
                  (header) => `${header.name}=${header.value}`,
                ),
        })),
      );
      assert.deepEqual(seen, [
        { offset: 0, timestamp: 1700000000123, key: 'k', value: 'v', headers: ['a=1', 'b=2', 'b=3'] },
        { offset: 1, timestamp: 1700000000124, key: null, value: 'no key', headers: [] },
        { offset: 2, timestamp: 1700000000125, key: 'no value', value: null, headers: [] },
        { offset: 3, timestamp: 1700000000126, key: '', value: '', headers: [] },
      ]);
      assert.deepEqual(reader.failures, []);
    });

    test(
      'frames keep their limits and the order, and the next member goes on where the last one committed',
      LIMIT,
      async () => {
        const { fresh, topic, produce, member, committed } = await bench();
        const name = await topic(2);
        await produce(name, numbered(1_000, 2));
        const groupId = fresh('group');
        const first = member({ topics: [name], groupId, frameRecords: 64 });
        await first.start();
        await first.until(() => first.rows().length === 1_000);
        assert.ok(first.frames.every((frame) => frame.count > 0 && frame.count <= 64));
        assert.equal(first.credit.records, 0, 'what was charged came back');
        await first.commit();
        assert.deepEqual(await committed(groupId, name), [500, 500]);
        assert.deepEqual(
          first.source.lag().map(({ records, seconds }) => [records, seconds]),
          [
            [0, 0],
            [0, 0],
          ],
        );
        await first.source.close();
        await produce(name, numbered(10, 2, 1_000));
        const second = member({ topics: [name], groupId });
        await second.start();
        await second.until(() => second.rows().length >= 10);
        assert.deepEqual(
          second.rows().sort(),
          [500, 501, 502, 503, 504].flatMap((offset) => [`${name}/0@${offset}`, `${name}/1@${offset}`]).sort(),
        );
      },
    );

    test('unsettled records are not read again by the same member, and nothing comes after halt', LIMIT, async () => {
      const { fresh, topic, produce, member } = await bench();
      const name = await topic(1);
      await produce(name, numbered(100, 1));
      const reader = member({ topics: [name], groupId: fresh('group') });
      reader.settling = 'never';
      await reader.start();
      await reader.until(() => reader.rows().length === 100);
      await reader.source.halt();
      assert.equal(reader.source.health().ready, false);
      await produce(name, numbered(100, 1));
      await reader.source.close();
      assert.equal(reader.rows().length, 100);
      assert.equal(new Set(reader.rows()).size, 100);
    });

    test('without credit nothing is handed over; with credit everything is, once', LIMIT, async () => {
      const { fresh, topic, produce, member } = await bench();
      const name = await topic(2);
      await produce(name, numbered(500, 2));
      const credit = { maxRecords: 100, maxBytes: 1 << 20 };
      const reader = member({ topics: [name], groupId: fresh('group'), credit, frameRecords: 40 });
      reader.settling = 'never';
      await reader.start();
      await reader.until(() => reader.rows().length >= 80);
      while (new Set(reader.rows()).size < 500) {
        // Until it waits for more than it has.
        while (reader.credit.waiting === 0) await nextTurn();
        assert.ok(reader.credit.records > 60 && reader.credit.records <= 100);
        const before = reader.rows().length;
        reader.settleHeld();
        await reader.until(() => reader.rows().length > before);
        if (reader.rows().length > 460) break;
      }
      reader.settling = 'now';
      reader.settleHeld();
      await reader.until(() => reader.rows().length === 500);
      assert.equal(new Set(reader.rows()).size, 500);
      assert.ok(reader.telemetry.count('sluice_pauses_total', { reason: 'credit' }) > 0);
    });

    test('a record larger than the whole credit comes by reference', LIMIT, async () => {
      const { fresh, topic, produce, member } = await bench();
      const name = await topic(1);
      await produce(name, [
        { partition: 0, value: 'small' },
        { partition: 0, key: 'big', value: Buffer.alloc(5_000) },
        { partition: 0, value: 'small' },
      ]);
      const credit = { maxRecords: 100, maxBytes: 4_096 };
      const reader = member({ topics: [name], groupId: fresh('group'), credit });
      await reader.start();
      await reader.until(() => reader.rows().length === 3);
      const [frame] = reader.frames;
      assert.deepEqual([...frame.fate], [0, DEAD_LETTERED, 0]);
      assert.equal(REASONS[frame.reason[1]], 'too-large');
      assert.equal(frame.valueBytes[1], 5_000);
      assert.equal(frame.valueStart[1], -1);
    });

    test('offsets that are gone: earliest starts a new epoch at the first left, fail reports it', LIMIT, async () => {
      const { fresh, topic, produce, member, admin } = await bench();
      const name = await topic(1);
      const groupId = fresh('group');
      await produce(name, numbered(10, 1));
      const early = member({ topics: [name], groupId, frameRecords: 2 });
      early.settling = 'never';
      await early.start();
      await early.until(() => early.rows().length === 10);
      early.settle(early.frames[0]);
      await early.commit();
      await early.source.close();
      // The stock client finds leaders only of topics that it has read something about.
      await admin.fetchTopicOffsets(name);
      await admin.deleteTopicRecords({ topic: name, partitions: [{ partition: 0, offset: '6' }] });
      const strict = member({ topics: [name], groupId, from: 'fail' });
      await strict.start();
      await strict.until(() => strict.failures.length > 0);
      assert.equal(strict.failures[0].code, 'offset-out-of-range');
      assert.match(strict.failures[0].message, new RegExp(`offset 2 of ${name}/0`));
      assert.deepEqual(strict.rows(), []);
      await strict.source.close();
      const reader = member({ topics: [name], groupId, from: 'earliest' });
      await reader.start();
      await reader.until(() => reader.rows().length === 4);
      assert.deepEqual(
        reader.rows(),
        [6, 7, 8, 9].map((offset) => `${name}/0@${offset}`),
      );
      assert.equal(reader.telemetry.count('sluice_offset_resets_total', { policy: 'earliest' }), 1);
      assert.equal(reader.assigned.length, 2);
      assert.deepEqual(reader.revoked, [reader.assigned[0]]);
    });

    test('with nothing committed, latest pins the end and fail refuses to start', LIMIT, async () => {
      const { fresh, topic, produce, member, committed } = await bench();
      const name = await topic(1);
      await produce(name, numbered(5, 1));
      await assert.rejects(member({ topics: [name], groupId: fresh('group'), from: 'fail' }).start(), {
        code: 'offset-out-of-range',
        message: /no committed offset for .*begin once with/,
      });
      const groupId = fresh('group');
      const reader = member({ topics: [name], groupId, from: 'latest' });
      await reader.start();
      assert.deepEqual(await committed(groupId, name), [5], 'a crash now would otherwise skip what comes next');
      await produce(name, numbered(2, 1));
      await reader.until(() => reader.rows().length === 2);
      assert.deepEqual(reader.rows(), [`${name}/0@5`, `${name}/0@6`]);
    });

    test('gzip and zstd batches are read', LIMIT, async () => {
      const { fresh, topic, kafka, member } = await bench();
      installCodecs();
      const name = await topic(1);
      const producer = kafka.producer({ createPartitioner: () => () => 0 });
      await producer.connect();
      for (const compression of [CompressionTypes.GZIP, CompressionTypes.ZSTD]) {
        await producer.send({ topic: name, compression, messages: numbered(50, 1) });
      }
      await producer.disconnect();
      const reader = member({ topics: [name], groupId: fresh('group') });
      await reader.start();
      await reader.until(() => reader.rows().length === 100);
      const [{ arena, keyStart, keyEnd, valueStart, valueEnd }] = reader.frames;
      assert.equal(arena.toString('utf8', keyStart[0], keyEnd[0]), 'k0');
      assert.equal(arena.toString('utf8', valueStart[0], valueEnd[0]), 'v0');
    });

    test('a batch that inflates without bounds comes by reference, and later records are read', LIMIT, async () => {
      const { fresh, topic, kafka, member } = await bench();
      const name = await topic(1);
      const producer = kafka.producer({ createPartitioner: () => () => 0 });
      await producer.connect();
      const value = Buffer.alloc(40 << 20);
      await producer.send({ topic: name, compression: CompressionTypes.GZIP, messages: [{ value }, { value }] });
      await producer.send({ topic: name, compression: CompressionTypes.GZIP, messages: numbered(3, 1) });
      await producer.disconnect();
      const reader = member({ topics: [name], groupId: fresh('group') });
      await reader.start();
      await reader.until(() => reader.rows().length === 5);
      assert.deepEqual(
        reader.rows(),
        [0, 1, 2, 3, 4].map((offset) => `${name}/0@${offset}`),
      );
      assert.deepEqual(
        reader.frames.flatMap(({ fate, reason }) => Array.from(fate, (_, i) => REASONS[reason[i]])),
        ['too-large', 'too-large', 'none', 'none', 'none'],
      );
      assert.equal(reader.telemetry.eventsNamed('batch-unreadable').length, 1);
    });

    test('control records and aborted transactions are stepped over, and committed', LIMIT, async () => {
      const { fresh, topic, kafka, member, committed } = await bench();
      const name = await topic(1);
      const producer = kafka.producer({
        transactionalId: fresh('txn'),
        maxInFlightRequests: 1,
        idempotent: true,
        createPartitioner: () => () => 0,
      });
      await producer.connect();
      for (const end of ['commit', 'abort', 'commit', 'abort'] as const) {
        const transaction = await producer.transaction();
        await transaction.send({ topic: name, messages: numbered(2, 1) });
        await transaction[end]();
      }
      await producer.disconnect();
      const groupId = fresh('group');
      const reader = member({ topics: [name], groupId });
      await reader.start();
      await reader.until(() => reader.rows().length === 4);
      assert.deepEqual(
        reader.rows(),
        [0, 1, 6, 7].map((offset) => `${name}/0@${offset}`),
      );
      await reader.until(() => reader.source.lag()[0].records === 0);
      await reader.commit();
      assert.deepEqual(await committed(groupId, name), [12]);
    });

    test('a missing topic and an absent cluster are errors that say what to do', LIMIT, async () => {
      const { fresh, member } = await bench();
      await assert.rejects(member({ topics: ['not-there'], groupId: fresh('group') }).start(), {
        code: 'topic-missing',
        message: /"not-there" does not exist .*--create --topic not-there/,
      });
      const { Member } = await import('./member.ts');
      const lost = new Member({ brokers: ['127.0.0.1:1'], topics: ['t'], groupId: 'g', reachWithinMs: 0 });
      await assert.rejects(lost.start(), { code: 'broker-unavailable', message: /127\.0\.0\.1:1/ });
      await lost.source.close();
    });
  });
}
