import { createFeatureFiles } from '../../adapters/files/feature-files.ts';
import { readLines } from '../../adapters/files/lines.ts';
import { createOnnxRuntime } from '../../adapters/onnx/runtime.ts';
import { createLog } from '../../adapters/pino/log.ts';
import { EXIT, SluiceError } from '../../kernel/errors.ts';
import { OPEN } from '../../kernel/fate.ts';
import type { Plan } from '../../plan/plan.ts';
import type { FeatureStore } from '../../ports/feature-store.ts';
import type { SchemaSource } from '../../ports/schemas.ts';
import type { Telemetry } from '../../ports/telemetry.ts';
import type { LogRecord } from '../../ports/topic-log.ts';
import { createTelemetry } from '../../telemetry/metrics.ts';
import { asFiles, NO_SCHEMAS } from '../file-plan.ts';
import type { Io } from '../io.ts';
import { type Look, withLook } from '../look/connect.ts';
import { throughLevels } from '../look/levels.ts';
import { paintFor } from '../look/paint.ts';
import { sourceText, tellingStore } from '../look/rows.ts';
import { plainRecord } from '../look/show.ts';
import { createValues, type Values } from '../look/values.ts';
import { preparePlan } from '../prepare.ts';
import { createStores } from '../world/stores.ts';
import { addressText, splitWords } from './address.ts';
import { describe } from './describe.ts';
import { findInput } from './input.ts';
import { createProbe, letsOf } from './probe.ts';
import { type Searched, searchTopic } from './published.ts';
import { frameOf, scoreRecord } from './score.ts';
import type { Explained } from './story.ts';
import { explainedText } from './text.ts';
import { whyOf } from './why.ts';

export interface ExplainOptions {
  /** A topology and an address, in either order. */
  readonly words: readonly string[];
  readonly topology?: string | undefined;
  readonly input?: string | undefined;
  /** From 1, as editors count. */
  readonly line?: number | undefined;
  /** Feature files instead of the store. */
  readonly features?: string | undefined;
  /** Read the store directly, bypassing a second level of the cache. */
  readonly store: boolean;
  /** Records of the output and dead-letter topics to search, at most. */
  readonly search: number;
  readonly json: boolean;
}

/** `sluice explain`: follows one record through the path, step by step. Resolves with the exit code. */
export async function explain(options: ExplainOptions, io: Io): Promise<number> {
  const { input, line } = options;
  if ((input === undefined) !== (line === undefined)) {
    throw new SluiceError('usage-invalid', 'give --input FILE and --line N together: which line of which file');
  }
  const { topology: file, at } = splitWords(options.words, options.topology, input === undefined);
  const { clock } = io;
  const telemetry = createTelemetry({ clock, log: createLog({ clock }, { level: 'error', pretty: true }) });
  const plan = await preparePlan(file, createOnnxRuntime({ telemetry }), io);
  if (input !== undefined && line !== undefined) {
    const json = asFiles(plan);
    const record = await lineOf(input, line, clock.wallMs());
    const values = createValues({ clock, schemas: NO_SCHEMAS }, () => json.topology.source.value);
    const found = { topic: input, place: `${input}:${line}`, record, via: [] };
    return tell(await explained(json, found, { values, schemas: NO_SCHEMAS, telemetry, options, io }), options, io);
  }
  if (at === undefined || plan.topology.connections.kafka === undefined) {
    throw new SluiceError(
      'topology-invalid',
      `${file} names no connections.kafka; explain a line with --input FILE --line N`,
    );
  }
  return withLook({ topology: plan.topology }, io, async (look) => {
    const found = await findInput(look, plan.topology, at);
    const { values, schemas } = look;
    const story = await explained(
      plan,
      { ...found, topic: found.at.topic, place: addressText(found.at) },
      { values, schemas, telemetry, options, io },
    );
    const source = { ...found.at, timestampMs: found.record.timestampMs };
    return tell({ ...story, searched: await searchBoth(look, plan, source, options.search) }, options, io);
  });
}

