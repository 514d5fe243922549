import { createFileSchemas } from '../../adapters/files/file-schemas.ts';
import { openChangelogs } from '../../adapters/kafka/changelog.ts';
import { createKafkaSink } from '../../adapters/kafka/sink.ts';
import { createKafkaSource } from '../../adapters/kafka/source.ts';
import { createTopicLog } from '../../adapters/kafka/topic-log.ts';
import { createKafkaTransactions } from '../../adapters/kafka/transactions.ts';
import { createRegistrySchemas } from '../../adapters/registry/registry.ts';
import type { World } from '../../assemble.ts';
import { fetchHoldMs } from '../../batching/fetch-hold.ts';
import type { ValueEncoder } from '../../codecs/types.ts';
import { confluentPrefix } from '../../codecs/wire.ts';
import { Credit } from '../../kernel/credit.ts';
import { SluiceError } from '../../kernel/errors.ts';
import type { Plan } from '../../plan/plan.ts';
import type { ModelRuntime } from '../../ports/model.ts';
import type { SchemaSource } from '../../ports/schemas.ts';
import type { Telemetry } from '../../ports/telemetry.ts';
import type { Io } from '../io.ts';
import { kafkaConnection } from './kafka-connection.ts';
import { loadModel } from './load-model.ts';
import { createOpened, type Opened } from './opened.ts';
import { reach } from './reach.ts';
import { withSecondLevel } from './second-level.ts';
import { createStores } from './stores.ts';
import { encoderOf } from './value-encoder.ts';

/**
 * Makes the real world of a plan: Kafka, registry, Bigtable, ONNX Runtime. Nothing is consumed before the pipeline starts.
 * With `register: false` nothing is written either: a schema that is missing from the registry is only logged.
 *
 * A world that failed half-built has no owner to close it (cause) → a process that goes on, as `dev` does, would keep its connections,
 * model threads and file watches for ever (effect) → what was opened before the failure is closed again (guard).
 */
export async function createWorld(
  plan: Plan,
  runtime: ModelRuntime,
  telemetry: Telemetry,
  io: Io,
  { register } = { register: true },
): Promise<World> {
  const opened = createOpened({ clock: io.clock, telemetry });
  try {
    return await openWorld(plan, { runtime, telemetry, io, register, opened });
  } catch (thrown) {
    await opened.closeAll();
    throw thrown;
  }
}

interface Opening {
  readonly runtime: ModelRuntime;
  readonly telemetry: Telemetry;
  readonly io: Io;
  readonly register: boolean;
  readonly opened: Opened;
}

async function openWorld(plan: Plan, { runtime, telemetry, io, register, opened }: Opening): Promise<World> {
  const { clock, random, env, instance } = io;
  const { topology } = plan;
  const { kafka } = topology.connections;
  if (kafka === undefined) {
    throw new SluiceError('topology-invalid', `${topology.file} names no connections.kafka, which running it needs`);
  }
  const credit = new Credit({
    maxRecords: topology.flow.maxInFlight.records,
    maxBytes: topology.flow.maxInFlight.bytes,
  });
  const loading = { clock, telemetry, runtime, cores: io.cores, env };
  const session = opened.keep('model', await loadModel(plan, loading));
  const schemas = createSchemas(plan, telemetry, io);
  const starting = { clock, random, telemetry };
  const encoder = await reach(starting, 'schema registry', () => createEncoder(plan, schemas, telemetry, register));
  const { smaller: small } = plan;
  const smaller = small && {
    session: opened.keep('smaller model', await loadModel(small, loading)),
    encoder: await reach(starting, 'schema registry', () => createEncoder(small, schemas, telemetry, register)),
  };
  const stores = createStores(topology, plan.reads, { clock, telemetry, env }, { reloadFiles: register });
  const keeping = register ? withSecondLevel(stores, topology, plan.reads, { clock, random, telemetry, env }) : stores;
  // Of several stores, one may be open when another fails.
  const store = opened.keep('store', keeping);
  const tables = [...new Set(plan.reads.map(({ table }) => table))];
  await reach(starting, 'feature store', () => store.open(tables));
  const connection = { ...kafkaConnection(kafka, telemetry, io), stock: kafka.client === 'stock' };
  const groupId = topology.source.group;
  const ownership =
    topology.flow.delivery === 'exactly-once'
      ? createKafkaTransactions({ clock, telemetry, random }, { ...connection, groupId })
      : undefined;
  const sink = opened.keep('sink', ownership ?? createKafkaSink({ clock, telemetry, random }, connection));
  const changing = plan.reads.flatMap(({ cache }) => cache?.invalidateBy ?? []);
  // The input topics too: a missing topic must be reported before the group is joined, and by --dry.
  await sink.open([...topology.source.topics, topology.output.topic, topology.deadLetter.topic, ...changing]);
  // The stock client's fetches are never held.
  const holdMs = (): number => (connection.stock ? 0 : fetchHoldMs(topology.flow.latencyBudgetMs, io.processorLoad()));
  telemetry.gauge('sluice_fetch_hold_seconds', {}, () => holdMs() / 1_000);
  const source = createKafkaSource(
    { clock, telemetry, credit, random, ownership },
    {
      ...connection,
      groupId,
      topics: topology.source.topics,
      from: topology.source.from,
      sessionTimeoutMs: kafka.sessionTimeoutMs,
      drainMs: topology.flow.drainMs,
      fetchHoldMs: holdMs,
    },
  );
  // Before the first row is read: a change in between would be missed. A dry run consumes nothing, so it cannot miss one.
  const changelogs =
    changing.length > 0 && register
      ? await openChangelogs(
          {
            clock,
            telemetry,
            log: () => createTopicLog({ clock, telemetry, random }, { ...connection, reachWithinMs: 10_000 }),
          },
          { topics: changing },
        )
      : undefined;
  return {
    clock,
    random,
    telemetry,
    credit,
    source,
    schemas,
    store,
    changelogs,
    session,
    smaller,
    encoder,
    sink,
    instance,
  };
}

/** The topology's registry, or its schema files. */
export function createSchemas(plan: Plan, telemetry: Telemetry, io: Io): SchemaSource {
  const { source, output, connections } = plan.topology;
  if (connections.registry !== undefined) {
    return createRegistrySchemas({ clock: io.clock, telemetry }, connections.registry);
  }
  const formats = [source.value, output.value];
  const ids = formats.flatMap((format) =>
    format.kind === 'avro' ? format.ids.map((id) => ({ id, schema: format.schema })) : [],
  );
  return createFileSchemas({ ids });
}

/** Encodes outputs as the topology says, with their schema id in front if it asks for one. */
export async function createEncoder(
  plan: Plan,
  schemas: SchemaSource,
  telemetry: Telemetry,
  register: boolean,
): Promise<ValueEncoder> {
  const { value, topic } = plan.topology.output;
  if (value.kind === 'json' || value.wire === 'plain') return encoderOf(plan);
  const subject = `${topic}-value`;
  const id = await schemas.idFor(subject, value.schema, { register });
  if (id < 0) telemetry.event('schema-missing', { subject });
  return encoderOf(plan, confluentPrefix(id));
}
