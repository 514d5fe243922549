import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createTopicLog } from '../../src/adapters/kafka/topic-log.ts';
import { createSystemClock } from '../../src/kernel/system-clock.ts';
import type { TopicLog } from '../../src/ports/topic-log.ts';
import { seeded } from '../fixtures/random.ts';
import { RecordingTelemetry } from '../fixtures/telemetry.ts';
import { lazyBench, numbered } from './bench-broker.ts';
import type { BrokerUnderTest } from './source-sink.ts';

const LIMIT = { timeout: 60_000 };

/** What topics read without a group promise. */
export function topicLogConformance(name: string, start: () => Promise<BrokerUnderTest>): void {
  describe(`${name}: topic log`, () => {
    const bench = lazyBench(start);

    async function withLog(brokers: readonly string[], work: (log: TopicLog) => Promise<void>): Promise<void> {
      const deps = { clock: createSystemClock(), telemetry: new RecordingTelemetry(), random: seeded(3) };
      // A few records a fetch: what holds between two fetches holds.
      const log = createTopicLog(deps, { brokers, clientId: 'log', reachWithinMs: 5_000, fetchMaxBytes: 600 });
      try {
        await work(log);
      } finally {
        await log.close();
      }
    }

    async function offsets(log: TopicLog, topic: string): Promise<number[]> {
      const found: number[] = [];
      const [range] = await log.extents(topic);
      await log.read(topic, 0, { from: range.start, to: range.end }, ({ offset }) => found.push(offset) > 0);
      return found;
    }

    test('records come whole, in order, until the visitor stops', LIMIT, async () => {
      const { brokers, topic, produce } = await bench();
      const at = await topic(1);
      const headers = { second: 'b', first: ['a', Buffer.from([0xff])] };
      for (const message of numbered(40, 1)) await produce(at, [{ ...message, headers, timestamp: '1700000000000' }]);
      await withLog(brokers, async (log) => {
        assert.deepEqual(await log.extents(at), [{ start: 0, end: 40 }]);
        const seen: number[] = [];
        let visiting = 0;
        const ended = await log.read(
          at,
          0,
          { from: 5, to: 40 },
          async ({ offset, key, value, headers: had, ...rest }) => {
            assert.equal(++visiting, 1, 'the next record waits until this one is done with');
            await new Promise(setImmediate);
            visiting--;
            seen.push(offset);
            assert.deepEqual([String(key), String(value)], [`k${offset}`, `v${offset}`]);
            assert.deepEqual(rest, { partition: 0, timestampMs: 1_700_000_000_000 });
            assert.deepEqual(
              had.map((header) => [header.name, header.value?.toString('latin1')]),
              [
                ['second', 'b'],
                ['first', 'a'],
                ['first', '\xff'],
              ],
            );
            return offset < 29;
          },
        );
        assert.equal(ended, 30);
        assert.deepEqual(
          seen,
          Array.from({ length: 25 }, (_, i) => i + 5),
        );
        assert.equal(await log.read(at, 0, { from: 30, to: 35 }, () => true), 35);
      });
    });

    test('records deleted during reading are left out, and those after them are read', LIMIT, async () => {
      const { brokers, topic, produce } = await bench();
      const at = await topic(1);
      for (const message of numbered(40, 1)) await produce(at, [message]);
      await withLog(brokers, async (log) => {
        const seen: number[] = [];
        const ended = await log.read(at, 0, { from: 0, to: 40 }, async ({ offset }) => {
          if (offset === 0) await log.truncate(at, 0, 37);
          seen.push(offset);
          return true;
        });
        assert.equal(ended, 40);
        assert.deepEqual(seen.slice(-3), [37, 38, 39]);
        assert.ok(seen.length < 40);
        assert.deepEqual(await offsets(log, at), [37, 38, 39]);
      });
    });

    test('records of aborted transactions are left out, even where transactions overlap', LIMIT, async () => {
      const { brokers, topic, kafka, fresh } = await bench();
      const at = await topic(1);
      const producers = [0, 1].map((k) =>
        kafka.producer({ transactionalId: fresh(`txn${k}`), maxInFlightRequests: 1, idempotent: true }),
      );
      for (const producer of producers) await producer.connect();
      const send = (value: string) => ({ topic: at, messages: [{ partition: 0, value }] });
      // The first to begin is the last to end: brokers name them in the order of their ends.
      const first = await producers[0].transaction();
      await first.send(send('aborted'));
      const second = await producers[1].transaction();
      await second.send(send('aborted'));
      await second.abort();
      await first.send(send('aborted'));
      await first.abort();
      const third = await producers[0].transaction();
      await third.send(send('committed'));
      await third.commit();
      for (const producer of producers) await producer.disconnect();
      await withLog(brokers, async (log) => {
        const values: string[] = [];
        const [{ start: from, end: to }] = await log.extents(at);
        await log.read(at, 0, { from, to }, ({ value }) => values.push(String(value)) > 0);
        assert.deepEqual(values, ['committed']);
      });
    });

    test('a time maps to an offset in each partition, and topics can be listed', LIMIT, async () => {
      const { brokers, topic, produce } = await bench();
      const at = await topic(2);
      const startMs = 1_700_000_000_000;
      for (const [n, message] of numbered(10, 1).entries()) {
        await produce(at, [{ ...message, partition: 1, timestamp: String(startMs + 1000 * n) }]);
      }
      await withLog(brokers, async (log) => {
        assert.deepEqual(await log.offsetsAt(at, startMs + 3_500), [0, 4]);
        assert.deepEqual(await log.offsetsAt(at, startMs - 1), [0, 0]);
        assert.deepEqual(await log.offsetsAt(at, startMs + 60_000), [0, 10]);
        const names = await log.topics();
        assert.ok(names.includes(at));
        assert.ok(!names.some((name) => name.startsWith('__')));
        await assert.rejects(log.offsetsAt('not-there', 0), { code: 'topic-missing' });
      });
    });

    test('a missing topic is an error that says what to do', LIMIT, async () => {
      const { brokers } = await bench();
      await withLog(brokers, (log) => assert.rejects(log.extents('not-there'), { code: 'topic-missing' }));
    });
  });
}
