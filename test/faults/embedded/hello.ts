/** The smallest pipeline on embedded brokers, as faults need it: short sessions, its own topics, numbered flights. */
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { createBroker, type EmbeddedBroker } from '../../../src/devstack/kafka/broker.ts';
import type { Hooks } from '../../../src/devstack/kafka/server.ts';
import { quietKafka } from '../../fixtures/reader.ts';
import type { Watched } from '../ledger.ts';

export interface Flight {
  readonly id: number;
  readonly distance: number;
}

export interface Hello {
  readonly broker: EmbeddedBroker;
  readonly watched: Watched;
  /** The topology file. */
  readonly file: string;
  readonly env: Readonly<Record<string, string>>;
  /** Flight `id` goes to partition `id` modulo their number. */
  produce(flights: readonly Flight[]): Promise<void>;
}

export interface HelloOptions {
  readonly partitions?: number;
  readonly sessionTimeout?: string;
  readonly drain?: string;
  readonly maxInFlight?: number;
  readonly brokers?: number;
  readonly hooks?: Hooks;
}

/** Ends with the test. */
export async function startHello(context: TestContext, options: HelloOptions = {}): Promise<Hello> {
  const { partitions = 3, sessionTimeout = '1s', drain = '5s', maxInFlight = 2_000, brokers = 1, hooks } = options;
  const broker = await createBroker({ log: () => {}, brokers, hooks });
  context.after(() => broker.close());
  const folder = await mkdtemp(join(tmpdir(), 'sluice-hello-'));
  context.after(() => rm(folder, { recursive: true }));
  const name = `hello-${randomUUID().slice(0, 8)}`;
  const watched = {
    brokers: broker.brokers.join(','),
    group: name,
    inputs: [`${name}.in`],
    output: `${name}.out`,
    deadLetter: `${name}.dead`,
  };
  for (const topic of [...watched.inputs, watched.output, watched.deadLetter])
    broker.createTopic(topic, { partitions });
  const file = join(folder, 'hello.yaml');
  await writeFile(
    file,
    `topology: ${name}
connections:
  kafka: { brokers: "${watched.brokers}", sessionTimeout: ${sessionTimeout} }
source:
  topics: [${watched.inputs[0]}]
  group: ${watched.group}
  from: earliest
  value: { json: ${join(process.cwd(), 'schemas/flight-departed.avsc')} }
model: { bundle: ${join(process.cwd(), 'models/hello')} }
flow:
  latencyBudget: 50ms
  drain: ${drain}
  maxInFlight: { records: ${maxInFlight}, bytes: 16MiB }
output:
  topic: ${watched.output}
  key: "{id}"
  value: { json: ${join(process.cwd(), 'schemas/hello-late.avsc')} }
  fields: { id: event.id, probability: prediction.probability }
deadLetter: { topic: ${watched.deadLetter} }
`,
  );
  const producer = quietKafka(watched.brokers, 'load').producer({
    createPartitioner:
      () =>
      ({ message }) =>
        Number(message.key) % partitions,
  });
  await producer.connect();
  context.after(() => producer.disconnect());
  return {
    broker,
    watched,
    file,
    env: { KAFKA_BROKERS: watched.brokers },
    async produce(flights) {
      for (let from = 0; from < flights.length; from += 500) {
        const messages = flights.slice(from, from + 500).map(({ id, distance }) => ({
          key: String(id),
          value: JSON.stringify({ id, departed_at: 991_356_180_000, origin: 'ATL', destination: 'PDX', distance }),
        }));
        await producer.send({ topic: watched.inputs[0], messages });
      }
    },
  };
}

export function flights(count: number, from = 0): Flight[] {
  return Array.from({ length: count }, (_, n) => ({ id: from + n, distance: 500 + n }));
}
