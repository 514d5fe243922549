import { createOnnxRuntime } from '../../adapters/onnx/runtime.ts';
import { createLog } from '../../adapters/pino/log.ts';
import { assemble } from '../../assemble.ts';
import type { Case, Outcome } from '../../cases/types.ts';
import type { Clock } from '../../kernel/clock.ts';
import { Credit } from '../../kernel/credit.ts';
import { SluiceError } from '../../kernel/errors.ts';
import { DEAD_LETTERED, DROPPED, REASONS, STAGE_OF_REASON } from '../../kernel/fate.ts';
import type { Frame } from '../../kernel/frame.ts';
import type { Plan } from '../../plan/plan.ts';
import type { Sink } from '../../ports/sink.ts';
import { createTelemetry } from '../../telemetry/metrics.ts';
import { asFiles, NO_SCHEMAS } from '../file-plan.ts';
import type { Io } from '../io.ts';
import { encoderOf } from '../world/value-encoder.ts';
import { createCaseSource } from './case-source.ts';
import { createCaseStore } from './case-store.ts';

/**
 * Runs each case alone through the path of `run` and `batch`, and reports what became of its record. Records and outputs are JSON, the
 * model runs on the CPU, nothing is cached, and nothing is given up under overload, so that a case depends only on itself.
 */
export async function scoreCases(whole: Plan, file: string, cases: readonly Case[], io: Io): Promise<Outcome[]> {
  const plan = apart(asFiles(whole));
  let current = { one: cases[0], nowMs: io.clock.wallMs() };
  const clock: Clock = { ...bound(io.clock), wallMs: () => current.nowMs };
  // A dead letter is a result here, not worth a log line.
  const telemetry = createTelemetry({ clock, log: createLog({ clock }, { level: 'error' }) });
  const session = await createOnnxRuntime({ telemetry }).load({
    file: plan.bundle.modelFile,
    device: 'cpu',
    feeds: plan.feeds,
    fetches: plan.predictions.fetches,
    pinned: plan.bundle.modelFiles,
  });
  const { records, bytes } = plan.topology.flow.maxInFlight;
  const credit = new Credit({ maxRecords: records, maxBytes: bytes });
  const { output } = plan.topology;
  const published: string[] = [];
  const outcomes: Outcome[] = [];
  const runner = assemble(plan, {
    clock,
    random: io.random,
    telemetry,
    credit,
    source: createCaseSource(
      { clock, credit },
      {
        file,
        cases,
        before(one) {
          current = { one, nowMs: one.atMs ?? io.clock.wallMs() };
        },
        after: (_, frame) => void outcomes.push(outcomeOf(frame, published.pop())),
      },
    ),
    schemas: NO_SCHEMAS,
    store: createCaseStore(() => current),
    session,
    encoder: encoderOf(plan),
    sink: createCaseSink(output.topic, published),
    instance: io.instance,
  });
  const forget = io.onSignal(() => runner.stop());
  const { error } = await runner.run();
  forget();
  telemetry.flush();
  if (error !== undefined) throw error;
  if (outcomes.length < cases.length)
    throw new SluiceError('usage-invalid', `stopped after ${outcomes.length} of ${cases.length} cases of ${file}`);
  return outcomes;
}

/** Removes whatever would let cases, or the load of the machine, affect each other. */
function apart(plan: Plan): Plan {
  const { onOverload: _, ...topology } = plan.topology;
  return {
    ...plan,
    topology: { ...topology, onOverload: undefined },
    reads: plan.reads.map((read) => ({ ...read, cache: undefined })),
    smaller: undefined,
  };
}

function bound(clock: Clock): Clock {
  return {
    wallMs: () => clock.wallMs(),
    monotonicMs: () => clock.monotonicMs(),
    after: (delayMs, fire) => clock.after(delayMs, fire),
  };
}

/** Keeps published values, as text. */
function createCaseSink(topic: string, published: string[]): Sink {
  return {
    open: () => Promise.resolve(),
    partitionCount: () => 1,
    async send(to, _partition, { arena, valueStart, valueEnd, count }) {
      if (to !== topic) return;
      for (let i = 0; i < count; i++) published.push(arena.toString('utf8', valueStart[i], valueEnd[i]));
    },
    close: () => Promise.resolve(),
  };
}

function outcomeOf(frame: Frame, value: string | undefined): Outcome {
  const reason = REASONS[frame.reason[0]];
  const stage = frame.failedIn?.get(0) ?? STAGE_OF_REASON[reason];
  if (frame.fate[0] === DROPPED) return { fate: 'dropped', reason };
  if (frame.fate[0] === DEAD_LETTERED) return { fate: 'dead-lettered', reason, stage };
  return { fate: 'published', fields: JSON.parse(value ?? '{}') };
}
