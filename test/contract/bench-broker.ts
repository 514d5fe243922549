import { after, afterEach } from 'node:test';
import { type Admin, Kafka, logLevel, type Message } from 'kafkajs';
import { createKafkaSink, type KafkaSinkOptions } from '../../src/adapters/kafka/sink.ts';
import { createSystemClock } from '../../src/kernel/system-clock.ts';
import type { Sink } from '../../src/ports/sink.ts';
import { untilLed } from '../fixtures/leaders.ts';
import { seeded } from '../fixtures/random.ts';
import { RecordingTelemetry } from '../fixtures/telemetry.ts';
import { Member, type MemberOptions } from './member.ts';
import type { BrokerUnderTest } from './source-sink.ts';

/** The stock client beside the adapters, to set up their topics and to check their work. */
export interface Bench {
  readonly broker: BrokerUnderTest;
  readonly brokers: readonly string[];
  readonly kafka: Kafka;
  readonly admin: Admin;
  /** The name of a new topic or group. */
  fresh(what: string): string;
  topic(partitions: number, configs?: Record<string, string>): Promise<string>;
  produce(topic: string, messages: Message[]): Promise<void>;
  committed(groupId: string, topic: string): Promise<number[]>;
  member(options: Omit<MemberOptions, 'brokers'>): Member;
  sink(options?: Partial<KafkaSinkOptions>): { readonly sink: Sink; readonly telemetry: RecordingTelemetry };
}

/** Over all suites of a process, which may share one broker. */
let names = 0;

/** The bench of one suite, made on first use; members and sinks live as long as their test. */
export function lazyBench(start: () => Promise<BrokerUnderTest>): () => Promise<Bench> {
  let made: Promise<Bench> | undefined;
  const closers: (() => Promise<void>)[] = [];
  const closersOfTest: (() => Promise<void>)[] = [];
  afterEach(async () => {
    for (const close of closersOfTest.splice(0)) await close();
  });
  after(async () => {
    for (const close of closers.reverse()) await close();
  });
  return () => {
    made ??= make(start, closers, closersOfTest);
    return made;
  };
}

async function make(
  start: () => Promise<BrokerUnderTest>,
  closers: (() => Promise<void>)[],
  closersOfTest: (() => Promise<void>)[],
): Promise<Bench> {
  const broker = await start();
  closers.push(() => broker.stop());
  const brokers = broker.brokers.split(',');
  const kafka = new Kafka({ brokers, clientId: 'bench', logLevel: logLevel.NOTHING });
  const admin = kafka.admin();
  await admin.connect();
  closers.push(() => admin.disconnect());
  const producer = kafka.producer({
    idempotent: true,
    createPartitioner:
      () =>
      ({ message }) =>
        message.partition as number,
  });
  await producer.connect();
  closers.push(() => producer.disconnect());
  const run = process.pid.toString(36) + Math.floor(performance.timeOrigin % 1e9).toString(36);
  const fresh = (what: string): string => `${what}-${run}-${++names}`;

  return {
    broker,
    brokers,
    kafka,
    admin,
    fresh,
    async topic(partitions, configs = {}) {
      const topic = fresh('topic');
      const configEntries = Object.entries(configs).map(([name, value]) => ({ name, value }));
      await admin.createTopics({
        waitForLeaders: false,
        topics: [{ topic, numPartitions: partitions, replicationFactor: 1, configEntries }],
      });
      await untilLed(admin, topic, partitions);
      return topic;
    },
    async produce(topic, messages) {
      // A call over several partitions, right after a topic was made, can write a partition's messages twice: one call each.
      for (const partition of new Set(messages.map((message) => message.partition))) {
        const own = messages.filter((message) => message.partition === partition);
        for (let from = 0; from < own.length; from += 500) {
          await producer.send({ topic, messages: own.slice(from, from + 500) });
        }
      }
    },
    async committed(groupId, topic) {
      const [{ partitions }] = await admin.fetchOffsets({ groupId, topics: [topic] });
      return partitions.sort((a, b) => a.partition - b.partition).map(({ offset }) => Number(offset));
    },
    member(options) {
      const member = new Member({ ...options, brokers });
      closersOfTest.push(() => member.source.close());
      return member;
    },
    sink(options = {}) {
      const telemetry = new RecordingTelemetry();
      const sink = createKafkaSink(
        { clock: createSystemClock(), telemetry, random: seeded(2) },
        { brokers, clientId: 'contract', reachWithinMs: 5_000, ...options },
      );
      closersOfTest.push(() => sink.close());
      return { sink, telemetry };
    },
  };
}

/** Messages 0…n-1, spread over partitions in turn. */
export function numbered(n: number, partitions: number, from = 0): Message[] {
  return Array.from({ length: n }, (_, i) => ({
    partition: (from + i) % partitions,
    key: `k${from + i}`,
    value: `v${from + i}`,
  }));
}
