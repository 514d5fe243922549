import { readFileSync } from 'node:fs';
import { libraryHints, thisMachine } from '../adapters/onnx/library-search.ts';
import { onnxFacts } from '../adapters/onnx/onnx-facts.ts';
import { createOnnxRuntime } from '../adapters/onnx/runtime.ts';
import { createLog } from '../adapters/pino/log.ts';
import { probeRedis } from '../adapters/redis/probe.ts';
import { probeRegistry } from '../adapters/registry/probe.ts';
import { createRegistrySchemas } from '../adapters/registry/registry.ts';
import { prepare } from '../check/prepare.ts';
import type { CheckFinding } from '../documents/finding.ts';
import { EXIT } from '../kernel/errors.ts';
import { lookUpsOf } from '../plan/look-ups.ts';
import type { Plan } from '../plan/plan.ts';
import type { Topology } from '../plan/topology.ts';
import type { Telemetry } from '../ports/telemetry.ts';
import { createTelemetry } from '../telemetry/metrics.ts';
import { registryAt } from '../topology/connection-build.ts';
import { checkOwn } from './doctor/certificates.ts';
import { closing, type Diagnosis, note, ok, problem, textOf, warning } from './doctor/finding.ts';
import { checkKafka, kafkaWorld } from './doctor/kafka.ts';
import { checkModel } from './doctor/model.ts';
import { checkNode } from './doctor/node.ts';
import { checkOnnx } from './doctor/onnx.ts';
import { checkRedis } from './doctor/redis.ts';
import { checkRegistry, type RegistryQuestions } from './doctor/registry.ts';
import { checkStore } from './doctor/store.ts';
import type { Io } from './io.ts';
import { kafkaConnection } from './world/kafka-connection.ts';
import { loadModel } from './world/load-model.ts';
import { connectionKey, connectionOf, createStore, storesOf, whereIs } from './world/stores.ts';

export interface DoctorOptions {
  readonly topology: string | undefined;
  /** Brokers to check without a topology, or instead of those it names. */
  readonly brokers: readonly string[] | undefined;
  readonly registry: string | undefined;
  readonly json: boolean;
}

const TIMEOUT_MS = 5_000;

/**
 * `sluice doctor`: checks this machine and everything that a topology needs, and says what is missing and what to do.
 * Promises: nothing is written, no group is joined, no topic or schema is created; a service that does not answer delays the report by
 * seconds. Resolves with 0 if all is well, 1 for a problem or a warning, 2 for an invalid topology.
 */
export async function doctor(options: DoctorOptions, io: Io): Promise<number> {
  const { clock } = io;
  const log = createLog({ clock }, { level: 'error', pretty: true });
  const telemetry = createTelemetry({ clock, log });
  const runtime = createOnnxRuntime({ telemetry });
  const found: Diagnosis[] = [checkNode(nodeFacts())];
  let plan: Plan | undefined;
  let invalid = false;
  if (options.topology !== undefined) {
    const prepared = await prepare(options.topology, { env: io.env, runtime });
    plan = prepared.plan;
    invalid = plan === undefined;
    found.push(...prepared.findings.map(findingOf));
    if (!invalid)
      found.push(ok('topology', `${options.topology}: schemas, expressions, model and output fit together`));
  }
  const topology = plan?.topology;
  found.push(...checkOnnx(onnxFacts(thisMachine(libraryHints(io.env))), topology?.model));
  const load = (of: Plan) => loadModel(of, { clock, telemetry, runtime, cores: io.cores, env: io.env });
  const models = [plan, plan?.smaller].filter((each) => each !== undefined);
  // Local checks run one after the other, because they share the CPU and its devices; network checks run all at once.
  const outside = Promise.all([
    kafka(options, topology, telemetry, io),
    registry(options, topology),
    redis(plan, io),
    store(plan),
  ]);
  const device = topology?.model.device;
  const lacking = found.some(({ status, check }) => status === 'problem' && check === device);
  for (const each of models) {
    if (lacking) found.push(note('model', `${each.bundle.label} is not tried: see ${device}`));
    else found.push(await checkModel(each, load));
  }
  for (const diagnoses of await outside) found.push(...diagnoses);

  io.stdout.write(
    options.json ? `${JSON.stringify({ ok: isWell(found), findings: found }, null, 2)}\n` : textOf(found),
  );
  io.stderr.write(`${isWell(found) ? 'all is well' : closing(found)}\n`);
  if (invalid) return EXIT.usage;
  return isWell(found) ? EXIT.done : EXIT.failed;

  async function registry({ registry: given }: DoctorOptions, of: Topology | undefined): Promise<Diagnosis[]> {
    const named = of?.connections.registry;
    const at = given === undefined ? named : { ...named, ...registryAt(given) };
    if (at === undefined) return of === undefined ? [] : [note('registry', 'the topology names none')];
    const schemas = createRegistrySchemas({ clock, telemetry }, { ...at, timeoutMs: TIMEOUT_MS });
    const probe = () => probeRegistry(clock, { ...at, timeoutMs: TIMEOUT_MS });
    const asked = of === undefined ? { writes: [], reads: [] } : subjectsOf(of);
    const found = await checkRegistry(asked, { probe, schemas });
    return [...found, ...checkOwn(at.ssl, 'connections.registry', clock.wallMs())];
  }

  async function store(of: Plan | undefined): Promise<Diagnosis[]> {
    if (of === undefined) return [];
    const { topology, reads } = of;
    const found = storesOf(reads).map(async (from): Promise<Diagnosis[]> => {
      const key = connectionKey(from);
      if (topology.connections[connectionOf(from)] === undefined) {
        const what = `the topology enriches and names no ${key}`;
        return [problem('store', what, 'add it, or use `sluice batch --features`')];
      }
      const deps = { clock, telemetry, env: io.env };
      const opened = createStore(from, topology, reads, deps, { openTimeoutMs: TIMEOUT_MS });
      const mine = reads.filter((read) => read.from === from);
      return checkStore(mine, opened, {
        timeoutMs: TIMEOUT_MS,
        where: `${from} ${whereIs(from, topology, deps)}`,
        key,
      });
    });
    return (await Promise.all(found)).flat();
  }
}

