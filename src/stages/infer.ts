import { ArrivalRate } from '../batching/arrivals.ts';
import { LatencyModel } from '../batching/latency-model.ts';
import { MemoryLimit } from '../batching/memory-limit.ts';
import { PathTimes } from '../batching/path-times.ts';
import { nextBatch, type PolicyLimits } from '../batching/policy.ts';
import type { Timer } from '../kernel/clock.ts';
import { classify, SluiceError } from '../kernel/errors.ts';
import { DEAD_LETTERED, reasonCode } from '../kernel/fate.ts';
import { decide, type Frame, type Tensor } from '../kernel/frame.ts';
import type { Plan } from '../plan/plan.ts';
import type { ModelOutput, ModelSession } from '../ports/model.ts';
import { BatchQueue, type Slice } from './inference/batch-queue.ts';
import { BatchSlabs } from './inference/batch-slabs.ts';
import { createRowSearch, type Suspect } from './inference/row-search.ts';
import { SettleTimes } from './inference/settle-times.ts';
import { Pool } from './pool.ts';
import type { StageDeps } from './types.ts';

const MODEL_FAILED = reasonCode('model-failed');
const ARRIVAL_WINDOW_MS = 100;
const INITIAL_RUN_MS = 1;
const NO_OUTPUT: ModelOutput = { values: new Uint8Array(0), width: 0 };

/** The most rows per run: ever, and at present. */
export interface BatchLimit {
  readonly most: number;
  now(): number;
}

export interface Infer {
  /** Resolves when every row of the frame has been through the model, its outputs in `frame.outputs`. */
  (frame: Frame): undefined | Promise<void>;
  /** While flushing, no row waits for a fuller batch. */
  setFlushing(flushing: boolean): void;
}

/**
 * infer: the micro-batcher. Rows of many frames wait in one queue; the policy says how many go and when; one run at a time,
 * or as many as the session allows.
 *
 * When a run fails, the rows at fault are searched for (inference/row-search.ts) and dead-letter as `model-failed`; the others are
 * published. A model output of the wrong size is a failed run: a wrong shape never passes silently. If the model cannot run even
 * a row of zeros, the pipeline ends with `device-failed`, nothing dead-letters, and the group reads the batch again.
 */
