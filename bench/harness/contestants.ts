/**
 * The contestants: Sluice and its peers, all configured by the same environment. A peer whose language or client is not installed is
 * left out, with a line that says what is missing.
 */
import type { Workload } from '../workloads/workloads.ts';
import { javaCommand } from './java.ts';
import { nodeCommand, peerCommand } from './node.ts';
import type { Command } from './process.ts';
import { pythonCommand } from './python.ts';

export interface Job {
  readonly workload: Workload;
  readonly brokers: string;
  readonly bigtable: string;
  readonly input: string;
  readonly output: string;
  readonly deadLetter: string;
  readonly group: string;
  readonly records: number;
}

export interface Contestant {
  readonly name: string;
  readonly what: string;
  /** Copies values instead of predictions, so there is nothing to compare. */
  readonly bare?: boolean;
  /** Whose metrics are served: event-loop delay is read there. */
  readonly metrics?: boolean;
  /** What it cannot do. */
  readonly codecs: readonly Workload['codec'][];
  command(job: Job): Promise<Command>;
}

const MODELS = ['light', 'avro', 'json'] as const;
const ANY = ['light', 'avro', 'json', 'enriched'] as const;

export const CONTESTANTS: readonly Contestant[] = [
  {
    name: 'sluice',
    what: 'sluice run',
    metrics: true,
    codecs: ANY,
    command: async (job) =>
      nodeCommand(['src/main.ts', 'run', job.workload.topology, '--listen', '127.0.0.1:0', '--json'], {
        KAFKA_BROKERS: job.brokers,
        BIGTABLE_EMULATOR_HOST: job.bigtable,
        BENCH_DEAD_LETTER: job.deadLetter,
        ...environment(job),
      }),
  },
  {
    name: 'kafkajs-batch',
    what: 'kafkajs eachBatch, avsc, batched session.run',
    codecs: MODELS,
    command: async (job) => nodeCommand(['bench/peers/node/each-batch.ts'], environment(job)),
  },
  {
    name: 'kafkajs-each',
    what: 'kafkajs eachMessage, avsc, session.run a record',
    codecs: MODELS,
    command: async (job) => nodeCommand(['bench/peers/node/each-message.ts'], environment(job)),
  },
  {
    name: 'python',
    what: 'confluent-kafka, numpy decode, onnxruntime batches',
    codecs: MODELS,
    command: async (job) => pythonCommand('bench/peers/python/loop.py', environment(job)),
  },
  {
    name: 'java',
    what: 'KafkaConsumer, onnxruntime batches, KafkaProducer',
    codecs: MODELS,
    command: async (job) => javaCommand('BatchLoop', environment(job)),
  },
  {
    name: 'streams',
    what: 'Kafka Streams, onnxruntime a record',
    codecs: MODELS,
    command: async (job) => javaCommand('StreamsApp', environment(job)),
  },
  {
    name: 'java-bare',
    what: 'KafkaConsumer → KafkaProducer, no model',
    bare: true,
    codecs: ANY,
    command: async (job) => javaCommand('BareLoop', environment(job)),
  },
  {
    name: 'kafkajs-bare',
    what: 'kafkajs copies the topic, with headers, no model',
    bare: true,
    codecs: ANY,
    command: async (job) =>
      nodeCommand(['bench/stock-client.ts', job.brokers, job.input, job.output, String(job.records), 'headers'], {}),
  },
  {
    name: 'platformatic-bare',
    what: '@platformatic/kafka copies the topic, with headers, no model',
    bare: true,
    codecs: ANY,
    command: async (job) => peerCommand('@platformatic/kafka', 'platformatic-bare.ts', environment(job)),
  },
  {
    name: 'sluice-bare',
    what: "Sluice's source → sink, no stages",
    bare: true,
    codecs: ANY,
    command: async (job) => nodeCommand(['bench/limits/copy.ts'], environment(job)),
  },
];

function environment({ workload, ...job }: Job): Record<string, string> {
  return {
    BENCH_BROKERS: job.brokers,
    BENCH_INPUT: job.input,
    BENCH_OUTPUT: job.output,
    BENCH_GROUP: job.group,
    BENCH_MODEL: workload.model,
    BENCH_OUTPUT_NAME: workload.output,
    BENCH_CODEC: workload.codec,
    BENCH_WIDTH: String(workload.width),
    BENCH_SHAPE: (workload.shape ?? [workload.width]).join(','),
    BENCH_BATCH: String(workload.batch),
  };
}
