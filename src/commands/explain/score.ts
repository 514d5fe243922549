import { createOnnxRuntime } from '../../adapters/onnx/runtime.ts';
import { Conditions } from '../../kernel/conditions.ts';
import type { Frame } from '../../kernel/frame.ts';
import { FrameBuilder } from '../../kernel/frame-builder.ts';
import { encodeHeaders } from '../../kernel/headers.ts';
import { createPipeline } from '../../pipeline.ts';
import type { Plan } from '../../plan/plan.ts';
import type { FeatureRead, FeatureStore } from '../../ports/feature-store.ts';
import type { SchemaSource } from '../../ports/schemas.ts';
import type { Telemetry } from '../../ports/telemetry.ts';
import type { LogRecord } from '../../ports/topic-log.ts';
import { createDecode } from '../../stages/decode.ts';
import { createDetails } from '../../stages/details.ts';
import { createEncode } from '../../stages/encode.ts';
import { createEnrich } from '../../stages/enrich.ts';
import { createInfer } from '../../stages/infer.ts';
import { isolate, isolateSync } from '../../stages/isolate.ts';
import { createPostprocess } from '../../stages/postprocess.ts';
import { createPreprocess } from '../../stages/preprocess.ts';
import type { StageDeps } from '../../stages/types.ts';
import type { Io } from '../io.ts';
import type { RawRow } from '../look/rows.ts';
import { encoderOf } from '../world/value-encoder.ts';

export interface ScoreWorld {
  readonly io: Io;
  readonly telemetry: Telemetry;
  readonly schemas: SchemaSource;
  readonly store: FeatureStore;
}

/** The store's answer to one look-up, before the topology's rules for stale rows are applied. */
export interface HeardRow extends RawRow {
  readonly key: Buffer;
}

/** A record that has gone through the path, with the result of each step. */
export interface Scored {
  readonly frame: Frame;
  /** By read of the plan; undefined: not looked up, because the key is missing. */
  readonly heard: readonly (HeardRow | undefined)[];
  /** Events that the steps emitted for it, by name. */
  readonly said: ReadonlyMap<string, Readonly<Record<string, unknown>>>;
  readonly deps: StageDeps;
  readonly plan: Plan;
}

/** How long to wait for a dependency. */
const PATIENCE_MS = 6_000;

/**
 * Sends one record through the same stages as `run`, in the same order, up to delivery. Nothing is delivered, committed, cached, or
 * given up under overload; the model runs on the CPU.
 */
export async function scoreRecord(whole: Plan, topic: string, record: LogRecord, world: ScoreWorld): Promise<Scored> {
  const { io, telemetry } = world;
  const { clock, random } = io;
  const plan: Plan = { ...whole, reads: whole.reads.map((read) => ({ ...read, cache: undefined })) };
  const said = new Map<string, Readonly<Record<string, unknown>>>();
  const giveUp = new AbortController();
  const timer = clock.after(PATIENCE_MS, () => giveUp.abort());
  const tell = (name: string, fields: Readonly<Record<string, unknown>> = {}): void => {
    if (name === 'outage') io.stderr.write(`waiting for ${fields.what}: ${fields.reason}\n`);
    said.set(name, fields);
  };
  const deps = {
    clock,
    random,
    conditions: new Conditions(),
    abandon: giveUp.signal,
    telemetry: { ...telemetry, event: tell },
  };
  const heard: (HeardRow | undefined)[] = plan.reads.map(() => undefined);
  const store = recording(world.store, ({ views, keys, into }) => {
    const k = plan.reads.findIndex((read) => read.views === views);
    const { values, writtenAtMs, askedAtMs } = into;
    heard[k] = {
      ...{ key: keys[0], values: values.slice(), writtenAtMs: writtenAtMs.slice() },
      askedAtMs: askedAtMs?.slice() ?? new Float64Array(1).fill(Number.NaN),
    };
  });
  const { bundle, predictions } = plan;
  const session = await createOnnxRuntime({ telemetry }).load({
    ...{ file: bundle.modelFile, device: 'cpu', feeds: plan.feeds, fetches: predictions.fetches },
    pinned: bundle.modelFiles,
  });
  try {
    const infer = createInfer({ ...deps, session }, plan);
    infer.setFlushing(true);
    const path = createPipeline({
      decode: isolate(deps, 'decode', createDecode({ ...deps, schemas: world.schemas }, plan)),
      enrich: isolate(deps, 'enrich', createEnrich({ ...deps, store }, plan)),
      preprocess: createPreprocess(deps, plan),
      infer,
      postprocess: isolateSync(deps, 'postprocess', createPostprocess(plan)),
      details: isolate(deps, 'details', createDetails({ ...deps, store }, plan)),
      encode: isolateSync(deps, 'encode', createEncode(plan, encoderOf(plan))),
      deliver: () => undefined,
      commit: () => undefined,
    });
    const frame = frameOf(topic, record, plan, io);
    await path(frame);
    return { frame, heard, said, deps, plan };
  } finally {
    timer.cancel();
    await session.close();
  }
}

/** Reports each answer; by the contract of the port, rows are complete by then. */
function recording(store: FeatureStore, onAnswer: (read: FeatureRead) => void): FeatureStore {
  return {
    open: (tables) => store.open(tables),
    async read(asked) {
      const askedAtMs = new Float64Array(asked.keys.length).fill(Number.NaN);
      const read = { ...asked, into: { ...asked.into, askedAtMs } };
      await store.read(read);
      onAnswer(read);
    },
    close: () => store.close(),
  };
}

/** A frame with only this record; a record too large for a pipeline to keep is included by reference, as there. */
export function frameOf(topic: string, record: LogRecord, { topology }: Plan, { clock }: Pick<Io, 'clock'>): Frame {
  const { partition, offset, timestampMs, key, value, unread } = record;
  const headers = record.headers.length === 0 ? null : encodeHeaders(record.headers);
  const bytes = (key?.length ?? 0) + (value?.length ?? 0) + (headers?.length ?? 0);
  const why = unread ?? (bytes > topology.flow.maxInFlight.bytes ? 'too-large' : undefined);
  const builder = new FrameBuilder({ topic, partition, epoch: 0 }, 1, bytes);
  if (why === undefined) builder.append(offset, timestampMs, key, value, headers);
  else builder.appendReference(offset, timestampMs, value?.length ?? 0, why);
  return builder.build(offset + 1, clock.wallMs(), clock.monotonicMs());
}
