import { createOnnxRuntime } from '../../adapters/onnx/runtime.ts';
import { createLog } from '../../adapters/pino/log.ts';
import { assemble } from '../../assemble.ts';
import { prepare } from '../../check/prepare.ts';
import { lookUpsOf } from '../../plan/look-ups.ts';
import type { Plan } from '../../plan/plan.ts';
import type { Topology } from '../../plan/topology.ts';
import type { Log } from '../../ports/telemetry.ts';
import type { Runner } from '../../runner.ts';
import { EVENTS } from '../../telemetry/events.ts';
import { createTelemetry, type MetricStore } from '../../telemetry/metrics.ts';
import { counted } from '../display/format.ts';
import { loadTables, makeTopics, PARTITIONS, registerSchemas } from '../embedded/provision.ts';
import type { Services } from '../embedded/services.ts';
import type { Io } from '../io.ts';
import { createWorld } from '../world/world.ts';
import { findEvents, findFeatures } from './places.ts';
import type { DevReport } from './report.ts';
import { createSeen } from './seen.ts';

export interface DevPipeline {
  readonly plan: Plan;
  readonly runner: Runner;
  /** One per pipeline, so that counts start from zero. */
  readonly telemetry: MetricStore;
  /** Prefix of Avro input values in Confluent's wire format. */
  readonly schemaId: number | undefined;
  readonly features: string | undefined;
  readonly events: string | undefined;
  /** Closes what was opened; for a pipeline that was never run. */
  discard(): Promise<void>;
}

export interface PipelineDeps {
  readonly io: Io;
  readonly services: Services;
  readonly report: DevReport;
}

export interface PipelineOptions {
  readonly topology: string;
  readonly features: string | undefined;
  readonly events: string | undefined;
  /** Predictions, and dead letters, to show. */
  readonly show: number;
  readonly json: boolean;
  /** Called with everything the pipeline is made of, as soon as that is known and before any of it is used. */
  readonly onPlaces: (topology: Topology, features: string | undefined, events: string | undefined) => void;
}

/**
 * A topology file → a pipeline in the embedded world, with everything it needs created, ready to be run as by `sluice run`.
 * Undefined if the files contradict each other: the findings have been reported. Throws for any other obstacle.
 */
export async function openPipeline(
  options: PipelineOptions,
  { io, services, report }: PipelineDeps,
): Promise<DevPipeline | undefined> {
  const { clock, stderr } = io;
  const pretty = !options.json;
  const color = pretty && stderr.isTTY === true && io.env.NO_COLOR === undefined;
  const write = (line: string): void => void stderr.write(line);
  const inner = createLog({ clock }, { level: 'warn', pretty, color, write });
  // Dead letters are shown with their values, once the broker has them.
  const log: Log = {
    log: (level, message, fields) => message !== EVENTS['dead-lettered'].message && inner.log(level, message, fields),
  };
  const telemetry = createTelemetry({ clock, log });
  const runtime = createOnnxRuntime({ telemetry });
  const { plan: written, findings } = await prepare(options.topology, { env: io.env, runtime });
  if (findings.length > 0) report.findings(findings);
  if (written === undefined) return undefined;

  const plan = inEmbedded(written, services, report);
  const { topology } = plan;
  const features = options.features ?? findFeatures(topology);
  const events = options.events ?? findEvents(topology);
  options.onPlaces(topology, features, events);

  const topics = makeTopics(topology, services.broker);
  if (topics.length > 0)
    report.tell(
      { event: 'topics', topics, partitions: PARTITIONS },
      `topics       ${topics.join(', ')}: ${PARTITIONS} partitions each`,
    );
  const subjects = registerSchemas(topology, services.registry);
  const named = subjects.map(({ subject, id }) => `${subject} (id ${id})`).join(', ');
  if (subjects.length > 0) report.tell({ event: 'schemas', subjects }, `schemas      ${named}`);
  const tables = await loadTables(topology, services, features, io, telemetry);
  for (const { table, rows, file } of tables) {
    const from = file === undefined ? `empty: no ${table}.jsonl in ${features ?? 'any folder; give --features'}` : file;
    report.tell(
      { event: 'features', tables: [{ table, rows, file }] },
      `features     ${table}: ${counted(rows, 'row')}, ${from}`,
    );
  }

  const world = await createWorld(plan, runtime, telemetry, io);
  const sink = createSeen(world.sink, topology, options.show, report);
  return {
    plan,
    runner: assemble(plan, { ...world, sink }),
    telemetry,
    schemaId: idOf(topology, subjects),
    features,
    events,
    async discard() {
      const { store, changelogs, session, smaller } = world;
      await Promise.all([sink.close(), store.close(), changelogs?.close(), session.close(), smaller?.session.close()]);
    },
  };
}

/**
 * Replaces every service in the plan by the embedded one: an overlooked variable or a literal address must not connect a pipeline
 * under construction to a cluster that others use.
 */
function inEmbedded(plan: Plan, { env }: Services, report: DevReport): Plan {
  const { topology } = plan;
  const { kafka, registry } = topology.connections;
  const brokers = env.KAFKA_BROKERS.split(',');
  const note = (text: string): void => report.tell({ event: 'note', text }, `note         ${text}`);
  const elsewhere = kafka?.brokers.join(',') !== env.KAFKA_BROKERS && kafka?.brokers.join(', ');
  if (elsewhere) note(`${topology.file} names the brokers ${elsewhere}; the embedded one is used instead`);
  if (registry !== undefined && registry.url !== env.SCHEMA_REGISTRY_URL)
    note(`${topology.file} names another schema registry; the embedded one is used instead`);
  for (const { table, from } of lookUpsOf(topology)) {
    if (from !== 'bigtable') note(`table ${table} is read from ${from} as the file says: only Bigtable is embedded`);
  }
  // Its rows would outlive an edit of a feature file, and production would find rows that came from files.
  const kept = plan.reads.filter(({ cache }) => cache?.secondLevel !== undefined).map(({ table }) => table);
  if (kept.length > 0)
    note(
      `${topology.file} names Redis as second level of the cache of table ${[...new Set(kept)].join(', ')}; it is left out, so that an edited row shows`,
    );
  const reads = plan.reads.map((read) =>
    read.cache === undefined ? read : { ...read, cache: { ...read.cache, secondLevel: undefined } },
  );
  const connections = {
    ...topology.connections,
    // The embedded services have neither TLS nor logins, and no secret is sent to them.
    kafka: kafka && { ...kafka, brokers, ssl: undefined, sasl: undefined },
    registry: registry && { url: env.SCHEMA_REGISTRY_URL },
    bigtable: topology.connections.bigtable ?? { project: 'dev', instance: 'dev' },
  };
  return { ...plan, reads, topology: { ...topology, connections } };
}

function idOf(
  { source }: Topology,
  subjects: readonly { readonly subject: string; readonly id: number }[],
): number | undefined {
  const { value } = source;
  if (value.kind !== 'avro' || value.wire !== 'confluent') return undefined;
  return subjects.find(({ subject }) => subject === `${source.topics[0]}-value`)?.id ?? value.ids[0];
}
