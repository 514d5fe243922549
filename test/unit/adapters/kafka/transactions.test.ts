import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Kafka } from 'kafkajs';
import type { Acknowledged } from '../../../../src/adapters/kafka/produce/wire.ts';
import { isTakenOver } from '../../../../src/adapters/kafka/transaction/producer.ts';
import type { Producer, TransactionWire } from '../../../../src/adapters/kafka/transaction/wire.ts';
import { createKafkaTransactions } from '../../../../src/adapters/kafka/transactions.ts';
import type { Origin } from '../../../../src/kernel/frame.ts';
import { RecordSlab } from '../../../../src/kernel/record-slab.ts';
import type { Part, Published } from '../../../../src/ports/transactions.ts';
import { FakeClock } from '../../../fixtures/clock.ts';
import { RecordingTelemetry } from '../../../fixtures/telemetry.ts';

/** An answer of a broker, or a connection that broke: `type` undefined. */
function brokerError(type?: string): Error {
  const name = type === undefined ? 'KafkaJSConnectionClosedError' : 'KafkaJSProtocolError';
  return Object.assign(new Error(type ?? 'Closed connection'), { name, type });
}

type Step = 'initProducer' | 'addPartitions' | 'addOffsets' | 'commitOffset' | 'produce' | 'end' | 'committed';

/** What a cluster keeps of one input partition's transactions: who may write, what is open, what is committed. */
class FakeCluster {
  epoch = 0;
  committedOffset = -1;
  readonly values: string[] = [];
  readonly calls: Step[] = [];
  private pending: { values: string[]; offset: number | undefined } | undefined;
  /** Before a step takes effect, or behind it: then it was done, and the answer is lost. */
  private faults: { readonly step: Step; readonly when: 'before' | 'after'; readonly error: Error }[] = [];
  acknowledge = (answers: Acknowledged[]): Acknowledged[] => answers;

  fail(step: Step, when: 'before' | 'after', error: Error = brokerError()): void {
    this.faults.push({ step, when, error });
  }

  private async at<T>(step: Step, effect: () => T): Promise<T> {
    this.calls.push(step);
    this.raise(step, 'before');
    const answer = effect();
    this.raise(step, 'after');
    return answer;
  }

  private raise(step: Step, when: 'before' | 'after'): void {
    const found = this.faults.findIndex((fault) => fault.step === step && fault.when === when);
    if (found >= 0) throw this.faults.splice(found, 1)[0].error;
  }

  private check({ producerEpoch }: Producer): void {
    if (producerEpoch !== this.epoch) throw brokerError('INVALID_PRODUCER_EPOCH');
  }

  wire(): TransactionWire {
    const of = (producer: Producer) => {
      this.check(producer);
      this.pending ??= { values: [], offset: undefined };
      return this.pending;
    };
    return {
      open: async () => undefined,
      close: async () => undefined,
      forget: () => undefined,
      initProducer: (id) =>
        this.at('initProducer', () => {
          this.pending = undefined;
          return { id, producerId: '7', producerEpoch: ++this.epoch };
        }),
      addPartitions: (producer) => this.at('addPartitions', () => void of(producer)),
      addOffsets: (producer) => this.at('addOffsets', () => void of(producer)),
      commitOffset: (producer, _group, _topic, _partition, offset) =>
        this.at('commitOffset', () => {
          of(producer).offset = offset;
        }),
      produce: (producer, parts) =>
        this.at('produce', () => {
          for (const { rows, from, to } of parts) {
            for (let i = from; i < to; i++) {
              of(producer).values.push(rows.arena.toString('utf8', rows.valueStart[i], rows.valueEnd[i]));
            }
          }
          const acknowledged = { errorCode: 0, baseOffset: '0', logAppendTime: '-1' };
          return this.acknowledge(
            parts.map(({ topic, partition }) => ({ topicName: topic, partition, ...acknowledged })),
          );
        }),
      end: (producer) =>
        this.at('end', () => {
          const { values, offset } = of(producer);
          this.values.push(...values);
          this.committedOffset = offset as number;
          this.pending = undefined;
        }),
      committed: () => this.at('committed', () => this.committedOffset),
    };
  }
}

/** Only topics are asked for through it. */
function fakeKafka(): Kafka {
  const admin = {
    connect: async () => undefined,
    disconnect: async () => undefined,
    fetchTopicMetadata: async () => ({ topics: [{ partitions: [{}, {}] }] }),
    describeConfigs: async () => ({
      resources: [{ configEntries: [{ configName: 'max.message.bytes', configValue: '2000' }] }],
    }),
  };
  return { admin: () => admin } as unknown as Kafka;
}

