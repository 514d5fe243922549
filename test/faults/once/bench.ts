/** An exactly-once pipeline on embedded or real brokers: its topics, its topology file, and what a reader of committed records finds. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Kafka, logLevel } from 'kafkajs';
import { untilLed } from '../../fixtures/leaders.ts';
import { ROOT } from '../../fixtures/sluice.ts';
import { until } from '../../fixtures/until.ts';
import { openReader, type Seen, stockCluster } from '../read.ts';

export interface OnceBench {
  readonly brokers: string;
  readonly group: string;
  readonly input: string;
  readonly output: string;
  readonly deadLetter: string;
  /** The topology file. */
  readonly file: string;
  /** By partition; -1: none. */
  committed(): Promise<number[]>;
  /** What readers of committed records see. */
  outputs(): Promise<Seen[]>;
  deadLetters(): Promise<Seen[]>;
  /** Partitions of outputs and dead letters whose last stable offset is not their end, as `topic/partition: LSO of END`. */
  unstable(): Promise<string[]>;
  close(): Promise<void>;
}

export interface OnceOptions {
  readonly name: string;
  readonly inputPartitions: number;
  readonly outputPartitions: number;
  readonly delivery?: 'exactly-once' | 'at-least-once';
  readonly latencyBudget?: string;
}

const READ_UNCOMMITTED = 0;
const READ_COMMITTED = 1;
const LATEST = -1;

export async function openOnceBench(brokers: string, options: OnceOptions): Promise<OnceBench> {
  const { name, inputPartitions, outputPartitions, delivery = 'exactly-once', latencyBudget = '20ms' } = options;
  const group = name;
  const [input, output, deadLetter] = [`${name}.in`, `${name}.out`, `${name}.dead`];
  const admin = new Kafka({ brokers: brokers.split(','), logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  for (const [topic, numPartitions] of [
    [input, inputPartitions],
    [output, outputPartitions],
    [deadLetter, 1],
  ] as const) {
    await admin.createTopics({ waitForLeaders: false, topics: [{ topic, numPartitions }] });
    await untilLed(admin, topic, numPartitions);
  }
  await admin.disconnect();
  const folder = await mkdtemp(join(tmpdir(), 'sluice-once-'));
  const file = join(folder, `${name}.yaml`);
  await writeFile(
    file,
    `topology: ${name}
connections:
  kafka: { brokers: "${brokers}", sessionTimeout: 2s }
source:
  topics: [${input}]
  group: ${group}
  value: { json: ${join(ROOT, 'schemas/flight-departed.avsc')} }
model: { bundle: ${join(ROOT, 'models/hello')} }
flow: { latencyBudget: ${latencyBudget}, drain: 5s, delivery: ${delivery} }
output:
  topic: ${output}
  key: "{id}"
  value: { json: ${join(ROOT, 'schemas/hello-late.avsc')} }
  fields: { id: event.id, probability: prediction.probability }
deadLetter: { topic: ${deadLetter} }
`,
  );
  const cluster = stockCluster(brokers) as unknown as OffsetLister;
  await cluster.connect();
  // A topic that one node has just made is unknown to the others for a moment.
  await until('every node knows the topics', () =>
    cluster.addMultipleTargetTopics([input, output, deadLetter]).then(
      () => true,
      () => false,
    ),
  );
  const positions = openReader(brokers);

  async function ends(topic: string, isolationLevel: number): Promise<number[]> {
    const found: number[] = [];
    for (const { partitionId, leader } of cluster.findTopicPartitionMetadata(topic)) {
      const broker = await cluster.findBroker({ nodeId: leader });
      const topics = [{ topic, partitions: [{ partition: partitionId, timestamp: LATEST }] }];
      const { responses } = await broker.listOffsets({ replicaId: -1, isolationLevel, topics });
      found[partitionId] = Number(responses[0].partitions[0].offset);
    }
    return found;
  }

  async function readAll(topic: string): Promise<Seen[]> {
    const reader = openReader(brokers, { isolation: 'committed' });
    try {
      return await reader.readOn(topic);
    } finally {
      await reader.close();
    }
  }

  return {
    brokers,
    group,
    input,
    output,
    deadLetter,
    file,
    committed: () => positions.committed(group, input),
    outputs: () => readAll(output),
    deadLetters: () => readAll(deadLetter),
    async unstable() {
      const found: string[] = [];
      // Leaders may have moved.
      await cluster.refreshMetadata();
      for (const topic of [output, deadLetter]) {
        const [all, stable] = [await ends(topic, READ_UNCOMMITTED), await ends(topic, READ_COMMITTED)];
        all.forEach((end, partition) => {
          if (stable[partition] !== end) found.push(`${topic}/${partition}: ${stable[partition]} of ${end}`);
        });
      }
      return found;
    },
    async close() {
      await positions.close();
      await cluster.disconnect();
      await rm(folder, { recursive: true });
    },
  };
}

/** What of the stock client has no public name and answers with the last stable offset. */
interface OffsetLister {
  connect(): Promise<void>;
  disconnect(): Promise<void>;
  refreshMetadata(): Promise<void>;
  addMultipleTargetTopics(topics: readonly string[]): Promise<void>;
  findTopicPartitionMetadata(topic: string): readonly { readonly partitionId: number; readonly leader: number }[];
  findBroker(request: { readonly nodeId: number }): Promise<{
    listOffsets(request: object): Promise<{ responses: { partitions: { offset: string }[] }[] }>;
  }>;
}