async function redis(plan: Plan | undefined, { clock }: Io): Promise<Diagnosis[]> {
  const at = plan?.topology.connections.redis;
  if (plan === undefined || at === undefined) return [];
  const found = await checkRedis(
    {
      ...at,
      asStore: plan.reads.some(({ from }) => from === 'redis'),
      asSecondLevel: plan.reads.some(({ cache }) => cache?.secondLevel !== undefined),
    },
    {
      wallMs: clock.wallMs(),
      probe: (node, needs) => probeRedis(clock, { ...at, nodes: [node], timeoutMs: TIMEOUT_MS }, needs),
    },
  );
  return [...found, ...checkOwn(at.ssl, 'connections.redis', clock.wallMs())];
}

async function kafka(
  options: DoctorOptions,
  topology: Topology | undefined,
  telemetry: Telemetry,
  io: Io,
): Promise<Diagnosis[]> {
  const named = topology?.connections.kafka;
  const brokers = options.brokers ?? named?.brokers;
  if (brokers === undefined) {
    const what = 'the topology names no connections.kafka: only `sluice batch` can run it';
    return topology === undefined ? [] : [note('broker', what)];
  }
  const connection = kafkaConnection({ clientId: 'sluice', ...named, brokers }, telemetry, io);
  const { clientId } = connection;
  const changes = topology === undefined ? [] : lookUpsOf(topology).flatMap(({ cache }) => cache?.invalidateBy ?? []);
  const found = await checkKafka(
    {
      brokers,
      clientId,
      reads: [...(topology?.source.topics ?? []), ...changes],
      writes: topology === undefined ? [] : [topology.output.topic, topology.deadLetter.topic],
      group: topology?.source.group,
    },
    kafkaWorld(io.clock, connection),
  );
  return [...found, ...checkOwn(connection.ssl, 'connections.kafka', io.clock.wallMs())];
}

function subjectsOf({ source, output }: Topology): RegistryQuestions {
  const { value } = output;
  const confluent = source.value.kind === 'avro' && source.value.wire === 'confluent';
  return {
    writes:
      value.kind === 'avro' && value.wire === 'confluent'
        ? [{ subject: `${output.topic}-value`, schema: value.schema }]
        : [],
    reads: confluent ? source.topics.map((topic) => `${topic}-value`) : [],
  };
}

function findingOf({ severity, file, line, column, path, message, remedy }: CheckFinding): Diagnosis {
  const what = `${file}:${line}:${column} ${path === '' ? '' : `${path}: `}${message}`;
  return (severity === 'error' ? problem : warning)('topology', what, remedy);
}

function isWell(findings: readonly Diagnosis[]): boolean {
  return findings.every(({ status }) => status === 'ok' || status === 'note');
}

function nodeFacts(): { readonly version: string; readonly wanted: string } {
  const { engines } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  return { version: process.version, wanted: engines.node };
}
