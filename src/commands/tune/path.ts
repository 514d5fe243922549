import { assemble } from '../../assemble.ts';
import type { ValueEncoder } from '../../codecs/types.ts';
import { confluentPrefix } from '../../codecs/wire.ts';
import type { Clock } from '../../kernel/clock.ts';
import { Credit } from '../../kernel/credit.ts';
import { SluiceError } from '../../kernel/errors.ts';
import type { Tensor } from '../../kernel/frame.ts';
import type { Plan } from '../../plan/plan.ts';
import type { ModelOutput, ModelSession } from '../../ports/model.ts';
import type { MetricStore } from '../../telemetry/metrics.ts';
import { encoderOf } from '../world/value-encoder.ts';
import { createEnds, createStatedStore, type Stated } from './stub-ends.ts';

/** Records in the format of the topology's source, and the store's answers for them. */
export interface Samples {
  readonly values: readonly Buffer[];
  readonly stated: readonly Stated[];
}

export interface PathDeps {
  readonly clock: Clock;
  readonly random: () => number;
  /** CPU used by this process so far, µs. */
  readonly cpuUs: () => number;
  readonly telemetry: () => MetricStore;
}

/** Cost of a record on the path, µs of CPU; stages as far as they run on the thread. */
export interface PathCost {
  readonly us: number;
  /** Share of the elapsed time in which this process had a core; less if others competed for it. */
  readonly share: number;
  readonly stages: Readonly<Record<string, number>>;
  readonly outputs: number;
  readonly deadLetters: number;
}

/** Arbitrary: source and output of the brokerless path agree on it. */
export const SCHEMA_ID = 1;
const ON_THREAD = ['decode', 'enrich', 'preprocess', 'postprocess', 'details', 'encode'] as const;

/** Captured model inputs and outputs, for timing runs, and for the path without the model. */
export interface Captured {
  readonly rows: number;
  /** Rows that fit into the slabs, which are filled by repeating the `rows`. */
  readonly capacity: number;
  readonly feeds: readonly Tensor[];
  readonly outputs: readonly ModelOutput[];
}

/** Drives samples through the assembled path with a session; only its two ends are stubs. */
export async function drivePath(
  plan: Plan,
  session: ModelSession,
  { values, stated }: Samples,
  counts: { readonly records: number; readonly warmUp: number },
  deps: PathDeps,
): Promise<PathCost> {
  const { clock } = deps;
  const telemetry = deps.telemetry();
  const { source, output, flow, deadLetter } = plan.topology;
  const credit = new Credit({ maxRecords: flow.maxInFlight.records, maxBytes: flow.maxInFlight.bytes });
  let cpuUs = 0;
  let startedMs = 0;
  let before = stageSeconds(telemetry);
  const ends = createEnds(clock, credit, {
    topic: source.topics[0],
    values,
    ...counts,
    onWarm() {
      before = stageSeconds(telemetry);
      startedMs = clock.monotonicMs();
      cpuUs = deps.cpuUs();
    },
  });
  const runner = assemble(withoutLimits(plan), {
    clock,
    random: deps.random,
    telemetry,
    credit,
    source: ends.source,
    schemas: { writerSchema: async () => source.value.schema, idFor: async () => SCHEMA_ID },
    store: createStatedStore(clock, stated),
    session: { ...session, close: async () => undefined },
    encoder: encoderWithId(plan),
    sink: ends.sink,
    instance: 'tune',
  });
  const outcome = await runner.run();
  if (outcome.result !== 'done') throw outcome.error ?? new SluiceError('unexpected', `the path ${outcome.result}`);
  const us = (deps.cpuUs() - cpuUs) / counts.records;
  const share = (us * counts.records) / 1000 / Math.max(1e-9, clock.monotonicMs() - startedMs);
  const after = stageSeconds(telemetry);
  const stages = ON_THREAD.filter((stage) => stage in after).map(
    (stage) => [stage, ((after[stage] - before[stage]) * 1e6) / counts.records] as const,
  );
  return {
    us,
    share,
    stages: Object.fromEntries(stages),
    outputs: ends.rows.get(output.topic) ?? 0,
    deadLetters: ends.rows.get(deadLetter.topic) ?? 0,
  };
}

