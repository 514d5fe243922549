import { createFileSource } from '../../adapters/files/batch/file-source.ts';
import { createFeatureFiles } from '../../adapters/files/feature-files.ts';
import { createFileSink } from '../../adapters/files/file-sink.ts';
import { createOnnxRuntime } from '../../adapters/onnx/runtime.ts';
import { createLog } from '../../adapters/pino/log.ts';
import { assemble } from '../../assemble.ts';
import { compileAvroEncoder } from '../../codecs/avro-encoder.ts';
import { compileJsonEncoder } from '../../codecs/json-encoder.ts';
import { Credit } from '../../kernel/credit.ts';
import { classify, EXIT, SluiceError } from '../../kernel/errors.ts';
import { predictedColumns } from '../../plan/look-ups.ts';
import type { Plan } from '../../plan/plan.ts';
import type { FeatureStore } from '../../ports/feature-store.ts';
import type { Sink } from '../../ports/sink.ts';
import type { Runner, RunOutcome } from '../../runner.ts';
import { createTelemetry } from '../../telemetry/metrics.ts';
import { asFiles, NO_SCHEMAS } from '../as-files.ts';
import { conclude } from '../conclude.ts';
import type { Io } from '../io.ts';
import { loadModel } from '../load-model.ts';
import { NO_STORE } from '../no-store.ts';
import { preparePlan } from '../prepare.ts';
import { createStores, type StoreDeps } from '../stores.ts';
import { type FileFormat, formatOf, openInput, rowFormatOf, valueKindOf } from './formats.ts';
import { checkedSize } from './paths.ts';
import { createBatchProgress } from './progress.ts';

export interface BatchOptions {
  readonly topology: string;
  /** `.gz` and `.zst` are unpacked, `-` is standard input. */
  readonly input: string;
  /** `.gz` and `.zst` are packed, `-` is standard output. */
  readonly output: string;
  /** What the files are, where their names do not say it. */
  readonly inputFormat: FileFormat | undefined;
  readonly outputFormat: FileFormat | undefined;
  readonly deadLetters: string | undefined;
  /** Folder of feature files, TABLE.jsonl[.gz]. */
  readonly features: string | undefined;
  readonly limit: number;
  /** The summary as JSON, on standard output; on standard error where the predictions go to standard output. */
  readonly json: boolean;
}

const FRAME_RECORDS = 512;

/** `sluice batch`: the same path over a bounded file, output in input order. Resolves with the exit code. */
export async function batch(options: BatchOptions, io: Io): Promise<number> {
  const { clock, random, env, instance, stdout, stderr } = io;
  const totalBytes = checkedSize(options);
  let readerGone = false;
  const write = (line: string): void => {
    if (!readerGone) stderr.write(line);
  };
  const log = createLog({ clock }, { level: 'warn', pretty: !options.json, write });
  const telemetry = createTelemetry({ clock, log });
  const runtime = createOnnxRuntime({ telemetry });
  const checked = await preparePlan(options.topology, runtime, io);
  const inputFormat = options.inputFormat ?? formatOf(options.input);
  const outputFormat = options.outputFormat ?? formatOf(options.output);
  const { records, bytes } = checked.topology.flow.maxInFlight;
  const credit = new Credit({ maxRecords: records, maxBytes: bytes });
  const report = options.output === '-' ? stderr : stdout;
  const progress = createBatchProgress({ clock, stderr, report }, telemetry, { totalBytes, json: options.json });
  const file = await openInput(options.input, inputFormat, checked, {
    stdin: io.stdin,
    onProgress: progress.read,
    maxValueBytes: credit.maxBytes,
  });
  const plan = asFiles(checked, { writer: file.writer, output: valueKindOf(outputFormat) });
  const store = await openFeatures(plan, options.features, { clock, telemetry, env });
  const session = await loadModel(plan, { clock, telemetry, runtime, cores: io.cores, env });
  const { output, deadLetter } = plan.topology;
  const sink = createFileSink({
    outputs: { [output.topic]: options.output },
    format: rowFormatOf(outputFormat, output.value.schema),
    deadLetters: { topic: deadLetter.topic, file: options.deadLetters },
    stdout,
    onReaderGone: () => {
      readerGone = true;
    },
  });
  await sink.open([output.topic, deadLetter.topic]);
  const name = options.input === '-' ? 'stdin' : options.input;
  const source = createFileSource({ clock, credit }, file, { name, frameRecords: FRAME_RECORDS, limit: options.limit });
  const shape = {
    schema: output.value.schema,
    fields: plan.outputFields,
    wants: plan.wants,
    predictions: predictedColumns(plan),
  };
  const encoder =
    output.value.kind === 'json'
      ? compileJsonEncoder(shape)
      : compileAvroEncoder({ ...shape, prefix: Buffer.alloc(0) });
  const schemas = NO_SCHEMAS;
  const runner = assemble(plan, {
    clock,
    random,
    telemetry,
    credit,
    source,
    schemas,
    store,
    session,
    encoder,
    sink,
    instance,
  });
  let stoppedBy: string | undefined;
  const forget = io.onSignal((signal) => {
    stoppedBy ??= signal;
    runner.stop();
  });
  progress.start();
  const outcome = await runToDisk(runner, sink);
  forget();
  telemetry.flush();
  // Whoever read the output has seen enough: no failure, and nothing to say.
  if (readerGone) {
    progress.cancel();
    return EXIT.done;
  }
  progress.stop(outcome, stoppedBy);
  return conclude(outcome, telemetry);
}

/** A run whose files are on the disk. What the disk refuses at the end is a failure like any other. */
async function runToDisk(runner: Runner, sink: Sink): Promise<RunOutcome> {
  const outcome = await runner.run();
  if (outcome.result !== 'done') return outcome;
  try {
    await sink.close();
    return outcome;
  } catch (thrown) {
    return { ...outcome, result: 'failed', error: classify(thrown) };
  }
}

async function openFeatures(plan: Plan, folder: string | undefined, deps: StoreDeps): Promise<FeatureStore> {
  if (plan.reads.length === 0) return NO_STORE;
  const tables = [...new Set(plan.reads.map(({ table }) => table))];
  if (folder === undefined && plan.reads.every(({ from }) => from === 'file')) {
    const store = createStores(plan.topology, plan.reads, deps);
    await store.open(tables);
    return store;
  }
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
