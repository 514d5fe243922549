/**
 * CPU per record of the enriched workload, without a broker: `node bench/enriched-path.ts [records] [frameRecords]`.
 *
 * One key a record, three views, 100,000 keys by Zipf's law, every key asked for already in the cache: the real plan,
 * codecs and ONNX session between a source of ready-made frames and a sink that acknowledges at once. CPU of the process (all
 * its threads), best of several rounds. The store behind the cache answers from an array. Then decode, enrich and preprocess
 * alone, one after the other on frames in memory; `--stages` measures only these. Only reports, never fails.
 */
import { createOnnxRuntime } from '../src/adapters/onnx/runtime.ts';
import { assemble } from '../src/assemble.ts';
import { compileAvroEncoder } from '../src/codecs/avro/encoder.ts';
import { confluentPrefix } from '../src/codecs/wire.ts';
import { preparePlan } from '../src/commands/prepare.ts';
import { Conditions } from '../src/kernel/conditions.ts';
import { Credit } from '../src/kernel/credit.ts';
import type { Frame } from '../src/kernel/frame.ts';
import { FrameBuilder } from '../src/kernel/frame-builder.ts';
import { createSystemClock } from '../src/kernel/system-clock.ts';
import type { FeatureStore } from '../src/ports/feature-store.ts';
import type { ModelSession } from '../src/ports/model.ts';
import { createDecode } from '../src/stages/decode.ts';
import { createEnrich } from '../src/stages/enrich.ts';
import { giveBack } from '../src/stages/pool.ts';
import { createPreprocess } from '../src/stages/preprocess.ts';
import type { HistogramSeries } from '../src/telemetry/metrics.ts';
import { createTelemetry } from '../src/telemetry/metrics.ts';
import { createEnds, type Feed } from './ends.ts';
import { FEATURES_A_KEY, featureTable } from './workloads/features.ts';
import { samples } from './workloads/records.ts';
import { WORKLOADS, type Workload } from './workloads/workloads.ts';

const ROUNDS = 6;
const STAGE_ROUNDS = 25;
const OUTPUT_SCHEMA_ID = 2;

const [records = 1_000_000, frameRecords = 512] = process.argv.slice(2).map(Number).filter(Number.isFinite);
const workload = WORKLOADS.get('enriched') as Workload;
const clock = createSystemClock();
const quiet = () => createTelemetry({ clock, log: { log: () => undefined } });
const runtime = createOnnxRuntime({ telemetry: quiet() });
const plan = await preparePlan(workload.topology, runtime, { env: {}, stderr: process.stderr });
const { feeds, predictions, bundle, topology } = plan;
const loaded = await runtime.load({ file: bundle.modelFile, device: 'cpu', feeds, fetches: predictions.fetches });
// A path closes its world at the end; this one is kept open for the next round.
const session: ModelSession = { ...loaded, close: async () => undefined };
const encoder = compileAvroEncoder({
  schema: topology.output.value.schema,
  fields: plan.outputFields,
  wants: plan.wants,
  predictions: predictions.predictions,
  prefix: confluentPrefix(OUTPUT_SCHEMA_ID),
});
const store = storeOf(workload.features?.keys ?? 0);
const feed: Feed = { keys: [], values: [] };
for (const { key, value } of samples(workload)) {
  (feed.keys as Buffer[]).push(key as Buffer);
  (feed.values as Buffer[]).push(value as Buffer);
}

if (!process.argv.includes('--stages')) {
  let least = await run();
  const costs = [least.cpu];
  while (costs.length < ROUNDS) {
    const measured = await run();
    if (measured.cpu < least.cpu) least = measured;
    costs.push(measured.cpu);
  }
  const rest = costs.map((cost) => cost.toFixed(3)).join(' ');
  console.log(`frames of ${frameRecords}: ${least.cpu.toFixed(3)} µs CPU a record (rounds: ${rest})`);
  console.log(`µs within each stage, time, not CPU: ${least.stages}`);
}
await loaded.close();
console.log(await stagesAlone());

