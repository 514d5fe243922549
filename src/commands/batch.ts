import { accessSync, constants, realpathSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { createFeatureFiles } from '../adapters/files/feature-files.ts';
import { createJsonlSink } from '../adapters/files/jsonl-sink.ts';
import { createJsonlSource } from '../adapters/files/jsonl-source.ts';
import { createOnnxRuntime } from '../adapters/onnx/runtime.ts';
import { createLog } from '../adapters/pino/log.ts';
import { assemble } from '../assemble.ts';
import { compileJsonEncoder } from '../codecs/json-encoder.ts';
import { Credit } from '../kernel/credit.ts';
import { classify, EXIT, SluiceError } from '../kernel/errors.ts';
import type { Plan } from '../plan/plan.ts';
import type { FeatureStore } from '../ports/feature-store.ts';
import type { Sink } from '../ports/sink.ts';
import type { Runner, RunOutcome } from '../runner.ts';
import { createTelemetry } from '../telemetry/metrics.ts';
import { asFiles, NO_SCHEMAS } from './as-files.ts';
import { createBatchProgress } from './batch-progress.ts';
import { conclude } from './conclude.ts';
import type { Io } from './io.ts';
import { loadModel } from './load-model.ts';
import { NO_STORE } from './no-store.ts';
import { preparePlan } from './prepare.ts';
import { createStores, type StoreDeps } from './stores.ts';

export interface BatchOptions {
  readonly topology: string;
  /** JSON Lines; `.gz` is unpacked, `-` is standard input. */
  readonly input: string;
  /** JSON Lines; `.gz` is packed, `-` is standard output. */
  readonly output: string;
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
  const plan = asFiles(await preparePlan(options.topology, runtime, io));
  const { records, bytes } = plan.topology.flow.maxInFlight;
  const credit = new Credit({ maxRecords: records, maxBytes: bytes });
  const report = options.output === '-' ? stderr : stdout;
  const progress = createBatchProgress({ clock, stderr, report }, telemetry, { totalBytes, json: options.json });
  const store = await openFeatures(plan, options.features, { clock, telemetry, env });
  const session = await loadModel(plan, { clock, telemetry, runtime, cores: io.cores, env });
  const { output, deadLetter } = plan.topology;
  const sink = createJsonlSink({
    outputs: { [output.topic]: options.output },
    deadLetters: { topic: deadLetter.topic, file: options.deadLetters },
    stdout,
    onReaderGone: () => {
      readerGone = true;
    },
  });
  await sink.open([output.topic, deadLetter.topic]);
  const source = createJsonlSource(
    { clock, credit },
    {
      ...(options.input === '-' ? { file: 'stdin', stdin: io.stdin } : { file: options.input }),
      frameRecords: FRAME_RECORDS,
      limit: options.limit,
      onProgress: progress.read,
    },
  );
  const encoder = compileJsonEncoder({
    schema: output.value.schema,
    fields: plan.outputFields,
    wants: plan.wants,
    predictions: plan.predictions.predictions,
  });
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

/** The size of the input, 0 where nobody knows; throws where it cannot be read, or where a file would be written over that is still needed. */
function checkedSize({ input, output, deadLetters }: BatchOptions): number {
  const size = input === '-' ? 0 : sizeOf(input);
  const named = [
    { option: '--input', path: input === '-' ? 'standard input' : realPath(input) },
    { option: '--output', path: realPath(output) },
    ...(deadLetters === undefined ? [] : [{ option: '--dead-letters', path: realPath(deadLetters) }]),
  ];
  named.forEach(({ option, path }, i) => {
    const same = named.slice(0, i).find((other) => other.path === path);
    if (same === undefined || path === DISCARD) return;
    throw new SluiceError(
      'usage-invalid',
      `${same.option} and ${option} are the same file, ${path}; give each its own`,
    );
  });
  return size;
}

function sizeOf(file: string): number {
  const found = statSync(file, { throwIfNoEntry: false });
  if (found === undefined)
    throw new SluiceError('file-missing', `there is no file ${file}; give --input a file of JSON Lines`);
  if (found.isDirectory())
    throw new SluiceError('usage-invalid', `${file} is a folder; give --input a file of JSON Lines`);
  try {
    accessSync(file, constants.R_OK);
  } catch (thrown) {
    throw new SluiceError('usage-invalid', `cannot read ${file}: ${(thrown as Error).message}`, thrown);
  }
  return found.isFile() ? found.size : 0;
}

const DISCARD = '/dev/null';

function realPath(file: string): string {
  if (file === '-') return 'standard output';
  return statSync(file, { throwIfNoEntry: false }) === undefined ? resolve(file) : realpathSync(file);
}
