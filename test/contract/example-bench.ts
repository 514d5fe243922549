import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { committedOffsets, endOffsets, type ReadRecord, readTopic } from '../fixtures/reader.ts';
import { type Env, ROOT, Sluice, sluice } from '../fixtures/sluice.ts';
import { createUpstream, type Flight, readJsonLines, type Upstream } from '../fixtures/upstream.ts';

/** Kafka, a registry and Bigtable, embedded or real: the addresses and settings that a topology sees. */
export interface Stack {
  /** The settings by which the example finds its services; there are no others. */
  readonly env: {
    readonly KAFKA_BROKERS: string;
    readonly SCHEMA_REGISTRY_URL: string;
    readonly BIGTABLE_EMULATOR_HOST: string;
  };
  createTopic(name: string, partitions: number): Promise<void>;
  stop(): Promise<void>;
}

/** The topics of a topology. */
export interface Topics {
  readonly input: string;
  readonly output: string;
  readonly deadLetter: string;
}

export const TOPOLOGY = 'topologies/flight-delay.yaml';
export const FEATURES = 'examples/flight-delay/features';
export const SHIPPED: Topics = {
  input: 'flights.departed',
  output: 'flights.delay-risk',
  deadLetter: 'flights.dead-letter',
};

export interface Prediction {
  readonly id: number;
  readonly probability: number;
  readonly band: string;
  readonly model: string;
}

/** One stack with the example's features, and what its tests do with it. */
export interface ExampleBench {
  readonly stack: Stack;
  /** Gone at the end. */
  readonly dir: string;
  createTopics(topics: Topics, partitions: number): Promise<void>;
  /** The shipped topology with topics and group of another name, and what `edit` makes of its text. */
  variant(name: string, edit?: (yaml: string) => string): Topics & { readonly file: string };
  upstream(topic: string): Promise<Upstream>;
  /** Stopped at the end, if it still runs then. */
  run(topology?: string, env?: Env): Sluice;
  /** Resolves when outputs and dead letters are as many as this. */
  answered(child: Sluice, topics: Topics, records: number): Promise<void>;
  read(topic: string): Promise<ReadRecord[]>;
  ends(topic: string): Promise<number[]>;
  /** By partition; -1 where nothing is committed. */
  committed(groupId: string, topic: string): Promise<number[]>;
}

/** The bench of one suite, made at its first use. */
export function lazyExample(start: () => Promise<Stack>): () => Promise<ExampleBench> {
  let made: Promise<ExampleBench> | undefined;
  const closers: (() => unknown)[] = [];
  after(async () => {
    for (const close of closers.reverse()) await close();
  });
  return () => {
    made ??= make(start, closers);
    return made;
  };
}

async function make(start: () => Promise<Stack>, closers: (() => unknown)[]): Promise<ExampleBench> {
  const stack = await start();
  closers.push(() => stack.stop());
  const dir = mkdtempSync(join(tmpdir(), 'sluice-example-'));
  closers.push(() => rmSync(dir, { recursive: true }));
  const brokers = stack.env.KAFKA_BROKERS;
  const loaded = await sluice(['features', 'load', TOPOLOGY, FEATURES], stack.env);
  if (loaded.code !== 0) throw new Error(`features load ended with ${loaded.code}: ${loaded.stderr}`);
  const ends = (topic: string) => endOffsets(brokers, topic);

  const bench: ExampleBench = {
    stack,
    dir,
    async createTopics({ input, output, deadLetter }, partitions) {
      for (const topic of [input, output, deadLetter]) await stack.createTopic(topic, partitions);
    },
    variant(name, edit = (yaml) => yaml) {
      const file = join(dir, `${name}.yaml`);
      const yaml = readFileSync(join(ROOT, TOPOLOGY), 'utf8');
      const renamed = yaml.replaceAll('flights.', `${name}.`).replace('group: flight-delay', `group: ${name}`);
      writeFileSync(file, edit(renamed));
      return { file, input: `${name}.departed`, output: `${name}.delay-risk`, deadLetter: `${name}.dead-letter` };
    },
    async upstream(topic) {
      const upstream = await createUpstream(stack.env, topic);
      closers.push(() => upstream.close());
      return upstream;
    },
    run(topology = TOPOLOGY, env = {}) {
      const child = new Sluice(['run', topology, '--listen', '127.0.0.1:0', '--json'], { ...stack.env, ...env });
      closers.push(() => child.stop());
      return child;
    },
    async answered(child, { output, deadLetter }, records) {
      await child.until(`${records} outputs and dead letters`, async () => {
        const there = [...(await ends(output)), ...(await ends(deadLetter))];
        return there.reduce((sum, end) => sum + end, 0) >= records;
      });
    },
    read: (topic) => readTopic(brokers, topic),
    ends,
    committed: (groupId, topic) => committedOffsets(brokers, groupId, topic),
  };
  return bench;
}

/** What `sluice batch` says of these flights, from the feature files: no broker, no store. */
export async function predictedByBatch(file: string, output: string): Promise<Prediction[]> {
  const args = ['batch', TOPOLOGY, '--input', file, '--features', FEATURES, '--output', output];
  const { code, stderr } = await sluice(args);
  if (code !== 0) throw new Error(`batch ended with ${code}: ${stderr}`);
  return readJsonLines<Prediction>(output);
}

export function flights(file: string): Flight[] {
  return readJsonLines<Flight>(file);
}