async function searchBoth(
  look: Look,
  { topology }: Plan,
  source: Parameters<typeof searchTopic>[3],
  most: number,
): Promise<readonly Searched[]> {
  const topics = [...new Set([topology.output.topic, topology.deadLetter.topic])];
  const searched: Searched[] = [];
  for (const topic of topics) searched.push(await searchTopic(look, topology, topic, source, most));
  return searched;
}

interface Found {
  readonly topic: string;
  readonly place: string;
  readonly record: LogRecord;
  readonly via: readonly string[];
}

interface Explaining {
  readonly values: Values;
  readonly schemas: SchemaSource;
  readonly telemetry: Telemetry;
  readonly options: ExplainOptions;
  readonly io: Io;
}

async function explained(plan: Plan, { topic, place, record, via }: Found, at: Explaining): Promise<Explained> {
  const { values, schemas, telemetry, options, io } = at;
  const { clock } = io;
  const store = storeOf(plan, options, telemetry, io);
  try {
    await store.open([...new Set(plan.reads.map(({ table }) => table))]);
    const nowMs = clock.wallMs();
    const scored = await scoreRecord(plan, topic, record, { io, telemetry, schemas, store });
    const { frame } = scored;
    const levels = options.store || options.features !== undefined ? [] : plan.reads;
    const described = describe(scored, nowMs, levels);
    const deps = { ...scored.deps, schemas, fresh: () => frameOf(topic, record, plan, io) };
    const probe = createProbe(deps, scored.plan, frame);
    const isOpen = frame.fate[0] === OPEN;
    const views = described.lookUps.map((lookUp) => lookUp.views);
    const key = await values.key(record.key);
    const value = await values.value(topic, record.value);
    const { value: event, undecoded, valueBase64: _, ...plain } = plainRecord(topic, record, key, value);
    return {
      ...described,
      place,
      record: plain,
      via,
      event,
      undecoded,
      let:
        frame.columns.length === 0 || frame.reads.length < (plan.details?.from ?? plan.reads.length)
          ? {}
          : await letsOf(scored.plan, probe),
      why: isOpen ? '' : await whyOf(described.reason, scored, { schemas, probe, views }),
      deadLetterTopic: plan.topology.deadLetter.topic,
      searched: [],
    };
  } finally {
    await store.close();
  }
}

function storeOf(plan: Plan, { features, store: past }: ExplainOptions, telemetry: Telemetry, io: Io): FeatureStore {
  if (plan.reads.length > 0 && features !== undefined)
    return createFeatureFiles({ folder: features, reads: plan.reads });
  const { topology, reads } = plan;
  const stores = createStores(topology, reads, { clock: io.clock, telemetry, env: io.env });
  const store = past ? stores : throughLevels(stores, topology, reads, { io, telemetry });
  return tellingStore(store, sourceText(reads, topology, undefined, io.env));
}

const MAX_LINE_BYTES = 64 * 1024 * 1024;

/** Line `number` of a file as a record, as `batch` reads it: offset number − 1, timestamped when read. */
async function lineOf(file: string, number: number, timestampMs: number): Promise<LogRecord> {
  let read = 0;
  try {
    for await (const line of readLines(file, { onProgress: () => {}, maxLineBytes: MAX_LINE_BYTES })) {
      read++;
      if (read < number) continue;
      if (typeof line === 'number')
        throw new SluiceError('file-invalid', `${file}:${number} has ${line} bytes; ${MAX_LINE_BYTES} are the limit`);
      if (line.length === 0)
        throw new SluiceError('usage-invalid', `${file}:${number} is empty: no record; give another --line`);
      return { partition: 0, offset: number - 1, timestampMs, key: null, value: Buffer.from(line), headers: [] };
    }
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== 'ENOENT') throw thrown;
    throw new SluiceError('file-missing', `there is no file ${file}; give --input a file of JSON Lines`, thrown);
  }
  throw new SluiceError('usage-invalid', `${file} has ${read} lines, and no line ${number}; give --line 1 to ${read}`);
}

function tell(explained: Explained, { json }: ExplainOptions, io: Io): number {
  io.stdout.write(json ? `${JSON.stringify(explained)}\n` : explainedText(explained, paintFor(io)));
  return EXIT.done;
}
