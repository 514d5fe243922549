import { createOnnxRuntime } from '../../adapters/onnx/runtime.ts';
import { createLog } from '../../adapters/pino/log.ts';
import { assemble } from '../../assemble.ts';
import { Credit } from '../../kernel/credit.ts';
import { classify, EXIT } from '../../kernel/errors.ts';
import type { Plan } from '../../plan/plan.ts';
import type { ModelRuntime } from '../../ports/model.ts';
import type { Sink } from '../../ports/sink.ts';
import type { Runner, RunOutcome } from '../../runner.ts';
import { createTelemetry, type MetricStore } from '../../telemetry/metrics.ts';
import { asFiles, NO_SCHEMAS } from '../as-files.ts';
import { conclude } from '../conclude.ts';
import type { Io } from '../io.ts';
import { loadModel } from '../load-model.ts';
import { type Look, withLook } from '../look/connect.ts';
import { preparePlan } from '../prepare.ts';
import { createSchemas } from '../world.ts';
import { checkTopics, type Ends, parseEnds } from './ends.ts';
import { openFeatures } from './features.ts';
import { type FileFormat, formatOf, valueKindOf } from './formats.ts';
import { type BatchInput, fileInput, type InputDeps, topicInput } from './input.ts';
import { openOutput } from './output.ts';
import { checkedSize } from './paths.ts';
import { createBatchProgress } from './progress.ts';
import { rangesOf } from './ranges.ts';

export interface BatchOptions {
  readonly topology: string;
  /** `.gz` and `.zst` are unpacked, `-` is standard input, `kafka:TOPIC` a topic. */
  readonly input: string;
  /** `.gz` and `.zst` are packed, `-` is standard output, `kafka:TOPIC` a topic. */
  readonly output: string;
  /** What the files are, where their names do not say it. */
  readonly inputFormat: FileFormat | undefined;
  readonly outputFormat: FileFormat | undefined;
  /** Places in the topic; undefined: all of it, as it is at the start. */
  readonly from: string | undefined;
  readonly to: string | undefined;
  readonly deadLetters: string | undefined;
  /** Folder of feature files, TABLE.jsonl[.gz]. */
  readonly features: string | undefined;
  readonly limit: number;
  /** The summary as JSON, on standard output; on standard error where the predictions go to standard output. */
  readonly json: boolean;
}

/** What a batch runs in, but for its two ends. */
interface Setting {
  readonly ends: Ends;
  readonly plan: Plan;
  readonly runtime: ModelRuntime;
  readonly telemetry: MetricStore;
  readonly totalBytes: number;
  /** Whoever read standard output. */
  readonly reader: { gone: boolean };
}

/** `sluice batch`: the same path over what has an end, output in input order. Resolves with the exit code. */
export async function batch(options: BatchOptions, io: Io): Promise<number> {
  const { clock, stderr } = io;
  const ends = parseEnds(options);
  const totalBytes = checkedSize(ends, options.deadLetters);
  const reader = { gone: false };
  const write = (line: string): void => {
    if (!reader.gone) stderr.write(line);
  };
  const log = createLog({ clock }, { level: 'warn', pretty: !options.json, write });
  const telemetry = createTelemetry({ clock, log });
  const runtime = createOnnxRuntime({ telemetry });
  const plan = await preparePlan(options.topology, runtime, io);
  checkTopics(ends, plan.topology);
  const setting: Setting = { ends, plan, runtime, telemetry, totalBytes, reader };
  if (ends.input.kind === 'file' && ends.output.kind === 'file') return score(options, setting, undefined, io);
  return withLook({ topology: plan.topology }, io, (look) => score(options, setting, look, io));
}

async function score(options: BatchOptions, setting: Setting, look: Look | undefined, io: Io): Promise<number> {
  const { clock, random, env, instance, stdout, stderr } = io;
  const { ends, plan: checked, telemetry, runtime } = setting;
  const { records, bytes } = checked.topology.flow.maxInFlight;
  const credit = new Credit({ maxRecords: records, maxBytes: bytes });
  const { output } = ends;
  if (output.kind === 'topic') await look?.extents(output.topic);
  const report = options.output === '-' ? stderr : stdout;
  const progress = createBatchProgress({ clock, stderr, report }, telemetry, options);
  const input = await openInput(options, setting, look, {
    ...{ io, telemetry, credit },
    onProgress: progress.read,
  });
  const outputFormat = options.outputFormat ?? formatOf(options.output);
  const plan = asFiles(checked, {
    writer: input.writer,
    output: valueKindOf(outputFormat),
    fromTopic: ends.input.kind === 'topic',
    toTopic: output.kind === 'topic' ? output.topic : undefined,
  });
  const store = await openFeatures(plan, { folder: options.features, online: look !== undefined }, { io, telemetry });
  const session = await loadModel(plan, { clock, telemetry, runtime, cores: io.cores, env });
  const schemas = look === undefined ? NO_SCHEMAS : createSchemas(plan, telemetry, io);
  const { encoder, sink } = await openOutput(
    plan,
    { output, format: outputFormat, deadLetters: options.deadLetters },
    {
      ...{ io, telemetry, schemas },
      onReaderGone: () => {
        setting.reader.gone = true;
      },
    },
  );
  const source = input.open({ next: new Map(), limit: options.limit });
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
  progress.start(input);
  const outcome = await runToDisk(runner, sink);
  forget();
  telemetry.flush();
  // Whoever read the output has seen enough: no failure, and nothing to say.
  if (setting.reader.gone) {
    progress.cancel();
    return EXIT.done;
  }
  progress.stop(outcome, stoppedBy);
  return conclude(outcome, telemetry);
}

async function openInput(
  options: BatchOptions,
  { ends, plan, totalBytes }: Setting,
  look: Look | undefined,
  deps: InputDeps,
): Promise<BatchInput> {
  const { input } = ends;
  if (input.kind === 'file' || look === undefined) {
    return fileInput(input as typeof input & { kind: 'file' }, options.inputFormat, totalBytes, plan, deps);
  }
  const ranges = await rangesOf(options, input.topic, look, deps.io.clock.wallMs());
  return topicInput(input, ranges, plan, deps);
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
