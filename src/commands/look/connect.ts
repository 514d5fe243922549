import { createFileSchemas } from '../../adapters/files/file-schemas.ts';
import { createTopicLog } from '../../adapters/kafka/topic-log.ts';
import { createLog } from '../../adapters/pino/log.ts';
import { createRegistrySchemas } from '../../adapters/registry/registry.ts';
import { didYouMean } from '../../documents/did-you-mean.ts';
import { classify, SluiceError } from '../../kernel/errors.ts';
import type { RegistryConnection, Topology, ValueFormat } from '../../plan/topology.ts';
import type { SchemaSource } from '../../ports/schemas.ts';
import type { Extent, TopicLog } from '../../ports/topic-log.ts';
import { createTelemetry } from '../../telemetry/metrics.ts';
import { registryAt } from '../../topology/connection-build.ts';
import { brokersIn } from '../arguments.ts';
import type { Io } from '../io.ts';
import { kafkaConnection } from '../world/kafka-connection.ts';
import { createValues, type Values } from './values.ts';

/** Where to look: a topology's connections, those given as options, or the defaults of topologies. */
export interface LookOptions {
  readonly topology?: Topology | undefined;
  readonly brokers?: readonly string[] | undefined;
  readonly registry?: string | undefined;
}

/** Read access to topics and schemas for people: nothing is written, no group is joined, no position moves. */
export interface Look {
  readonly log: TopicLog;
  readonly values: Values;
  readonly schemas: SchemaSource;
  /** Start and end offset of each partition; the error for an unknown topic lists those that exist. */
  extents(topic: string): Promise<readonly Extent[]>;
}

/** A person is waiting: less patience than a pipeline has. */
const REACH_WITHIN_MS = 5_000;
const MAX_NAMES = 12;

/** Opens what is needed, runs `work`, closes it. */
export async function withLook<T>(options: LookOptions, io: Io, work: (look: Look) => Promise<T>): Promise<T> {
  const { clock, random, env } = io;
  const { topology } = options;
  const brokers = options.brokers ?? topology?.connections.kafka?.brokers ?? brokersOf(env.KAFKA_BROKERS);
  const telemetry = createTelemetry({ clock, log: createLog({ clock }, { level: 'error', pretty: true }) });
  const log = createTopicLog(
    { clock, random, telemetry },
    {
      ...kafkaConnection({ clientId: 'sluice-look', ...topology?.connections.kafka, brokers }, telemetry, io),
      reachWithinMs: REACH_WITHIN_MS,
    },
  );
  const formats = formatsOf(topology);
  const schemas = schemasOf(options, env, (at) =>
    createRegistrySchemas({ clock, telemetry }, { ...at, maxLookUpsPerSecond: 1_000 }),
  );
  const values = createValues({ clock, schemas }, (topic) => formats.get(topic));
  const extents = async (topic: string): Promise<readonly Extent[]> => {
    try {
      return await log.extents(topic);
    } catch (thrown) {
      throw classify(thrown).code === 'topic-missing' ? await missing(log, topic, brokers, thrown) : thrown;
    }
  };
  try {
    return await work({ log, values, schemas, extents });
  } finally {
    await log.close();
  }
}

/** The brokers that topologies use by default. */
function brokersOf(named = ''): readonly string[] {
  const found = brokersIn(named || 'localhost:9092');
  if (found !== undefined) return found;
  const remedy = 'write a list host:port,host:port, for example localhost:9092, or give --topology or --brokers';
  throw new SluiceError('usage-invalid', `KAFKA_BROKERS: "${named}" is not a list host:port,host:port; ${remedy}`);
}

async function missing(log: TopicLog, topic: string, brokers: readonly string[], cause: unknown): Promise<SluiceError> {
  const names = await log.topics();
  const list = names.slice(0, MAX_NAMES).join(', ') + (names.length > MAX_NAMES ? `, … (${names.length} in all)` : '');
  const there = names.length === 0 ? 'it has no topics' : `it has ${list}`;
  const hint = didYouMean(topic, names) || ';';
  return new SluiceError(
    'topic-missing',
    `topic "${topic}" does not exist on ${brokers.join(', ')}${hint} ${there}`,
    cause,
  );
}

/** Value formats of a topology's topics; dead letters keep the format of the source. */
function formatsOf(topology: Topology | undefined): ReadonlyMap<string, ValueFormat> {
  if (topology === undefined) return new Map();
  const { source, output, deadLetter } = topology;
  return new Map([
    [deadLetter.topic, source.value],
    ...source.topics.map((topic): [string, ValueFormat] => [topic, source.value]),
    [output.topic, output.value],
  ]);
}

/** The topology's registry or schema files; without a topology, the registry from the environment. */
function schemasOf(
  { topology, registry }: LookOptions,
  env: Io['env'],
  connect: (at: RegistryConnection) => SchemaSource,
): SchemaSource {
  const named = topology?.connections.registry;
  if (registry !== undefined) return connect({ ...named, ...registryAt(registry) });
  if (topology === undefined) return connect(registryAt(env.SCHEMA_REGISTRY_URL || 'http://localhost:8081'));
  if (named !== undefined) return connect(named);
  const ids = [topology.source.value, topology.output.value].flatMap((format) =>
    format.kind === 'avro' ? format.ids.map((id) => ({ id, schema: format.schema })) : [],
  );
  return createFileSchemas({ ids });
}