async function open(cluster = new FakeCluster()) {
  const clock = new FakeClock();
  const telemetry = new RecordingTelemetry();
  const sink = createKafkaTransactions(
    { clock, telemetry, random: () => 0.5, createClient: fakeKafka, createWire: () => cluster.wire() },
    { brokers: ['b:1'], clientId: 'test', groupId: 'g' },
  );
  await sink.open(['out']);
  const origin: Origin = { topic: 'in', partition: 0, epoch: 1 };
  /** Rows with the values [from, to). */
  const publish = (from: number, to: number, by = origin): Promise<Published> =>
    clock.run(sink.publish({ origin: by, parts: parts(from, to), nextOffset: to }));
  const counted = (result: string): number => telemetry.count('sluice_transactions_total', { result });
  return { cluster, clock, telemetry, sink, origin, publish, counted };
}

function parts(from: number, to: number): Part[] {
  const rows = new RecordSlab(4, 64);
  for (let at = from; at < to; at++) rows.append(1, null, Buffer.from(String(at)), null);
  return [{ topic: 'out', partition: 1, rows }];
}

const numbers = (count: number): string[] => Array.from({ length: count }, (_, n) => String(n));
const STEPS: readonly Step[] = ['addOffsets', 'addPartitions', 'produce', 'commitOffset', 'end'];

for (const step of STEPS) {
  for (const when of ['before', 'after'] as const) {
    test(`${step} fails ${when} it took effect: the same again is committed once, through a new epoch`, async () => {
      const { cluster, sink, origin, publish, counted } = await open();
      await sink.take([origin]);
      assert.equal(await publish(0, 3), 'committed');
      cluster.fail(step, when);
      await assert.rejects(publish(3, 6), { code: 'broker-unavailable' });
      assert.equal(cluster.epoch, 1, 'the next epoch is begun by the next call: it may never come');
      assert.equal(await publish(3, 6), 'committed');
      assert.equal(cluster.epoch, 2);
      assert.deepEqual(cluster.values, numbers(6));
      assert.equal(cluster.committedOffset, 6);
      assert.deepEqual([counted('committed'), counted('failed'), counted('lost')], [2, 1, 0]);
    });
  }
}

for (const step of ['initProducer', 'committed'] as const) {
  test(`${step} fails while a doubt is cleared up: the doubt stays until it is`, async () => {
    for (const ended of ['before', 'after'] as const) {
      const { cluster, sink, origin, publish } = await open();
      await sink.take([origin]);
      cluster.fail('end', ended);
      await assert.rejects(publish(0, 3), { disposition: 'retry' });
      cluster.fail(step, 'before');
      cluster.fail(step, 'after');
      await assert.rejects(publish(0, 3), { disposition: 'retry' });
      await assert.rejects(publish(0, 3), { disposition: 'retry' });
      assert.equal(await publish(0, 3), 'committed');
      assert.equal(await publish(3, 5), 'committed');
      assert.deepEqual(cluster.values, numbers(5));
    }
  });
}

test('a producer that was replaced publishes nothing, raises no epoch, and stays lost', async () => {
  const { cluster, sink, origin, publish, counted } = await open();
  await sink.take([origin]);
  const other = await open(cluster);
  await other.sink.take([other.origin]);
  assert.equal(await publish(0, 3), 'lost');
  assert.equal(await publish(0, 3), 'lost');
  assert.equal(cluster.epoch, 2, 'who took over is left alone');
  assert.equal(await other.publish(0, 4), 'committed');
  assert.deepEqual(cluster.values, numbers(4));
  assert.equal(counted('lost'), 1);
});

test('in doubt, and somebody went on meanwhile: lost, and who went on begins anew without a duplicate', async () => {
  for (const end of [3, 5]) {
    const { cluster, sink, origin, publish } = await open();
    await sink.take([origin]);
    cluster.fail('end', 'before');
    await assert.rejects(publish(0, 3), { disposition: 'retry' });
    const other = await open(cluster);
    await other.sink.take([other.origin]);
    assert.equal(await other.publish(0, end), 'committed');
    // Where it ends by chance at the same offset, its records are published all the same: once, by the other one.
    assert.equal(await publish(0, 3), end === 3 ? 'committed' : 'lost');
    assert.equal(await other.publish(end, end + 1), 'lost');
    const again: Origin = { ...other.origin, epoch: 2 };
    await other.sink.take([again]);
    assert.equal(await other.publish(end, end + 1, again), 'committed');
    assert.deepEqual(cluster.values, numbers(end + 1));
  }
});