export function createInfer(
  deps: StageDeps & { readonly session: ModelSession },
  plan: Plan,
  batch: BatchLimit = { most: plan.topology.flow.maxBatch, now: () => plan.topology.flow.maxBatch },
): Infer {
  const { clock, telemetry, session } = deps;
  const { flow } = plan.topology;
  const limits: PolicyLimits = {
    get maxBatch() {
      return Math.min(batch.now(), memory.rows, session.maxRows ?? Number.POSITIVE_INFINITY);
    },
    get budgetMs() {
      return times.inferMs;
    },
  };
  const memory = new MemoryLimit();
  const times = new PathTimes({ budgetMs: flow.latencyBudgetMs });
  const settling = new SettleTimes(times, { budgetMs: flow.latencyBudgetMs });
  telemetry.gauge('sluice_batch_limit_rows', { model: plan.bundle.label }, () => limits.maxBatch);
  const queue = new BatchQueue();
  const model = new LatencyModel({ initialFixedMs: INITIAL_RUN_MS });
  const arrivals = new ArrivalRate({ windowMs: ARRIVAL_WINDOW_MS });
  const slabs = new BatchSlabs(plan.inputs.widths, batch.most);
  const batchRows = telemetry.histogram('sluice_batch_rows');
  const waiting = new Map<Frame, Waiting>();
  let timer: Timer | undefined;
  let timerMs = Number.POSITIVE_INFINITY;
  /** Batches in flight, and how many there may be. */
  let running = 0;
  const concurrency = session.concurrency ?? 1;
  let flushing = false;
  let failure: { readonly thrown: unknown } | undefined;

  function pump(): void {
    const nowMs = clock.monotonicMs();
    settling.look(nowMs);
    if (running >= concurrency) return;
    const decision = nextBatch(
      {
        nowMs,
        rows: queue.rows,
        oldestMs: queue.oldestMs() + times.beforeMs,
        arrivalsPerMs: arrivals.perMs(nowMs) / concurrency,
        flushing,
      },
      model,
      limits,
    );
    const askAgainMs = 'go' in decision ? Number.POSITIVE_INFINITY : decision.waitUntilMs;
    if (askAgainMs !== timerMs) {
      timer?.cancel();
      timerMs = askAgainMs;
      timer = Number.isFinite(askAgainMs) ? clock.after(askAgainMs - nowMs, wake) : undefined;
    }
    if (!('go' in decision)) return;
    void runBatch(queue.cut(decision.go), decision.go);
    // There may be room for another run.
    if (queue.rows > 0) pump();
  }

  function wake(): void {
    timerMs = Number.POSITIVE_INFINITY;
    pump();
  }

  async function runBatch(slices: Slice[], rows: number): Promise<void> {
    running++;
    try {
      await searchRows(slices, rows);
      for (const { frame, from, to } of slices) done(frame, to - from);
    } catch (thrown) {
      fail(thrown);
    } finally {
      running--;
      pump();
    }
  }

  const limit = (): number => memory.rows;
  const searchRows = createRowSearch({
    clock,
    telemetry,
    conditions: deps.conditions,
    run: runOnce,
    probe,
    blame,
    exceeded,
    limit,
  });

  function exceeded(rows: number, { message }: SluiceError): void {
    memory.exceeded(rows);
    telemetry.event('batch-reduced', { model: plan.bundle.label, rows, limit: memory.rows, reason: message });
  }

  function blame({ frame, row, why, memory: wasMemory }: Suspect): void {
    // A single row for which there is not enough memory says nothing about the size of batches.
    if (wasMemory && memory.isReduced) restored();
    decide(frame, frame.recordOf[row], DEAD_LETTERED, MODEL_FAILED);
    telemetry.event('row-failed', { model: plan.bundle.label, reason: why });
  }

  function restored(): void {
    memory.lift();
    telemetry.event('batch-restored', { model: plan.bundle.label, limit: limits.maxBatch });
  }

  /** Resolves if the model still runs a row of zeros; otherwise the record is not at fault. */
  async function probe({ frame, why }: Suspect): Promise<void> {
    try {
      await runChecked(slabs.zeros(frame), 1, false);
    } catch (thrown) {
      const error = classify(thrown);
      if (!['model-failed', 'unexpected', 'device-memory'].includes(error.code)) throw error;
      throw new SluiceError(
        'device-failed',
        `${plan.bundle.label} on ${session.device} no longer runs a row of zeros, which it ran at the start: ${error.message}; a record failed before it: ${why}; no record was given up; check the device, and restart`,
        thrown,
      );
    }
  }

  async function runOnce(slices: readonly Slice[], rows: number, searching: boolean): Promise<void> {
    batchRows.observe(rows);
    const startedMs = clock.monotonicMs();
    const outputs = await runChecked(slabs.gather(slices, rows), rows, searching);
    // A single run only: a search for the rows at fault takes many, and would teach that every batch is slow.
    model.observe(rows, clock.monotonicMs() - startedMs);
    if (memory.isReduced && memory.ran()) restored();
    slabs.scatter(slices, outputs);
  }

  async function runChecked(
    feeds: readonly Tensor[],
    rows: number,
    searching: boolean,
  ): Promise<readonly ModelOutput[]> {
    const outputs = await session.run(feeds, rows, searching);
    outputWidths.forEach((wanted, k) => {
      const { values, width } = outputs[k] ?? NO_OUTPUT;
      if (values.length === rows * wanted && width === wanted) return;
      throw new SluiceError(
        'model-failed',
        `${plan.bundle.label} answered ${rows} rows of "${plan.predictions.fetches[k]}" with ${values.length} values of ${width} a row, not ${wanted} a row`,
      );
    });
    return outputs;
  }

  const outputWidths = plan.predictions.fetches.map((name) => {
    const spec = session.outputs.find((output) => output.name === name);
    return spec === undefined
      ? 0
      : spec.shape.slice(1).reduce<number>((a, b) => a * (typeof b === 'number' ? b : Number.NaN), 1);
  });

  const outputMemory = new Pool(
    (rows) => outputWidths.map((width) => new Float64Array(rows * width)),
    outputWidths.reduce((sum, width) => sum + 8 * (width || 0), 0),
  );

  function done(frame: Frame, rows: number): void {
    const entry = waiting.get(frame);
    if (entry === undefined) return;
    entry.rows -= rows;
    if (entry.rows > 0) return;
    waiting.delete(frame);
    settling.watch(frame, entry.beforeMs, clock.monotonicMs());
    entry.resolve();
  }

  /** The model will not run again: all present and future waiters are told at once, since searching their rows too would take time. */
  function fail(thrown: unknown): void {
    failure ??= { thrown };
    queue.cut(queue.rows);
    for (const { reject } of waiting.values()) reject(thrown);
    waiting.clear();
  }

  const infer = (frame: Frame): undefined | Promise<void> => {
    frame.model = plan.bundle.label;
    const lent = outputMemory.lend(frame, frame.rows);
    frame.outputs = outputWidths.map((width, k) => lent[k].subarray(0, frame.rows * width).fill(Number.NaN));
    if (frame.rows === 0) return undefined;
    if (failure !== undefined) return Promise.reject(failure.thrown);
    const nowMs = clock.monotonicMs();
    arrivals.add(nowMs, frame.rows);
    const beforeMs = nowMs - queue.push(frame, 0, frame.rows);
    return new Promise<void>((resolve, reject) => {
      waiting.set(frame, { rows: frame.rows, beforeMs, resolve, reject });
      pump();
    });
  };
  return Object.assign(infer, {
    setFlushing(value: boolean): void {
      flushing = value;
      if (value) pump();
    },
  });
}

interface Waiting {
  rows: number;
  /** How old its oldest record was on arrival, ms. */
  readonly beforeMs: number;
  readonly resolve: () => void;
  readonly reject: (reason: unknown) => void;
}
