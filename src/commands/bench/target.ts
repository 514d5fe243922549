import { createFileSchemas } from '../../adapters/files/file-schemas.ts';
import { createKafkaSink } from '../../adapters/kafka/sink.ts';
import { createTopicLog } from '../../adapters/kafka/topic-log.ts';
import { createLog } from '../../adapters/pino/log.ts';
import { createRegistrySchemas } from '../../adapters/registry/registry.ts';
import { confluentPrefix } from '../../codecs/wire.ts';
import { SluiceError } from '../../kernel/errors.ts';
import type { Topology } from '../../plan/topology.ts';
import type { SchemaSource } from '../../ports/schemas.ts';
import type { Sink } from '../../ports/sink.ts';
import type { Telemetry } from '../../ports/telemetry.ts';
import type { Extent, TopicLog } from '../../ports/topic-log.ts';
import { createTelemetry } from '../../telemetry/metrics.ts';
import type { Io } from '../io.ts';
import { readTopology } from '../prepare.ts';
import { kafkaConnection } from '../world/kafka-connection.ts';

/** A deployed pipeline as the bench sees it: topics to write and topics to read. */
export interface Target {
  readonly topology: Topology;
  readonly sink: Sink;
  /** A second connection, so that latency reads do not queue behind the read-back of the source topic. */
  readonly watched: TopicLog;
  readonly books: TopicLog;
  readonly prefix: Buffer;
  /** End offsets of the source topics. */
  ends(): Promise<ReadonlyMap<string, readonly Extent[]>>;
}

/** Connects, runs `work`, closes. Writes nothing itself. */
export async function withTarget<T>(file: string, io: Io, work: (target: Target) => Promise<T>): Promise<T> {
  const { clock, random, env } = io;
  const topology = readTopology(file, env);
  const { kafka } = topology.connections;
  if (kafka === undefined)
    throw new SluiceError('topology-invalid', `${file} names no connections.kafka: there is nothing to load`);
  const telemetry = createTelemetry({ clock, log: createLog({ clock }, { level: 'warn', pretty: true }) });
  const deps = { clock, random, telemetry };
  const connection = { ...kafkaConnection(kafka, telemetry, io), clientId: `${kafka.clientId}-bench` };
  const prefix = await prefixOf(topology, telemetry, io);
  const sink = createKafkaSink(deps, connection);
  const watched = createTopicLog(deps, connection);
  const books = createTopicLog(deps, connection);
  try {
    await sink.open(topology.source.topics);
    return await work({
      topology,
      sink,
      watched,
      books,
      prefix,
      async ends() {
        const found = new Map<string, readonly Extent[]>();
        for (const topic of topology.source.topics) found.set(topic, await books.extents(topic));
        return found;
      },
    });
  } finally {
    await Promise.all([sink.close(), watched.close(), books.close()]);
  }
}

/** Prefix of a value: the id of the topology's schema, as registered for the source topic. */
async function prefixOf({ source, connections }: Topology, telemetry: Telemetry, io: Io): Promise<Buffer> {
  const { value, topics } = source;
  if (value.kind === 'json' || value.wire === 'plain') return Buffer.alloc(0);
  const schemas: SchemaSource =
    connections.registry === undefined
      ? createFileSchemas({ ids: value.ids.map((id) => ({ id, schema: value.schema })) })
      : createRegistrySchemas({ clock: io.clock, telemetry }, connections.registry);
  const subject = `${topics[0]}-value`;
  const id = await schemas.idFor(subject, value.schema, { register: false });
  if (id >= 0) return confluentPrefix(id);
  throw new SluiceError(
    'usage-invalid',
    `the schema registry does not have ${value.schemaFile} as "${subject}": register it, as whoever writes the topic does`,
  );
}
