/**
 * The common setup: one Kafka, one input topic that all contestants read, an output topic for each.
 * All see the same records in the same batches; keys are partitioned as Kafka's own clients do.
 */
import { Kafka, logLevel } from 'kafkajs';
import { partitionOfKey } from '../../src/kernel/bytes/murmur2.ts';
import type { Stack } from '../../test/contract/example-bench.ts';
import { seeded } from '../../test/fixtures/random.ts';
import { until } from '../../test/fixtures/until.ts';
import { startRealStack } from '../../test/integration/real-stack.ts';
import { type Sample, samples } from '../workloads/records.ts';
import type { Workload } from '../workloads/workloads.ts';
import { encodeBatch } from './batches.ts';
import { openWire, type Wire } from './wire.ts';

export const PARTITIONS = 4;
/** As much as an upstream producer sends in one batch when it is busy. */
const BATCH_BYTES = 64 << 10;
const IN_FLIGHT = 8;

export interface Stage {
  readonly stack: Stack;
  /** Resolves when its leaders answer. */
  createTopic(topic: string, settings?: Readonly<Record<string, string>>): Promise<void>;
  readonly wire: Wire;
  readonly brokers: string;
  dropTopic(topic: string): Promise<void>;
  close(): Promise<void>;
}

export async function openStage(): Promise<Stage> {
  const stack = await startRealStack();
  const brokers = stack.env.KAFKA_BROKERS;
  const wire = await openWire(brokers);
  const admin = new Kafka({ brokers: [brokers], logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  return {
    stack,
    async createTopic(topic, settings = {}) {
      const configEntries = Object.entries(settings).map(([name, value]) => ({ name, value }));
      await admin.createTopics({
        waitForLeaders: false,
        topics: [{ topic, numPartitions: PARTITIONS, configEntries }],
      });
      // Metadata name a leader before it has taken over the partition; until then it refuses.
      await until(`the leaders of ${topic} answer`, () =>
        wire.ends(topic, PARTITIONS).then(
          () => true,
          () => false,
        ),
      );
    },
    wire,
    brokers,
    async dropTopic(topic) {
      await admin.deleteTopics({ topics: [topic] });
    },
    async close() {
      wire.close();
      await admin.disconnect();
      await stack.stop();
    },
  };
}

export interface Pool {
  readonly samples: readonly Sample[];
  /** Of each partition. */
  readonly partitions: readonly (readonly Sample[])[];
}

const SEED = 7;

export function poolOf(workload: Workload): Pool {
  const random = seeded(SEED);
  const all = [...samples(workload)];
  const partitions = Array.from({ length: PARTITIONS }, (): Sample[] => []);
  for (const sample of all) {
    const own = partitionOfKey(sample.key, 0, sample.key.length, PARTITIONS);
    partitions[workload.skew > 0 && random() < workload.skew ? 0 : own].push(sample);
  }
  return { samples: all, partitions };
}

/** Fills a topic with at least so many records, and says with how many. */
export async function fill({ createTopic, wire }: Stage, topic: string, pool: Pool, records: number): Promise<number> {
  await createTopic(topic);
  const now = Date.now();
  const batches = pool.partitions.map((partition) =>
    cut(partition).map((part) => ({ part, bytes: encodeBatch(part, now) })),
  );
  let filled = 0;
  const underWay: Promise<void>[] = [];
  for (let i = 0; filled < records; i++) {
    const round = batches.map((of) => (of.length === 0 ? undefined : of[i % of.length]));
    const most = Math.max(...batches.map((of) => of.length));
    // Partitions of unequal size take turns in proportion, so that a skewed topic stays skewed.
    const due = round.map((batch, p) =>
      batch !== undefined && (i * batches[p].length) % most < batches[p].length ? batch : undefined,
    );
    filled += due.reduce((sum, batch) => sum + (batch?.part.length ?? 0), 0);
    underWay.push(
      wire.produce(
        topic,
        due.map((batch) => batch?.bytes),
      ),
    );
    if (underWay.length >= IN_FLIGHT) await underWay.shift();
  }
  await Promise.all(underWay);
  return filled;
}

function cut(records: readonly Sample[]): Sample[][] {
  const parts: Sample[][] = [];
  let bytes = BATCH_BYTES;
  for (const record of records) {
    if (bytes >= BATCH_BYTES) {
      parts.push([]);
      bytes = 0;
    }
    parts[parts.length - 1].push(record);
    bytes += record.value.length + record.key.length + 12;
  }
  return parts;
}
