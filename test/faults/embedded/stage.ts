/** The setup for a seed: embedded services with hooks, topics, features, a producer; members join when told to. */
import type { Message } from 'kafkajs';
import { createBigtableWriter } from '../../../src/adapters/bigtable/writer.ts';
import { createBigtable } from '../../../src/devstack/bigtable.ts';
import { createBroker, type EmbeddedBroker } from '../../../src/devstack/kafka/broker.ts';
import type { Fault, RequestInfo } from '../../../src/devstack/kafka/server.ts';
import { createRegistry } from '../../../src/devstack/registry.ts';
import { createSystemClock } from '../../../src/kernel/system-clock.ts';
import { seeded } from '../../fixtures/random.ts';
import { quietKafka } from '../../fixtures/reader.ts';
import { RecordingTelemetry } from '../../fixtures/telemetry.ts';
import type { Watched } from '../ledger.ts';
import { type Nemesis, UPSTREAM } from './faults.ts';
import { Feed } from './feed.ts';
import { type Member, type MemberSettings, startMember } from './member.ts';
import { FEATURES, PARTITIONS, TOPICS, WRITERS } from './pipeline.ts';

export type JoinOptions = Partial<
  Pick<MemberSettings, 'cache' | 'flow' | 'drain' | 'version' | 'group' | 'skewMs' | 'sessionMs'>
>;

export interface Stage {
  readonly watched: Watched;
  readonly feed: Feed;
  /** Rejects when the member could not even start. */
  join(as?: JoinOptions): Promise<Member>;
  readonly members: Member[];
  readonly broker: EmbeddedBroker;
  /** Deletes what a partition of the input holds below `offset`. */
  truncate(partition: number, offset: number): Promise<void>;
  /** Writes one cell a row, of as many float32 as are given, whatever `name` promises: the latest counts. */
  features(rows: readonly (readonly [key: string, numbers: readonly number[]])[], name?: string): Promise<void>;
  /** Registers a schema and gives its id. */
  register(subject: string, schema: object): number;
  /** Writes to a partition of the input as it is. */
  write(partition: number, messages: readonly Message[]): Promise<void>;
  close(): Promise<void>;
}

export interface Hooks {
  readonly onKafka?: (request: RequestInfo) => Fault | undefined;
  readonly onRead?: Nemesis['onRead'];
  readonly onRegistry?: Nemesis['onRegistry'];
}

/** Services, topics, features and a producer; no member yet. */
export async function openStage(
  seed: number,
  hooks: Hooks = {},
  options: { readonly outputPartitions?: number } = {},
): Promise<Stage> {
  const clock = createSystemClock();
  const random = seeded(seed ^ 0xfeed);
  const broker = await createBroker({ brokers: 3, log: () => {}, hooks: { onRequest: hooks.onKafka } });
  const registry = await createRegistry({ hooks: { onRequest: hooks.onRegistry } });
  const bigtable = await createBigtable({ onRead: hooks.onRead });
  for (const [topic, partitions] of [
    [TOPICS.input, PARTITIONS.input],
    [TOPICS.output, options.outputPartitions ?? PARTITIONS.output],
    [TOPICS.deadLetter, PARTITIONS.deadLetter],
  ] as const) {
    broker.createTopic(topic, { partitions });
  }
  const connection = { project: 'dev', instance: 'dev', emulatorHost: bigtable.host };
  const writer = createBigtableWriter({ clock, random, telemetry: new RecordingTelemetry() }, connection);
  await writer.ensureTable('sides', ['fam']);
  const features: Stage['features'] = (rows, name = 'f') => {
    const width = rows[0][1].length;
    return writer.write({
      table: 'sides',
      layout: 'packed',
      views: [{ name: 'side', family: 'fam', columns: [{ name, kind: 'number', width, offset: 0 }] }],
      rowWidth: width,
      keys: rows.map(([key]) => Buffer.from(key)),
      values: Float64Array.from(rows.flatMap(([, numbers]) => [...numbers])),
      present: new Uint8Array(rows.length).fill(1),
      timestampMs: clock.wallMs(),
    });
  };
  await features([...FEATURES].map(([key, f]) => [key, [f]]));
  const ids = WRITERS.map((schema, n) => registry.register(`writer-${n}`, schema));
  const brokers = broker.brokers.join(',');
  const feed = new Feed(random, ids);
  await feed.open(brokers);
  const members: Member[] = [];
  let named = 0;
  return {
    watched: {
      brokers,
      group: TOPICS.group,
      inputs: [TOPICS.input],
      output: TOPICS.output,
      deadLetter: TOPICS.deadLetter,
    },
    feed,
    members,
    broker,
    async join(as) {
      const clientId = `m${++named}`;
      const settings = { brokers, registry: registry.url, bigtable: bigtable.host, clientId, random, ...as };
      const member = await startMember(settings);
      members.push(member);
      return member;
    },
    async truncate(partition, offset) {
      const admin = quietKafka(brokers, UPSTREAM).admin();
      await admin.connect();
      // The client deletes nothing from a topic that it does not know.
      await admin.fetchTopicOffsets(TOPICS.input);
      await admin.deleteTopicRecords({ topic: TOPICS.input, partitions: [{ partition, offset: String(offset) }] });
      await admin.disconnect();
    },
    features,
    register: (subject, schema) => registry.register(subject, JSON.stringify(schema)),
    async write(partition, messages) {
      const producer = quietKafka(brokers, UPSTREAM).producer();
      await producer.connect();
      await producer.send({ topic: TOPICS.input, messages: messages.map((message) => ({ ...message, partition })) });
      await producer.disconnect();
    },
    async close() {
      await Promise.all([feed.close(), writer.close()]);
      await Promise.all([broker.close(), registry.close(), bigtable.close()]);
    },
  };
}
