/**
 * One real Kafka broker, the real Bigtable emulator and a registry, each to be reached by Sluice over a proxy; Sluice as a
 * child process, without a feature cache, so that every frame asks the store. What it does is sampled from outside.
 */
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createBigtableWriter } from '../../../src/adapters/bigtable/writer.ts';
import { createRegistry } from '../../../src/devstack/registry.ts';
import { createSystemClock } from '../../../src/kernel/system-clock.ts';
import { untilLed } from '../../fixtures/leaders.ts';
import { seeded } from '../../fixtures/random.ts';
import { endOffsets, quietKafka } from '../../fixtures/reader.ts';
import { type Env, ROOT, Sluice } from '../../fixtures/sluice.ts';
import { RecordingTelemetry } from '../../fixtures/telemetry.ts';
import { createUpstream, FLIGHT_SCHEMA, flightType, framed, register, type Upstream } from '../../fixtures/upstream.ts';
import { startServices } from '../../integration/services.ts';
import type { Watched } from '../ledger.ts';
import { createProxy, type TcpProxy } from '../proxy.ts';

export interface Road {
  readonly watched: Watched;
  readonly kafka: TcpProxy;
  readonly bigtable: TcpProxy;
  readonly registry: TcpProxy;
  start(): Sluice;
  /** `count` flights, over all partitions; resolves when the broker has them. */
  send(count: number): Promise<void>;
  /** What is sent from here on is written by a producer with a schema of its own, which Sluice has to ask the registry for. */
  newWriter(): Promise<void>;
  /** Flights sent so far. */
  readonly sent: number;
  /** Outputs and dead letters so far, from the topics themselves. */
  answered(): Promise<number>;
  deadLetters(): Promise<number>;
  stop(): Promise<void>;
}

export interface RoadOptions {
  /** Also Kafka: then whoever else speaks to it goes over the proxy too. */
  readonly kafkaToo?: boolean;
  readonly maxInFlight?: { readonly records: number; readonly bytes: string };
  readonly partitions?: number;
}

const AIRPORTS = ['ATL', 'ORD', 'DFW', 'LAX', 'PHX', 'DEN', 'IAH', 'SFO', 'DTW', 'LAS', 'MSP', 'STL'];

export async function startRoad(options: RoadOptions = {}): Promise<Road> {
  const { partitions = 3, maxInFlight = { records: 5_000, bytes: '16MiB' } } = options;
  let broker = '';
  const kafka = await createProxy(() => broker, { random: seeded(1) });
  const services = await startServices({
    kafkaSettings: options.kafkaToo ? { 'advertised.listeners': `PLAINTEXT://${kafka.host}` } : {},
  });
  broker = services.brokers;
  const brokers = options.kafkaToo ? kafka.host : broker;
  const registryServer = await createRegistry();
  const registry = await createProxy(() => new URL(registryServer.url).host, { random: seeded(2) });
  const bigtable = await createProxy(() => services.bigtableEmulatorHost, { random: seeded(3) });
  const folder = await mkdtemp(join(tmpdir(), 'sluice-road-'));
  const name = `road-${randomUUID().slice(0, 8)}`;
  const watched: Watched = {
    brokers,
    group: name,
    inputs: [`${name}.in`],
    output: `${name}.out`,
    deadLetter: `${name}.dead`,
  };
  const topology = join(folder, 'road.yaml');
  await writeFile(topology, topologyOf(watched, maxInFlight));
  const admin = quietKafka(brokers, 'admin').admin();
  await admin.connect();
  for (const topic of [watched.inputs[0], watched.output, watched.deadLetter]) {
    await admin.createTopics({ waitForLeaders: false, topics: [{ topic, numPartitions: partitions }] });
    await untilLed(admin, topic, partitions);
  }
  await admin.disconnect();
  await makeTables(services.bigtableEmulatorHost);
  const upstream: Upstream = await createUpstream(
    { KAFKA_BROKERS: brokers, SCHEMA_REGISTRY_URL: registryServer.url },
    watched.inputs[0],
  );
  const env: Env = {
    KAFKA_BROKERS: brokers,
    SCHEMA_REGISTRY_URL: `http://${registry.host}`,
    BIGTABLE_EMULATOR_HOST: bigtable.host,
  };
  const random = seeded(4);
  const pick = (): string => AIRPORTS[Math.floor(random() * AIRPORTS.length)];
  const recordsIn = async (topic: string): Promise<number> =>
    (await endOffsets(brokers, topic)).reduce((sum, end) => sum + end, 0);
  let { schemaId } = upstream;
  let writers = 0;
  const started: Sluice[] = [];
  let sent = 0;
  return {
    watched,
    kafka,
    bigtable,
    registry,
    get sent() {
      return sent;
    },
    start() {
      const sluice = new Sluice(['run', topology, '--json', '--listen', '127.0.0.1:0'], env);
      started.push(sluice);
      return sluice;
    },
    async newWriter() {
      const schema = JSON.stringify({ ...JSON.parse(FLIGHT_SCHEMA), doc: `writer ${++writers}` });
      schemaId = await register(registryServer.url, `${watched.inputs[0]}-value`, schema);
    },
    async send(count) {
      const messages = Array.from({ length: count }, (_, n) => {
        const where = { origin: pick(), destination: pick(), distance: 500 };
        const flight = { id: sent + n, departed_at: Date.now(), ...where };
        return { key: String(flight.id), value: framed(schemaId, flightType.toBuffer(flight)) };
      });
      await upstream.send(messages);
      sent += count;
    },
    answered: async () => (await recordsIn(watched.output)) + (await recordsIn(watched.deadLetter)),
    deadLetters: () => recordsIn(watched.deadLetter),
    async stop() {
      // A test that failed has left one behind.
      for (const sluice of started) sluice.signal('SIGKILL');
      await upstream.close();
      await Promise.all([kafka.close(), bigtable.close(), registry.close()]);
      await Promise.all([registryServer.close(), services.stop(), rm(folder, { recursive: true })]);
    },
  };
}

/** The flight example, with topics of its own and every look-up asked of the store. */
function topologyOf(
  { inputs, group, output, deadLetter }: Watched,
  { records, bytes }: { records: number; bytes: string },
): string {
  return readFileSync(join(ROOT, 'topologies/flight-delay.yaml'), 'utf8')
    .replace(/^topology: .*$/m, `topology: ${group}`)
    .replace('topics: [flights.departed]', `topics: [${inputs[0]}]`)
    .replace('group: flight-delay', `group: ${group}`)
    .replace('topic: flights.delay-risk', `topic: ${output}`)
    .replace('topic: flights.dead-letter', `topic: ${deadLetter}`)
    .replace(/^ +cache: .*$/m, '')
    .replace(/maxInFlight: \{.*\}/, `maxInFlight: { records: ${records}, bytes: ${bytes} }`)
    .replaceAll(/: (schemas|models)\//g, (_, dir: string) => `: ${join(ROOT, dir)}/`);
}

async function makeTables(emulatorHost: string): Promise<void> {
  const deps = { clock: createSystemClock(), telemetry: new RecordingTelemetry(), random: () => 0.5 };
  const writer = createBigtableWriter(deps, { project: 'dev', instance: 'dev', emulatorHost });
  await writer.ensureTable('airport', ['dep', 'arr']);
  await writer.ensureTable('route', ['agg', 'slots']);
  await writer.close();
}
