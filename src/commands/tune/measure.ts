import { loadGolden } from '../../bundle/golden.ts';
import { confluentPrefix } from '../../codecs/wire.ts';
import { classify } from '../../kernel/errors.ts';
import { seeded } from '../../kernel/random.ts';
import type { Plan } from '../../plan/plan.ts';
import type { CacheSettings } from '../../plan/topology.ts';
import type { ModelLoad, ModelRuntime, ModelSession } from '../../ports/model.ts';
import { encodeEvents, readEvents, synthesize } from '../bench/events.ts';
import { loadModel } from '../world/load-model.ts';
import { driveKafka } from './client.ts';
import { capture, drivePath, echo, type PathCost, type PathDeps, type Samples, SCHEMA_ID } from './path.ts';
import { measureRuns, type Runs, sizesUpTo } from './runs.ts';

export interface MeasureDeps extends PathDeps {
  readonly runtime: ModelRuntime;
  readonly cores: number;
  readonly say: (line: string) => void;
  /** Whether to end early, with the measurements so far. */
  readonly stop: () => boolean;
}

export interface MeasureOptions {
  readonly input: string | undefined;
  readonly seed: number;
  /** Given as an assumption, so not measured. */
  readonly clientUs: number | undefined;
}

/** Measurements of this machine and this model. */
export interface Measured {
  readonly device: string;
  /** Concurrent model runs beside the thread; 0: on it. */
  readonly beside: number;
  readonly cores: number;
  readonly samples: { readonly from: string; readonly records: number; readonly deadLetters: number };
  readonly runs: Runs;
  readonly threads: readonly { readonly threads: number; readonly runs: Runs }[];
  readonly devices: readonly DeviceTried[];
  /** With every look-up answered by a cache. */
  readonly path: PathCost;
  /** With every look-up going to the store, which answers at once; undefined without look-ups. */
  readonly uncached: PathCost | undefined;
  /** CPU of the Kafka client per record, both ends, µs; undefined if not measured. */
  readonly clientUs: number | undefined;
}

export interface DeviceTried {
  readonly device: string;
  readonly runs: Runs | undefined;
  /** Why it was not measured. */
  readonly why: string;
}

const SAMPLES = 4_096;
const CAPTURED_BYTES = 64 * 1024 * 1024;
/** Sizes up to this many times the topology's batch are measured, to see whether larger batches would pay. */
const BEYOND = 4;
const MS_EACH = 150;
const MS_EACH_OTHER = 60;
const PATH_ROUNDS = 3;
const PATH_MS = 400;
const PATH_FIRST = 20_000;
/** Holds every key of the samples throughout. */
const AMPLE: CacheSettings = { entries: 20_000, ttlMs: 3_600_000, negativeTtlMs: 3_600_000 };
const OTHER_DEVICES = ['cuda', 'tensorrt'] as const;

/** Loads the model as `run` does, and measures runs by size, threads, devices, and the path without the model. */
export async function measure(plan: Plan, options: MeasureOptions, deps: MeasureDeps): Promise<Measured> {
  const { clock, say, stop } = deps;
  const { samples, from } = await samplesOf(plan, options);
  const session = await loadModel(plan, {
    clock,
    telemetry: deps.telemetry(),
    runtime: deps.runtime,
    cores: deps.cores,
  });
  try {
    const { maxBatch, latencyBudgetMs } = plan.topology.flow;
    const capacity = Math.max(1, Math.min(maxBatch * BEYOND, Math.floor(CAPTURED_BYTES / rowBytes(plan))));
    const records = Math.min(samples.values.length, capacity, 256);
    say(`${plan.bundle.label} on ${session.device}: ${records} records (${from}) through the path`);
    const captured = await capture(plan, session, samples, { records, capacity }, deps);
    const sizes = [...sizesUpTo(Math.min(maxBatch, capacity)), maxBatch * 2, maxBatch * 4].filter(
      (rows) => rows <= capacity,
    );
    say(`runs of 1 to ${sizes[sizes.length - 1]} rows`);
    const timing = { clock, stop, stopMs: latencyBudgetMs };
    const runs = await measureRuns(session, captured, sizes, { ...timing, msEach: MS_EACH });
    const few = sizes.filter((_, i) => i % 3 === 0 || i === sizes.length - 1);
    const other = (load: Partial<ModelLoad>): Promise<Runs> =>
      elsewhere(plan, deps.runtime, load, (loaded) =>
        measureRuns(loaded, captured, few, { ...timing, msEach: MS_EACH_OTHER }),
      );
    const threads: Measured['threads'][number][] = [];
    if (session.device === 'cpu') {
      for (let count = 2; count <= deps.cores && !stop(); count *= 2) {
        say(`${count} threads a run`);
        threads.push({ threads: count, runs: await other({ device: 'cpu', threads: count }) });
      }
    }
    const devices: DeviceTried[] = [];
    for (const device of OTHER_DEVICES) {
      if (device === session.device || stop()) continue;
      devices.push(await tried(device, () => other({ device })));
    }
    say('the path without the model');
    const { path, uncached, clientUs } = await measurePath(
      plan,
      echo(session, captured),
      distinct(plan, samples, options),
      options,
      deps,
    );
    const isBeside = session.concurrency !== undefined || plan.topology.model.isolation !== 'none';
    return {
      device: session.device,
      beside: isBeside ? (session.concurrency ?? 1) : 0,
      cores: deps.cores,
      samples: { from, records, deadLetters: captured.deadLetters },
      runs,
      threads,
      devices,
      path,
      uncached,
      clientUs,
    };
  } finally {
    await session.close();
  }
}