test('the broker is still busy with the transaction before: only what opens the next one is asked again', async () => {
  const { cluster, clock, sink, origin, publish, telemetry } = await open();
  cluster.fail('initProducer', 'before', brokerError('CONCURRENT_TRANSACTIONS'));
  await clock.run(sink.take([origin]));
  for (const step of ['addOffsets', 'addPartitions', 'addPartitions'] as const) {
    cluster.fail(step, 'before', brokerError('CONCURRENT_TRANSACTIONS'));
  }
  assert.equal(await publish(0, 2), 'committed');
  assert.equal(cluster.epoch, 1);
  assert.equal(cluster.calls.filter((step) => step === 'produce').length, 1);
  assert.equal(telemetry.count('sluice_transactions_total', { result: 'failed' }), 0);
});

test('a refused record is told as one, leaves nothing behind, and less of it goes through', async () => {
  const { cluster, sink, origin, publish } = await open();
  await sink.take([origin]);
  cluster.fail('produce', 'before', brokerError('INVALID_TIMESTAMP'));
  await assert.rejects(publish(0, 4), { code: 'record-refused', disposition: 'dead-letter' });
  assert.equal(await publish(0, 2), 'committed');
  const rows = new RecordSlab(1, 3000);
  rows.append(1, null, Buffer.alloc(3000), null);
  const before = cluster.calls.length;
  await assert.rejects(sink.publish({ origin, parts: [{ topic: 'out', partition: 0, rows }], nextOffset: 3 }), {
    code: 'record-too-large',
  });
  assert.equal(cluster.calls.length, before, 'for that no broker is asked');
  assert.equal(await publish(2, 4), 'committed');
  assert.deepEqual(cluster.values, numbers(4));
});

test('a topic that a broker does not know is waited for: it may have just begun', async () => {
  const { cluster, sink, origin, publish } = await open();
  await sink.take([origin]);
  for (const step of ['addPartitions', 'produce'] as const) {
    cluster.fail(step, 'before', brokerError('UNKNOWN_TOPIC_OR_PARTITION'));
    await assert.rejects(publish(0, 2), { code: 'broker-rejected', disposition: 'retry' });
  }
  assert.equal(await publish(0, 2), 'committed');
  assert.deepEqual(cluster.values, numbers(2));
});

test('an acknowledgement that leaves a partition out commits nothing', async () => {
  const { cluster, sink, origin, publish } = await open();
  await sink.take([origin]);
  cluster.acknowledge = () => [];
  await assert.rejects(publish(0, 2), { code: 'broker-rejected' });
  assert.deepEqual([cluster.values, cluster.committedOffset], [[], -1]);
  cluster.acknowledge = (answers) => answers;
  assert.equal(await publish(0, 2), 'committed');
});

test('a position by itself needs no partition; sequences go on within an epoch', async () => {
  const { cluster, sink, origin, publish } = await open();
  await sink.take([origin]);
  assert.equal(await sink.publish({ origin, parts: [], nextOffset: 9 }), 'committed');
  assert.deepEqual(cluster.calls.slice(-3), ['addOffsets', 'commitOffset', 'end']);
  assert.equal(await publish(9, 10), 'committed');
});

test('released, taken by nobody, or taken again: only the last owner publishes', async () => {
  const { sink, origin, publish } = await open();
  assert.equal(await publish(0, 1), 'lost');
  await sink.take([origin]);
  const next: Origin = { ...origin, epoch: 2 };
  await sink.take([next]);
  sink.release(origin);
  assert.equal(await publish(0, 1, origin), 'lost');
  assert.equal(await publish(0, 1, next), 'committed');
  sink.release(next);
  assert.equal(await publish(1, 2, next), 'lost');
});

test('take goes on asking for a while, and says at once what is no use asking again', async () => {
  const { cluster, clock, sink, origin } = await open();
  cluster.fail('initProducer', 'before');
  cluster.fail('committed', 'before', brokerError('NOT_COORDINATOR_FOR_GROUP'));
  await clock.run(sink.take([origin]));
  cluster.fail('initProducer', 'before', brokerError('TRANSACTIONAL_ID_AUTHORIZATION_FAILED'));
  await assert.rejects(clock.run(sink.take([origin])), { code: 'broker-refused' });
});

test('what is under way may end before the connections are closed', async () => {
  const { cluster, clock, sink, origin } = await open();
  await sink.take([origin]);
  const call = sink.publish({ origin, parts: parts(0, 2), nextOffset: 2 });
  await clock.run(sink.close());
  assert.equal(await call, 'committed');
  assert.deepEqual(cluster.values, numbers(2));
});

test('only errors of a fenced epoch count as taken over', () => {
  assert.equal(isTakenOver(brokerError('INVALID_PRODUCER_EPOCH')), true);
  assert.equal(isTakenOver(brokerError('INVALID_TXN_STATE')), false);
  assert.equal(isTakenOver(brokerError()), false);
});
