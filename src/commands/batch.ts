import { statSync } from 'node:fs';
import { createFeatureFiles } from '../adapters/files/feature-files.ts';
import { createJsonlSink } from '../adapters/files/jsonl-sink.ts';
import { createJsonlSource } from '../adapters/files/jsonl-source.ts';
import { createOnnxRuntime } from '../adapters/onnx/runtime.ts';
import { createLog } from '../adapters/pino/log.ts';
import { assemble } from '../assemble.ts';
import { compileJsonEncoder } from '../codecs/json-encoder.ts';
import { Credit } from '../kernel/credit.ts';
import { SluiceError } from '../kernel/errors.ts';
import type { Plan } from '../plan/plan.ts';
import type { ValueFormat } from '../plan/topology.ts';
import { createTelemetry } from '../telemetry/metrics.ts';
import { createBatchProgress } from './batch-progress.ts';
import { conclude } from './conclude.ts';
import type { Io } from './io.ts';
import { loadModel } from './load-model.ts';
import { NO_STORE } from './no-store.ts';
import { preparePlan } from './prepare.ts';

export interface BatchOptions {
  readonly topology: string;
  /** JSON Lines; `.gz` is unpacked. */
  readonly input: string;
  /** JSON Lines; `.gz` is packed, `-` is standard output. */
  readonly output: string;
  readonly deadLetters: string | undefined;
  /** Folder of feature files, TABLE.jsonl[.gz]. */
  readonly features: string | undefined;
  readonly limit: number;
  /** The summary as JSON on standard error instead of lines for people. */
  readonly json: boolean;
}

const FRAME_RECORDS = 512;

/** `sluice batch`: the same path over a bounded file, output in input order. Resolves with the exit code. */
export async function batch(options: BatchOptions, io: Io): Promise<number> {
  const { clock, random, instance } = io;
  const log = createLog({ clock }, { level: 'warn', pretty: !options.json });
  const telemetry = createTelemetry({ clock, log });
  const runtime = createOnnxRuntime({ telemetry });
  const plan = asFiles(await preparePlan(options.topology, runtime, io));
  const { records, bytes } = plan.topology.flow.maxInFlight;
  const credit = new Credit({ maxRecords: records, maxBytes: bytes });
  const progress = createBatchProgress(io, telemetry, { totalBytes: sizeOf(options.input), json: options.json });
  const session = await loadModel(plan, runtime, telemetry);
  const store = await openFeatures(plan, options.features);
  const { output, deadLetter } = plan.topology;
  const sink = createJsonlSink({
    outputs: { [output.topic]: options.output },
    deadLetters: { topic: deadLetter.topic, file: options.deadLetters },
    stdout: io.stdout,
  });
  await sink.open([output.topic, deadLetter.topic]);
  const source = createJsonlSource(
    { clock, credit },
    { file: options.input, frameRecords: FRAME_RECORDS, limit: options.limit, onProgress: progress.read },
  );
  const encoder = compileJsonEncoder({
    schema: output.value.schema,
    fields: plan.outputFields,
    wants: plan.wants,
    predictions: plan.predictions.predictions,
  });
  const runner = assemble(plan, {
    clock,
    random,
    telemetry,
    credit,
    source,
    schemas: NO_SCHEMAS,
    store,
    session,
    encoder,
    sink,
    instance,
  });
  const forget = io.onSignal(() => runner.stop());
  progress.start();
  const outcome = await runner.run();
  forget();
  progress.stop(outcome);
  return conclude(outcome, telemetry);
}

/** The same plan with plain JSON on both ends: what a file of JSON Lines holds, typed by the topology's schemas. */
function asFiles(plan: Plan): Plan {
  const json = ({ schemaFile, schema }: ValueFormat): ValueFormat => ({ kind: 'json', schemaFile, schema });
  const { topology } = plan;
  return {
    ...plan,
    topology: {
      ...topology,
      source: { ...topology.source, value: json(topology.source.value) },
      output: { ...topology.output, value: json(topology.output.value) },
    },
  };
}

async function openFeatures(plan: Plan, folder: string | undefined): Promise<typeof NO_STORE> {
  if (plan.reads.length === 0) return NO_STORE;
  const tables = [...new Set(plan.reads.map(({ table }) => table))];
  if (folder === undefined) {
    throw new SluiceError(
      'usage-invalid',
      `${plan.topology.file} looks features up in ${tables.join(', ')}: give --features DIR, a folder with ${tables.map((table) => `${table}.jsonl`).join(', ')} (or .gz)`,
    );
  }
  const store = createFeatureFiles({ folder, reads: plan.reads });
  await store.open(tables);
  return store;
}

function sizeOf(file: string): number {
  const found = statSync(file, { throwIfNoEntry: false });
  if (found === undefined)
    throw new SluiceError('file-missing', `there is no file ${file}; give --input a file of JSON Lines`);
  return found.size;
}

const NO_SCHEMAS = {
  writerSchema: () => Promise.reject(new SluiceError('invariant-broken', 'a file has no writer schemas')),
  idFor: () => Promise.reject(new SluiceError('invariant-broken', 'a file has no schema ids')),
};
