import { existsSync } from 'node:fs';
import { createKafkaSink } from '../../adapters/kafka/sink.ts';
import { createOnnxRuntime } from '../../adapters/onnx/runtime.ts';
import { createLog } from '../../adapters/pino/log.ts';
import { createRegistrySchemas } from '../../adapters/registry/registry.ts';
import { assemble } from '../../assemble.ts';
import { EXIT, exitCodeOf, SluiceError } from '../../kernel/errors.ts';
import type { Plan } from '../../plan/plan.ts';
import type { SchemaSource } from '../../ports/schemas.ts';
import { createTelemetry } from '../../telemetry/metrics.ts';
import { type Listen, watch } from '../console.ts';
import { createRecentState, readDisplayState } from '../display/state.ts';
import { createDisplay, type Display, summary } from '../display.ts';
import { createFeeder, eventLines, type Feeder } from '../embedded/feeder.ts';
import { describeLedger, readLedger, sound } from '../embedded/ledger.ts';
import { loadTables, makeTopics, type Provisioned } from '../embedded/provision.ts';
import { createSamples } from '../embedded/samples.ts';
import { type Services, startServices } from '../embedded/services.ts';
import { settledRecords } from '../embedded/settled.ts';
import { aborted, until } from '../embedded/waiting.ts';
import type { Io } from '../io.ts';
import { preparePlan } from '../prepare.ts';
import { createWorld } from '../world/world.ts';
import { createTranscoder } from './transcoder.ts';

export interface DemoOptions {
  readonly topology: string;
  readonly records: number;
  readonly rate: number;
  readonly exit: boolean;
  readonly port: number;
  readonly listen: Listen | undefined;
  readonly json: boolean;
}

const EVENTS = 'examples/flight-delay/flights.jsonl.gz';
const FEATURES = 'examples/flight-delay/features';

/**
 * `sluice demo`: the embedded services, the example's data, the unchanged topology, live figures. Resolves with the exit code:
 * failed if the ledger, read from the topics by an independent reader, does not balance.
 */
export async function demo(options: DemoOptions, io: Io): Promise<number> {
  for (const path of [EVENTS, FEATURES]) {
    if (existsSync(path)) continue;
    throw new SluiceError(
      'file-missing',
      `the demo needs ${path}, and it is not here: run it in the folder of the repository (npm run demo)`,
    );
  }
  if (!existsSync(options.topology))
    throw new SluiceError('file-missing', `there is no file ${options.topology}; give --topology a pipeline`);
  const stopping = new AbortController();
  const forget = io.onSignal(() => stopping.abort());
  const services = await startServices({ kafka: { port: options.port, option: '--port' } });
  try {
    return await stream(options, { ...io, env: { ...io.env, ...services.env } }, services, stopping);
  } finally {
    forget();
    await services.close();
  }
}