/** Events of the file; otherwise the bundle's golden records; if there are none, events made from the schema. */
async function samplesOf(
  plan: Plan,
  { input, seed }: MeasureOptions,
): Promise<{ readonly samples: Samples; readonly from: string }> {
  const { value } = plan.topology.source;
  const { goldenFile } = plan.bundle;
  const golden = goldenFile === undefined ? undefined : loadGolden(goldenFile);
  const records = golden?.ok ? golden.records : [];
  const stated = records.map(({ features }) => features);
  let [lines, from] = [records.map(({ event }) => Buffer.from(JSON.stringify(event))) as readonly Buffer[], 'golden'];
  if (input !== undefined) [lines, from] = [await readEvents(input, SAMPLES), 'input'];
  else if (lines.length === 0) [lines, from] = [synthesize(value.schema, SAMPLES, seeded(seed)), 'synthetic'];
  return { samples: { values: encodeEvents(lines, value, prefixOf(plan)), stated }, from };
}

/**
 * Golden records are few, so a frame of them has few distinct keys → look-ups would seem cheaper than they are → unless the user gave
 * events, generated ones are used, each record with its own keys.
 */
function distinct(plan: Plan, samples: Samples, { input, seed }: MeasureOptions): Samples {
  const { value } = plan.topology.source;
  if (input !== undefined || plan.reads.length === 0) return samples;
  try {
    const lines = synthesize(value.schema, SAMPLES, seeded(seed));
    return { ...samples, values: encodeEvents(lines, value, prefixOf(plan)) };
  } catch (thrown) {
    if (classify(thrown).code !== 'usage-invalid') throw thrown;
    return samples;
  }
}

function prefixOf({ topology }: Plan): Buffer {
  const { value } = topology.source;
  return value.kind === 'avro' && value.wire === 'confluent' ? confluentPrefix(SCHEMA_ID) : Buffer.alloc(0);
}

function rowBytes({ feeds }: Plan): number {
  return feeds.reduce((sum, { rowShape }) => sum + 8 * rowShape.reduce((a, b) => a * b, 1), 0);
}

async function elsewhere<T>(
  plan: Plan,
  runtime: ModelRuntime,
  load: Partial<ModelLoad>,
  work: (session: ModelSession) => Promise<T>,
): Promise<T> {
  const session = await runtime.load({
    file: plan.bundle.modelFile,
    device: 'cpu',
    feeds: plan.feeds,
    fetches: plan.predictions.fetches,
    ...load,
  });
  try {
    return await work(session);
  } finally {
    await session.close();
  }
}

async function tried(device: string, work: () => Promise<Runs>): Promise<DeviceTried> {
  try {
    return { device, runs: await work(), why: '' };
  } catch (thrown) {
    return { device, runs: undefined, why: classify(thrown).message };
  }
}

/** Minimum CPU over alternating rounds: other load only adds time, and code gets faster. */
async function measurePath(
  plan: Plan,
  says: ModelSession,
  samples: Samples,
  { clientUs }: MeasureOptions,
  deps: MeasureDeps,
): Promise<Pick<Measured, 'path' | 'uncached' | 'clientUs'>> {
  const cached = cachedBy(plan, AMPLE);
  const drive = (driven: Plan, records: number): Promise<PathCost> =>
    drivePath(driven, says, samples, { records, warmUp: PATH_FIRST }, deps);
  let path = await drive(cached, PATH_FIRST);
  const records = Math.max(PATH_FIRST, Math.min(200_000, Math.round((PATH_MS * 1000) / path.us)));
  let uncached: PathCost | undefined;
  let kafkaUs: number | undefined;
  /** A machine on which it did not finish once is too busy for another round. */
  let finishes = clientUs === undefined;
  for (let round = 0; round < PATH_ROUNDS && !deps.stop(); round++) {
    path = lesser(path, await drive(cached, records));
    if (plan.reads.length > 0) uncached = lesser(uncached, await drive(cachedBy(plan, undefined), records));
    if (!finishes || deps.stop()) continue;
    if (round === 0) deps.say('the path between topics of an embedded broker');
    const us = await driveKafka(cached, says, samples, deps);
    finishes = us !== undefined;
    kafkaUs = us === undefined ? kafkaUs : Math.min(us, kafkaUs ?? us);
  }
  return { path, uncached, clientUs: kafkaUs === undefined ? undefined : Math.max(0, kafkaUs - path.us) };
}

function lesser(one: PathCost | undefined, other: PathCost): PathCost {
  return one !== undefined && one.us <= other.us ? one : other;
}

function cachedBy(plan: Plan, cache: CacheSettings | undefined): Plan {
  return { ...plan, reads: plan.reads.map((read) => ({ ...read, cache })) };
}
