/**
 * Parts of a workload alone, as a child of bench/limits.ts on the contestants' core: `node bench/limits/parts.ts WORKLOAD`.
 * Prints as JSON the µs of CPU per record: of the model at each batch size, and of Sluice's own decode stage on frames in memory.
 */
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { createFileSchemas } from '../../src/adapters/files/file-schemas.ts';
import { createOnnxRuntime } from '../../src/adapters/onnx/runtime.ts';
import { preparePlan } from '../../src/commands/prepare.ts';
import { Conditions } from '../../src/kernel/conditions.ts';
import type { Frame } from '../../src/kernel/frame.ts';
import { FrameBuilder } from '../../src/kernel/frame-builder.ts';
import { createSystemClock } from '../../src/kernel/system-clock.ts';
import { createDecode } from '../../src/stages/decode.ts';
import { giveBack } from '../../src/stages/pool.ts';
import { createTelemetry } from '../../src/telemetry/metrics.ts';
import { type Sample, samples } from '../workloads/records.ts';
import { WORKLOADS, type Workload } from '../workloads/workloads.ts';

const BATCHES = [1, 8, 32, 64, 256, 512, 1_024, 2_048, 4_096];
const FRAME_RECORDS = 512;
const FRAMES = 40;
const ROUNDS = 5;
const ROUND_MS = 150;

export interface Parts {
  readonly decodeUs: number;
  readonly model: readonly { readonly batch: number; readonly us: number }[];
}

const workload = WORKLOADS.get(process.argv[2]);
if (workload === undefined) throw new Error(`no workload ${process.argv[2]}`);
const parts: Parts = { decodeUs: await decodeOnly(workload), model: await modelOnly(workload) };
process.stdout.write(JSON.stringify(parts));
process.exit(0);

async function modelOnly({ model, input, output, width, shape = [width] }: Workload): Promise<Parts['model']> {
  const session = await InferenceSession.create(model, { intraOpNumThreads: 1, interOpNumThreads: 1 });
  const found: { batch: number; us: number }[] = [];
  for (const batch of BATCHES) {
    const rows = Float32Array.from({ length: batch * width }, (_, i) => Math.sin(i));
    const feeds = { [input]: new Tensor('float32', rows, [batch, ...shape]) };
    const us = await leastCpuUs(async () => {
      await session.run(feeds, [output]);
      return batch;
    });
    found.push({ batch, us });
  }
  return found;
}

async function decodeOnly(of: Workload): Promise<number> {
  const clock = createSystemClock();
  const telemetry = createTelemetry({ clock, log: { log: () => undefined } });
  const plan = await preparePlan(of.topology, createOnnxRuntime({ telemetry }), { env: {}, stderr: process.stderr });
  const { schema } = plan.topology.source.value;
  const schemas = createFileSchemas({ ids: [{ id: 1, schema }] });
  const conditions = new Conditions();
  const abandon = new AbortController().signal;
  const decode = createDecode({ clock, telemetry, random: Math.random, conditions, abandon, schemas }, plan);
  const frames = framesOf(of);
  return leastCpuUs(async () => {
    let records = 0;
    for (const frame of frames) {
      await decode(frame);
      giveBack(frame);
      frame.columns = [];
      records += frame.count;
    }
    return records;
  });
}

function framesOf(of: Workload): Frame[] {
  const some: Sample[] = [];
  for (const sample of samples(of)) {
    some.push(sample);
    if (some.length === FRAME_RECORDS * FRAMES) break;
  }
  const frames: Frame[] = [];
  for (let from = 0; from < some.length; from += FRAME_RECORDS) {
    const part = some.slice(from, from + FRAME_RECORDS);
    const bytes = part.reduce((sum, { key, value }) => sum + key.length + value.length, 0);
    const builder = new FrameBuilder({ topic: 'bench', partition: 0, epoch: 0 }, part.length, bytes);
    for (const [i, { key, value, atMs }] of part.entries()) builder.append(from + i, atMs, key, value, null);
    frames.push(builder.build(from + part.length, 0, 0));
  }
  return frames;
}

/** Over several rounds, after one to warm up. `turn` returns how many records it processed. */
async function leastCpuUs(turn: () => Promise<number>): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let round = 0; round <= ROUNDS; round++) {
    const before = process.cpuUsage();
    const untilMs = performance.now() + ROUND_MS;
    let records = 0;
    do records += await turn();
    while (performance.now() < untilMs);
    const { user, system } = process.cpuUsage(before);
    if (round > 0) least = Math.min(least, (user + system) / records);
  }
  return least;
}
