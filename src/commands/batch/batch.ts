import { statSync } from 'node:fs';
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
import { conclude } from '../conclude.ts';
import { asFiles, NO_SCHEMAS } from '../file-plan.ts';
import type { Io } from '../io.ts';
import { type Look, withLook } from '../look/connect.ts';
import { preparePlan } from '../prepare.ts';
import { loadModel } from '../world/load-model.ts';
import { createSchemas } from '../world/world.ts';
import { begin } from './begin.ts';
import type { Bookmark } from './bookmark.ts';
import { createKeeper, type Standing } from './bookmark-keeper.ts';
import { countsOf, settledOf } from './counts.ts';
import { checkTopics, type Ends, parseEnds } from './endpoints.ts';
import { openFeatures } from './features.ts';
import { formatOf, valueKindOf } from './formats.ts';
import { fileInput, type InputDeps, topicInput } from './input.ts';
import type { BatchOptions } from './options.ts';
import { openOutput } from './output.ts';
import { checkedSize } from './paths.ts';
import { createBatchProgress } from './progress.ts';

/** What a batch runs in, apart from its input and output. */
interface Setting {
  readonly ends: Ends;
  readonly plan: Plan;
  readonly runtime: ModelRuntime;
  readonly telemetry: MetricStore;
  readonly totalBytes: number;
  /** Whether the reader of standard output has gone. */
  readonly reader: { gone: boolean };
}

/** A bookmark costs some tens of milliseconds; after a crash, work since the last one is repeated. */
const BOOKMARK_EVERY_MS = 5_000;

/** `sluice batch`: the same path over a bounded input, with output in input order. Resolves with the exit code. */
export async function batch(options: BatchOptions, io: Io): Promise<number> {
  const { clock, stderr } = io;
  const ends = parseEnds(options);
  const totalBytes = checkedSize(ends, options);
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
  const formats = {
    input: options.inputFormat ?? formatOf(options.input),
    output: options.outputFormat ?? formatOf(options.output),
  };
  const begun = await begin(options, { ends, plan: checked, formats }, look, io);
  const { place, bookmark, ranges, answered, nothingLeft } = begun;
  const report = options.output === '-' ? stderr : stdout;
  const progress = createBatchProgress({ clock, stderr, report }, telemetry, options);
  const deps: InputDeps = { io, telemetry, credit, onProgress: progress.read };
  const { totalBytes } = setting;
  const input =
    ends.input.kind === 'file'
      ? await fileInput(ends.input, { format: formats.input, totalBytes, name: bookmark.name }, checked, deps)
      : topicInput(ends.input, { ranges, toEnd: (options.to ?? 'latest') === 'latest' }, checked, deps);
  const { output } = ends;
  const plan = asFiles(checked, {
    writer: input.writer,
    output: valueKindOf(formats.output),
    fromTopic: ends.input.kind === 'topic',
    toTopic: output.kind === 'topic' ? output.topic : undefined,
  });
  const store = await openFeatures(plan, { folder: options.features, online: look !== undefined }, { io, telemetry });
  const session = await loadModel(plan, { clock, telemetry, runtime, cores: io.cores, env });
  const schemas = look === undefined ? NO_SCHEMAS : createSchemas(plan, telemetry, io);
  const topicEnds = async () =>
    look && output.kind === 'topic' ? (await look.extents(output.topic)).map(({ end }) => end) : undefined;
  const standing = async (keep: Bookmark['keep']): Promise<Standing> => ({
    keep,
    ends: await topicEnds(),
    counts: countsOf(telemetry, bookmark.counts),
    read: Math.max(progress.readSoFar(), bookmark.read),
  });
  const keeper =
    'file' in place
      ? createKeeper({ clock, answered, measure: async () => standing(await written.flush()) }, bookmark, {
          file: place.file,
          everyMs: options.bookmarkEveryMs ?? BOOKMARK_EVERY_MS,
        })
      : undefined;
  keeper?.begin();
  const written = await openOutput(
    plan,
    { output, format: formats.output, deadLetters: options.deadLetters, keep: bookmark.keep },
    {
      ...{ io, telemetry, schemas },
      onReaderGone: () => {
        setting.reader.gone = true;
      },
    },
  );
  const { encoder, sink } = written;
  const source = input.open({
    next: new Map(Object.entries(bookmark.next).map(([partition, offset]) => [Number(partition), offset])),
    limit: options.limit - settledOf(bookmark.counts) + (answered?.left ?? 0),
    answered,
    stops: keeper,
  });
  const world = { clock, random, telemetry, credit, source, schemas, store, session, encoder, sink, instance };
  const runner = assemble(plan, world);
  let stoppedBy: string | undefined;
  const forget = io.onSignal((signal) => {
    stoppedBy ??= signal;
    runner.stop();
  });
  progress.start({ ...input, read: bookmark.read, before: bookmark.counts });
  const outcome = await runToDisk(runner, sink);
  forget();
  telemetry.flush();
  // The reader of the output has seen enough: not a failure, and nothing to report.
  if (setting.reader.gone) {
    progress.cancel();
    return EXIT.done;
  }
  const isWhole = outcome.result === 'done' && stoppedBy === undefined;
  if (isWhole && !options.resume) keeper?.remove();
  else if (outcome.result === 'done') {
    await keeper?.end(source.settled(), () => standing(lengthsOf(ends, options)), isWhole);
  }
  const mayGoOn = keeper !== undefined && !isWhole;
  progress.stop(outcome, { stoppedBy, mayGoOn, nothingLeft, heldBack: input.heldBack });
  return conclude(outcome, telemetry);
}

/** Lengths of the closed files. */
function lengthsOf({ output }: Ends, { deadLetters }: BatchOptions): Bookmark['keep'] {
  const lengthOf = (file: string | undefined): number =>
    (file === undefined ? undefined : statSync(file, { throwIfNoEntry: false })?.size) ?? 0;
  return { output: lengthOf(output.kind === 'file' ? output.file : undefined), deadLetters: lengthOf(deadLetters) };
}

/** Runs until the files are on disk. A disk error at the end is a failure like any other. */
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