async function stream(options: DemoOptions, io: Io, services: Services, stopping: AbortController): Promise<number> {
  const { clock, stderr } = io;
  let display: Display | undefined;
  const color = stderr.isTTY === true && io.env.NO_COLOR === undefined;
  const write = (line: string): void => (display ? display.print(line) : void stderr.write(line));
  const telemetry = createTelemetry({
    clock,
    log: createLog({ clock }, { level: 'warn', pretty: true, color, write }),
  });
  const runtime = createOnnxRuntime({ telemetry });
  const plan = await preparePlan(options.topology, runtime, io);
  const { topology } = plan;
  makeTopics(topology, services.broker);
  const tables = await loadTables(topology, services, FEATURES, io, telemetry);
  await using watched = await watch({ clock, telemetry, topology: topology.name }, options.listen);
  welcome(services, plan, tables, watched.url, io);

  const world = await createWorld(plan, runtime, telemetry, io);
  const samples = createSamples(world.sink, topology.output);
  const runner = assemble(plan, { ...world, sink: samples.sink });
  watched.health = runner.health;
  const feeder = await openFeeder(plan, options, world.schemas, io);
  const about = {
    topology: topology.name,
    maxInflightRecords: topology.flow.maxInFlight.records,
    maxInflightBytes: topology.flow.maxInFlight.bytes,
    startedMonotonicMs: clock.monotonicMs(),
    phase: () => runner.state(),
    samples: samples.read,
  };
  display = createDisplay(
    {
      clock,
      out: stderr,
      isTTY: stderr.isTTY === true,
      columns: () => stderr.columns ?? 80,
      rows: () => stderr.rows ?? Number.POSITIVE_INFINITY,
    },
    createRecentState({ clock, telemetry }, about),
    { color },
  );

  stopping.signal.addEventListener('abort', () => runner.stop(), { once: true });
  if (stopping.signal.aborted) runner.stop();
  const running = runner.run().finally(() => stopping.abort());
  if (!options.json) display.start();
  let feedFailure: unknown;
  try {
    // Records produced before the join would only measure how long the join took.
    await until(() => runner.state() !== 'starting', stopping.signal, clock);
    await feeder.run(stopping.signal);
    if (options.exit) await until(() => settledRecords(telemetry) >= feeder.sent, stopping.signal, clock);
    else await aborted(stopping.signal);
  } catch (thrown) {
    feedFailure = thrown;
  }
  runner.stop();
  const finished = readDisplayState({ clock, telemetry }, about);
  const outcome = await running;
  await feeder.close();
  display.stop();
  telemetry.flush();
  if (feedFailure !== undefined) throw feedFailure;
  if (outcome.error !== undefined) {
    io.stderr.write(`sluice: ${outcome.error.message}\n`);
    return exitCodeOf(outcome.error);
  }
  const ledger = readLedger(services.broker, {
    inputs: topology.source.topics,
    output: topology.output.topic,
    deadLetter: topology.deadLetter.topic,
    group: topology.source.group,
  });
  const whole = options.exit && !interrupted(feeder, options);
  if (options.json) io.stdout.write(`${JSON.stringify({ ...finished, ledger })}\n`);
  else {
    io.stdout.write(`\n${summary(finished, { columns: stderr.columns ?? 80, color })}\n`);
    io.stdout.write(`${describeLedger(ledger)}\n`);
  }
  if (outcome.result === 'drain-budget') return EXIT.drainBudget;
  return sound(ledger, whole) ? EXIT.done : EXIT.failed;
}

/** Says what was started, and that nothing of it is kept. */
function welcome(
  services: Services,
  plan: Plan,
  tables: readonly Provisioned[],
  url: string | undefined,
  io: Io,
): void {
  const { topology } = plan;
  const loaded = tables.map(({ table, rows }) => `${rows.toLocaleString('en')} ${table}s`).join(' and ');
  io.stderr.write(
    [
      `Embedded Kafka at ${services.env.KAFKA_BROKERS}, schema registry at ${services.env.SCHEMA_REGISTRY_URL}, Bigtable at ${services.env.BIGTABLE_EMULATOR_HOST}:`,
      `in this process, in memory, gone at the end.${loaded === '' ? '' : ` Features of ${loaded} are loaded.`}`,
      `${topology.source.topics.join(', ')} → ${plan.bundle.label} → ${topology.output.topic}. Ctrl-C drains and ends.`,
      ...(url === undefined ? [] : [`Console: ${url}/`]),
      '',
      '',
    ].join('\n'),
  );
}

async function openFeeder(
  plan: Plan,
  options: DemoOptions,
  schemas: SchemaSource,
  io: Io,
): Promise<Feeder & { close(): Promise<void> }> {
  const { clock, random } = io;
  const { source, connections } = plan.topology;
  // A separate producer, as an upstream team would have; its metrics are not the pipeline's.
  const silent = createTelemetry({ clock, log: { log: () => undefined } });
  const brokers = connections.kafka?.brokers ?? [];
  const sink = createKafkaSink(
    { clock, telemetry: silent, random },
    { brokers, clientId: 'sluice-demo-producer', debugProtocolBuffers: false },
  );
  await sink.open(source.topics);
  const { registry } = connections;
  const upstream = registry === undefined ? schemas : createRegistrySchemas({ clock, telemetry: silent }, registry);
  const [topic] = source.topics;
  const feeder = createFeeder(
    { clock, sink, transcode: await createTranscoder(upstream, source, topic) },
    { topic, lines: await eventLines(EVENTS), records: options.records, perSecond: options.rate },
  );
  return {
    run: (signal) => feeder.run(signal),
    get sent() {
      return feeder.sent;
    },
    get produced() {
      return feeder.produced;
    },
    close: () => sink.close(),
  };
}

function interrupted(feeder: Feeder, options: DemoOptions): boolean {
  return feeder.sent < options.records;
}
