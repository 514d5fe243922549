/**
 * One cluster of three brokers per file, and per scenario: topics of their own, the shipped hello topology over them, instances of
 * Sluice, an upstream, the observer of the ledger.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { ROOT, Sluice } from '../../fixtures/sluice.ts';
import type { Account } from '../judge.ts';
import { type AuditOptions, audit, type Observer, observe, untilDrained, type Watched } from '../ledger.ts';
import { type Load, startLoad } from '../load.ts';
import { openReader, type Seen } from '../read.ts';
import { type KafkaCluster, startCluster } from './kafka-cluster.ts';

export interface ScenarioOptions {
  readonly partitions?: number;
  readonly sessionTimeout?: string;
  readonly from?: 'earliest' | 'latest' | 'fail';
  /** Settings of the output topic. */
  readonly output?: Readonly<Record<string, string>>;
  readonly edit?: (yaml: string) => string;
}

export interface Scenario extends Watched {
  readonly cluster: KafkaCluster;
  readonly file: string;
  readonly partitions: number;
  /** Those that were started, in that order; any still running at the end of the file are stopped. */
  readonly instances: Sluice[];
  run(): Sluice;
  /** Over as many partitions as the topic had at first, unless told otherwise. */
  load(perSecond: number, over?: number): Load;
  observe(): Observer;
  /** Milliseconds until the lag was gone. */
  drained(withinMs?: number): Promise<number>;
  audit(options?: AuditOptions): Promise<Account>;
  read(topic: string): Promise<Seen[]>;
}

export interface KafkaBench {
  readonly cluster: KafkaCluster;
  scenario(name: string, options?: ScenarioOptions): Promise<Scenario>;
}

/** A folder for what the instances said, to look at after a failure. */
const LOGS = process.env.SLUICE_FAULTS_LOGS;
const DEPARTED_AT_MS = 1_700_000_000_000;

/** Event `n`, as JSON: a flight like those of the example. */
export function flightOf(n: number): Buffer {
  const origin = ['ATL', 'JFK', 'ORD', 'DEN'][n % 4];
  const flight = {
    id: n,
    departed_at: DEPARTED_AT_MS + n * 1_000,
    origin,
    destination: 'LAX',
    distance: 400 + (n % 900),
  };
  return Buffer.from(JSON.stringify(flight));
}

/** The bench of one file, made at its first use. */
export function lazyKafka(): () => Promise<KafkaBench> {
  let made: Promise<KafkaBench> | undefined;
  const closers: (() => unknown)[] = [];
  after(async () => {
    for (const close of closers.reverse()) await close();
  });
  return () => {
    made ??= make(closers);
    return made;
  };
}

async function make(closers: (() => unknown)[]): Promise<KafkaBench> {
  const cluster = await startCluster();
  closers.push(() => cluster.stop());
  const dir = mkdtempSync(join(tmpdir(), 'sluice-kafka-'));
  closers.push(() => rmSync(dir, { recursive: true }));
  const { brokers } = cluster;

  return {
    cluster,
    async scenario(name, options = {}) {
      const { partitions = 6, sessionTimeout = '6s', from = 'earliest', edit = (yaml) => yaml } = options;
      const dated = options.output?.['message.timestamp.type'] === 'LogAppendTime';
      const watched: Watched = {
        brokers,
        group: name,
        inputs: [`${name}.flights`],
        output: `${name}.late`,
        deadLetter: `${name}.dead-letter`,
      };
      const [input] = watched.inputs;
      await cluster.createTopic(input, partitions);
      await cluster.createTopic(watched.output, partitions, options.output);
      await cluster.createTopic(watched.deadLetter, partitions);
      const file = join(dir, `${name}.yaml`);
      const yaml = readFileSync(join(ROOT, 'topologies/hello.yaml'), 'utf8')
        .replaceAll('hello.flights', input)
        .replaceAll('hello.late', watched.output)
        .replaceAll('hello.dead-letter', watched.deadLetter)
        .replace('group: hello', `group: ${name}`)
        .replace('from: earliest', `from: ${from}`)
        .replace(/kafka: \{.*\}/, `kafka: { brokers: "${brokers}", sessionTimeout: ${sessionTimeout} }`);
      writeFileSync(file, edit(yaml));
      const instances: Sluice[] = [];
      closers.push(() => {
        for (const [i, child] of instances.entries()) {
          child.signal('SIGKILL');
          if (LOGS !== undefined) writeFileSync(join(LOGS, `${name}-${i}.log`), child.stderr);
        }
      });
      return {
        ...watched,
        cluster,
        file,
        partitions,
        instances,
        run() {
          const child = new Sluice(['run', file, '--listen', '127.0.0.1:0', '--json'], {});
          instances.push(child);
          return child;
        },
        load: (perSecond, over = partitions) =>
          startLoad({ brokers, topic: input, partitions: over, perSecond, value: flightOf }),
        observe: () => observe(watched, { everyMs: 250, dated, logged: true }),
        drained: (withinMs = 60_000) => untilDrained(watched, withinMs),
        audit: (terms) => audit(watched, terms),
        async read(topic) {
          const reader = openReader(brokers);
          try {
            return await reader.readOn(topic);
          } finally {
            await reader.close();
          }
        },
      };
    },
  };
}