/** As if the registry knew the output schema. */
export function encoderWithId(plan: Plan): ValueEncoder {
  const { value } = plan.topology.output;
  return encoderOf(plan, value.kind === 'avro' && value.wire === 'confluent' ? confluentPrefix(SCHEMA_ID) : undefined);
}

/** Without a dead-letter limit, since dead letters are counted here, and without overload handling. */
export function withoutLimits(plan: Plan): Plan {
  const { onOverload, ...topology } = plan.topology;
  return { ...plan, smaller: undefined, topology: { ...topology, deadLetter: { topic: topology.deadLetter.topic } } };
}

function stageSeconds(telemetry: MetricStore): Readonly<Record<string, number>> {
  const series = telemetry.series('sluice_stage_seconds');
  return Object.fromEntries(series.map((one) => [one.labels.stage, one.kind === 'histogram' ? one.sum : Number.NaN]));
}

/** Runs samples through the path once, with the model, and keeps the model's inputs and outputs. */
export async function capture(
  plan: Plan,
  session: ModelSession,
  samples: Samples,
  options: { readonly records: number; readonly capacity: number },
  deps: PathDeps,
): Promise<Captured & Pick<PathCost, 'deadLetters'>> {
  const { widths } = plan.inputs;
  const { capacity } = options;
  const feeds: Tensor[] = [];
  let outputs: ModelOutput[] = [];
  let rows = 0;
  const watched: ModelSession = {
    ...session,
    async run(slabs, count, searching) {
      const answer = await session.run(slabs, count, searching);
      const taken = Math.min(count, capacity - rows);
      slabs.forEach((slab, k) => {
        feeds[k] ??= likeOf(slab, capacity * widths[k]);
        copyRows(slab, taken * widths[k], feeds[k], rows * widths[k]);
      });
      outputs = answer.map(({ values, width }, k) => {
        const kept = outputs[k]?.values ?? (likeOf(values, capacity * width) as ModelOutput['values']);
        copyRows(values, taken * width, kept, rows * width);
        return { values: kept, width };
      });
      rows += taken;
      return answer;
    },
  };
  const cost = await drivePath(plan, watched, samples, { records: options.records, warmUp: 0 }, deps);
  if (rows === 0) {
    throw new SluiceError(
      'usage-invalid',
      `none of ${options.records} samples came as far as the model (${cost.deadLetters} dead letters): give --input FILE of events that can be scored`,
    );
  }
  feeds.forEach((slab, k) => void repeat(slab, rows * widths[k], capacity * widths[k]));
  for (const { values, width } of outputs) repeat(values, rows * width, capacity * width);
  return { rows, capacity, feeds, outputs, deadLetters: cost.deadLetters };
}

/** A session that returns captured outputs at once, to measure the path alone. */
export function echo(session: ModelSession, { outputs }: Captured): ModelSession {
  return {
    ...session,
    run: async (_feeds, rows) =>
      outputs.map(({ values, width }) => ({ values: values.subarray(0, rows * width), width })) as ModelOutput[],
    close: async () => undefined,
  };
}

function likeOf(values: Tensor, length: number): Tensor {
  return new (values.constructor as new (length: number) => Tensor)(length);
}

function copyRows(from: Tensor, length: number, into: Tensor, at: number): void {
  into.set(from.subarray(0, length) as never, at);
}

/** Fills `values` up to `length` by repeating its first `filled` entries. */
function repeat(values: Tensor, filled: number, length: number): void {
  for (let at = filled; at < length; at += at) values.copyWithin(at, 0, Math.min(at, length - at));
}