async function run(): Promise<{ readonly cpu: number; readonly stages: string }> {
  const telemetry = quiet();
  const { maxInFlight } = topology.flow;
  const credit = new Credit({ maxRecords: maxInFlight.records, maxBytes: maxInFlight.bytes });
  const seconds = () =>
    new Map(
      (telemetry.series('sluice_stage_seconds') as readonly HistogramSeries[]).map((each) => [
        each.labels.stage,
        each.sum,
      ]),
    );
  let before = new Map<string, number>();
  let cpu = process.cpuUsage();
  const warmUp = feed.values.length;
  const onWarm = () => {
    before = seconds();
    cpu = process.cpuUsage();
  };
  const drive = { warmUp, records, frameRecords, onWarm };
  const ends = createEnds({ credit, telemetry, topic: topology.source.topics[0] }, feed, drive);
  const outcome = await assemble(plan, {
    clock,
    random: Math.random,
    telemetry,
    credit,
    source: ends.source,
    schemas: { writerSchema: async () => topology.source.value.schema, idFor: async () => OUTPUT_SCHEMA_ID },
    store,
    session,
    encoder,
    sink: ends.sink,
    instance: 'bench',
  }).run();
  const { user, system } = process.cpuUsage(cpu);
  if (outcome.result !== 'done') throw outcome.error ?? new Error(`the run ended with ${outcome.result}`);
  if (ends.rows() !== warmUp + records) throw new Error(`${warmUp + records} records gave ${ends.rows()} rows`);
  const each = [...seconds()].map(([stage, s]) => {
    return `${stage} ${(((s - (before.get(stage) ?? 0)) * 1e6) / records).toFixed(3)}`;
  });
  const [batches] = telemetry.series('sluice_batch_rows') as readonly HistogramSeries[];
  return {
    cpu: (user + system) / records,
    stages: `${each.join('  ')}; ${ends.chunks()} chunks; ${(batches.sum / batches.count).toFixed(0)} rows a batch`,
  };
}

/** CPU of the process, µs a record; for each, the round with the least. */
async function stagesAlone(): Promise<string> {
  const conditions = new Conditions();
  const schemas = { writerSchema: async () => topology.source.value.schema, idFor: async () => OUTPUT_SCHEMA_ID };
  const abandon = new AbortController().signal;
  const deps = { clock, telemetry: quiet(), random: Math.random, conditions, abandon, schemas, store };
  const decode = createDecode(deps, plan);
  const enrich = createEnrich(deps, plan);
  const preprocess = createPreprocess(deps, plan, enrich.release);
  const frames = framesOf(feed);
  const least = [0, 0, 0].fill(Number.POSITIVE_INFINITY);
  let rows = 0;
  let count = 0;
  for (let round = 0; round <= STAGE_ROUNDS; round++) {
    const spent = [0, 0, 0];
    count = 0;
    for (const frame of frames) {
      const start = cpuUs();
      const decoding = decode(frame);
      if (decoding !== undefined) await decoding;
      const decoded = cpuUs();
      const enriching = enrich(frame);
      if (enriching !== undefined) await enriching;
      const enriched = cpuUs();
      if (round === 0) rows += new Set(frame.reads[0].index).size;
      preprocess(frame);
      const end = cpuUs();
      if (round > 0) {
        spent[0] += decoded - start;
        spent[1] += enriched - decoded;
        spent[2] += end - enriched;
      }
      giveBack(frame);
      frame.columns = [];
      count += frame.count;
    }
    if (round > 0) for (const [k, us] of spent.entries()) least[k] = Math.min(least[k], us / count);
  }
  const each = ['decode', 'enrich', 'preprocess'].map((stage, k) => `${stage} ${least[k].toFixed(3)}`);
  return `stages alone, µs CPU a record: ${each.join('  ')}; ${(rows / frames.length).toFixed(0)} keys a frame`;
}

/** Of all threads: the system accounts a single thread in clock ticks, too coarse for a frame. */
function cpuUs(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

function framesOf({ keys, values }: Feed): Frame[] {
  const frames: Frame[] = [];
  for (let from = 0; from < keys.length; from += frameRecords) {
    const to = Math.min(from + frameRecords, keys.length);
    let bytes = 0;
    for (let i = from; i < to; i++) bytes += keys[i].length + values[i].length;
    const builder = new FrameBuilder({ topic: 'bench', partition: 0, epoch: 0 }, to - from, bytes);
    for (let i = from; i < to; i++) builder.append(i, 0, keys[i], values[i], null);
    frames.push(builder.build(to, 0, 0));
  }
  return frames;
}

/** Every row exists, written some minutes ago. */
function storeOf(keys: number): FeatureStore {
  const table = Float32Array.from(featureTable(keys));
  return {
    open: async () => undefined,
    close: async () => undefined,
    async read({ keys: asked, views, rowWidth, into }) {
      const writtenAtMs = clock.wallMs() - 300_000;
      into.writtenAtMs.fill(writtenAtMs, 0, asked.length * views.length);
      for (const [k, key] of asked.entries()) {
        const row = Number(key.toString('latin1', 1)) * FEATURES_A_KEY;
        into.values.set(table.subarray(row, row + FEATURES_A_KEY), k * rowWidth);
      }
    },
  };
}
