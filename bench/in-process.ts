/**
 * The assembled path without a broker, for measurements: the real plan, codecs, feature files and ONNX session between a
 * source that makes frames of ready-made values and a sink that acknowledges at once. The two ends cost
 * little, and per frame rather than per record, so the figures are those of the path itself.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import avsc from 'avsc';
import { createFeatureFiles } from '../src/adapters/files/feature-files.ts';
import { createOnnxRuntime } from '../src/adapters/onnx/runtime.ts';
import { assemble } from '../src/assemble.ts';
import { compileAvroEncoder } from '../src/codecs/avro/encoder.ts';
import { compileJsonEncoder } from '../src/codecs/json/encoder.ts';
import { confluentPrefix } from '../src/codecs/wire.ts';
import { preparePlan } from '../src/commands/prepare.ts';
import { Credit } from '../src/kernel/credit.ts';
import { createSystemClock } from '../src/kernel/system-clock.ts';
import type { Plan } from '../src/plan/plan.ts';
import type { FeatureStore } from '../src/ports/feature-store.ts';
import type { ModelSession } from '../src/ports/model.ts';
import { createTelemetry, type MetricStore } from '../src/telemetry/metrics.ts';
import { createEnds, type Drive, type Feed } from './ends.ts';
import { type LightVariant, lightTopology } from './light.ts';
import { vectorTopology } from './vectors.ts';

export const TOPOLOGY = 'topologies/flight-delay.yaml';
export const FEATURES = 'examples/flight-delay/features';
export const SCHEMA_ID = 1;

export interface Flight {
  readonly id: number;
  readonly departed_at: number;
  readonly origin: string | null;
  readonly destination: string | null;
  readonly distance: number | null;
}

export function readFlights(limit = Number.POSITIVE_INFINITY): Flight[] {
  const text = gunzipSync(readFileSync('examples/flight-delay/flights.jsonl.gz')).toString('utf8');
  return text
    .trimEnd()
    .split('\n')
    .slice(0, limit)
    .map((line) => JSON.parse(line) as Flight);
}

export interface Variant {
  readonly format: 'avro' | 'json';
  /** `shipped`: as in the repository (the route is cached); `all`: every look-up is cached; `none`: every look-up goes to the store. */
  readonly cache: 'shipped' | 'all' | 'none';
  /** In place of the topology's 256. */
  readonly maxBatch?: number;
}

/** The shipped topology with another cache or format, and nothing else changed. */
export function variantOf(yaml: string, { format, cache, maxBatch }: Variant): string {
  let text = yaml;
  if (cache === 'all') {
    text = text.replaceAll(
      /(\{ from: bigtable, table: airport,)/g,
      '$1 cache: { entries: 100000, ttl: 10m, negativeTtl: 1m },',
    );
  }
  if (cache === 'none') text = text.replace(/^ *cache: .*\n/m, '');
  if (format === 'json') text = text.replaceAll(/\{ avro: (\S+), wire: confluent \}/g, '{ json: $1 }');
  if (maxBatch !== undefined) text = text.replace(/maxBatch: \d+/, `maxBatch: ${maxBatch}`);
  return text;
}

/** Keys and values as an upstream producer makes them. */
export function feedOf(flights: readonly Flight[], format: Variant['format']): Feed {
  const type = avsc.Type.forSchema(JSON.parse(readFileSync('schemas/flight-departed.avsc', 'utf8')));
  const prefix = confluentPrefix(SCHEMA_ID);
  return {
    keys: flights.map(({ id }) => Buffer.from(String(id))),
    values: flights.map((flight) =>
      format === 'json' ? Buffer.from(JSON.stringify(flight)) : Buffer.concat([prefix, type.toBuffer(flight)]),
    ),
  };
}

export interface PathBench {
  readonly plan: Plan;
  readonly session: ModelSession;
  readonly store: FeatureStore;
  /** Drives records through a new path; resolves when all are settled. */
  run(feed: Feed, drive: Drive): Promise<Settled>;
  close(): Promise<void>;
}

export interface Settled {
  readonly telemetry: MetricStore;
  readonly rows: number;
  readonly chunks: number;
}

export async function createPathBench(variant: Variant): Promise<PathBench> {
  return benchOf((dir) => {
    const file = join(dir, 'flight-delay.yaml');
    writeFileSync(file, variantOf(readFileSync(TOPOLOGY, 'utf8'), variant));
    return file;
  }, variant.format);
}

/** The light workload: no look-ups, a small model. */
export async function createLightBench(variant: LightVariant = {}): Promise<PathBench> {
  return benchOf((dir) => {
    const file = join(dir, 'light.yaml');
    writeFileSync(file, lightTopology(variant));
    return file;
  }, 'avro');
}

/** Wide vectors through a small network: moving bytes costs as much as the model. */
export async function createVectorBench(format: Variant['format']): Promise<PathBench> {
  return benchOf((dir) => {
    const file = join(dir, 'vectors.yaml');
    writeFileSync(file, vectorTopology(format));
    return file;
  }, format);
}

/** `write` puts the topology and what it names into a folder and returns its file. */
async function benchOf(write: (folder: string) => string, format: Variant['format']): Promise<PathBench> {
  const clock = createSystemClock();
  const quiet = () => createTelemetry({ clock, log: { log: () => undefined } });
  const dir = mkdtempSync(join(tmpdir(), 'sluice-bench-'));
  const runtime = createOnnxRuntime({ telemetry: quiet() });
  const plan = await preparePlan(write(dir), runtime, { env: {}, stderr: process.stderr });
  const { output, source } = plan.topology;
  const loaded = await runtime.load({
    file: plan.bundle.modelFile,
    device: 'cpu',
    feeds: plan.feeds,
    fetches: plan.predictions.fetches,
  });
  rmSync(dir, { recursive: true });
  const files = createFeatureFiles({ folder: FEATURES, reads: plan.reads });
  await files.open([...new Set(plan.reads.map(({ table }) => table))]);
  // A path closes its world at the end; these two are kept open for the next one.
  const session: ModelSession = { ...loaded, close: async () => undefined };
  const store: FeatureStore = { ...files, close: async () => undefined };
  const shape = {
    schema: output.value.schema,
    fields: plan.outputFields,
    wants: plan.wants,
    predictions: plan.predictions.predictions,
  };
  const encoder =
    format === 'json'
      ? compileJsonEncoder(shape)
      : compileAvroEncoder({ ...shape, prefix: confluentPrefix(SCHEMA_ID) });

  return {
    plan,
    session,
    store,
    async run(feed, drive) {
      const telemetry = quiet();
      const { maxInFlight } = plan.topology.flow;
      const credit = new Credit({ maxRecords: maxInFlight.records, maxBytes: maxInFlight.bytes });
      const ends = createEnds({ credit, telemetry, topic: plan.topology.source.topics[0] }, feed, drive);
      const runner = assemble(plan, {
        clock,
        random: Math.random,
        telemetry,
        credit,
        source: ends.source,
        schemas: { writerSchema: async () => source.value.schema, idFor: async () => SCHEMA_ID },
        store,
        session,
        encoder,
        sink: ends.sink,
        instance: 'bench',
      });
      const outcome = await runner.run();
      if (outcome.result !== 'done') throw outcome.error ?? new Error(`the run ended with ${outcome.result}`);
      const records = drive.records + (drive.warmUp ?? 0);
      if (ends.rows() !== records) throw new Error(`${records} records gave ${ends.rows()} rows`);
      return { telemetry, rows: ends.rows(), chunks: ends.chunks() };
    },
    async close() {
      await Promise.all([loaded.close(), files.close()]);
    },
  };
}
