import { ArrivalRate } from '../batching/arrivals.ts';
import { LatencyModel } from '../batching/latency-model.ts';
import { nextBatch, type PolicyLimits } from '../batching/policy.ts';
import type { Timer } from '../kernel/clock.ts';
import { classify, SluiceError } from '../kernel/errors.ts';
import { DEAD_LETTERED, reasonCode } from '../kernel/fate.ts';
import { decide, type Frame, type Tensor } from '../kernel/frame.ts';
import type { Plan } from '../plan/plan.ts';
import type { ModelOutput, ModelSession } from '../ports/model.ts';
import { BatchQueue, type Slice } from './batch-queue.ts';
import { BatchSlabs } from './batch-slabs.ts';
import type { StageDeps } from './types.ts';

const MODEL_FAILED = reasonCode('model-failed');
const ARRIVAL_WINDOW_MS = 100;
const INITIAL_RUN_MS = 1;
const NO_OUTPUT: ModelOutput = { values: new Uint8Array(0), width: 0 };
/** The share of the latency budget that waiting for and running a batch may use; fetch, enrich and produce have the rest. */
const INFER_SHARE = 0.5;

export interface Infer {
  /** Resolves when every row of the frame has been through the model, its outputs in `frame.outputs`. */
  (frame: Frame): undefined | Promise<void>;
  /** While flushing, nothing waits for company. */
  setFlushing(flushing: boolean): void;
}

/**
 * infer: the micro-batcher. Rows of many frames wait in one queue; the policy says how many go and when; one run at a time.
 *
 * A run that fails is bisected until the rows at fault are alone: these dead-letter as `model-failed`, the others are published.
 * A model output of another size than asked for is a failed run: a wrong shape never passes silently.
 *
 * A device that dies fails every row (cause) → the whole stream would become dead letters while all looks well (effect) →
 * rows count as at fault only once the model has run something after the last of them: another row of the batch, or a
 * row of zeros, which it ran at the start. If it runs neither, the run ends with `device-failed`, nothing dead-letters,
 * and the group reads the batch again (guard).
 */
export function createInfer(deps: StageDeps & { readonly session: ModelSession }, plan: Plan): Infer {
  const { clock, telemetry, session } = deps;
  const { flow } = plan.topology;
  const limits: PolicyLimits = { maxBatch: flow.maxBatch, budgetMs: flow.latencyBudgetMs * INFER_SHARE };
  const queue = new BatchQueue();
  const model = new LatencyModel({ initialFixedMs: INITIAL_RUN_MS });
  const arrivals = new ArrivalRate({ windowMs: ARRIVAL_WINDOW_MS });
  const slabs = new BatchSlabs(plan.inputs.widths, flow.maxBatch);
  const batchRows = telemetry.histogram('sluice_batch_rows');
  const waiting = new Map<Frame, Waiting>();
  let timer: Timer | undefined;
  let running = false;
  let flushing = false;

  function pump(): void {
    if (running) return;
    timer?.cancel();
    timer = undefined;
    const nowMs = clock.monotonicMs();
    const decision = nextBatch(
      { nowMs, rows: queue.rows, oldestMs: queue.oldestMs(), arrivalsPerMs: arrivals.perMs(nowMs), flushing },
      model,
      limits,
    );
    if ('go' in decision) void runBatch(queue.cut(decision.go), decision.go);
    else if (Number.isFinite(decision.waitUntilMs)) timer = clock.after(decision.waitUntilMs - nowMs, pump);
  }

  async function runBatch(slices: Slice[], rows: number): Promise<void> {
    running = true;
    try {
      await runOrBisect(slices, rows);
      for (const { frame, from, to } of slices) done(frame, to - from);
    } catch (thrown) {
      for (const { frame } of slices) fail(frame, thrown);
    } finally {
      running = false;
      pump();
    }
  }

  async function runOrBisect(slices: readonly Slice[], rows: number): Promise<void> {
    const suspects: Suspect[] = [];
    await search(slices, rows, suspects);
    const last = suspects.at(-1);
    if (last === undefined) return;
    if (!last.cleared) await probe(last);
    for (const { frame, row, why } of suspects) {
      decide(frame, frame.rowOf[row], DEAD_LETTERED, MODEL_FAILED);
      telemetry.event('row-failed', { model: plan.bundle.label, reason: why });
    }
  }

  /** Runs the rows, halving them where they fail; those that fail alone become suspects. */
  async function search(slices: readonly Slice[], rows: number, suspects: Suspect[]): Promise<void> {
    batchRows.observe(rows);
    try {
      await runOnce(slices, rows);
      const last = suspects.at(-1);
      if (last !== undefined) last.cleared = true;
    } catch (thrown) {
      const error = classify(thrown);
      if (error.code !== 'model-failed') throw error;
      if (rows === 1) {
        suspects.push({ frame: slices[0].frame, row: slices[0].from, why: error.message, cleared: false });
        return;
      }
      telemetry.counter('sluice_retries_total', { what: 'model', reason: error.code }).add(1);
      const [left, right] = halves(slices, rows >> 1);
      await search(left, rows >> 1, suspects);
      await search(right, rows - (rows >> 1), suspects);
    }
  }

  /** Resolves when the model still runs a row of zeros; otherwise it is not the record that is at fault. */
  async function probe({ frame, why }: Suspect): Promise<void> {
    try {
      await runChecked(slabs.zeros(frame), 1);
    } catch (thrown) {
      const error = classify(thrown);
      if (error.code !== 'model-failed') throw error;
      throw new SluiceError(
        'device-failed',
        `${plan.bundle.label} on ${session.device} no longer runs a row of zeros, which it ran at the start: ${error.message}; a record failed before it: ${why}; no record was given up; check the device, and restart`,
        thrown,
      );
    }
  }

  async function runOnce(slices: readonly Slice[], rows: number): Promise<void> {
    const startedMs = clock.monotonicMs();
    const outputs = await runChecked(slabs.gather(slices, rows), rows);
    // A single run only: a search for the rows at fault takes many, and would teach that every batch is slow.
    model.observe(rows, clock.monotonicMs() - startedMs);
    slabs.scatter(slices, outputs);
  }

  async function runChecked(feeds: readonly Tensor[], rows: number): Promise<readonly ModelOutput[]> {
    const outputs = await session.run(feeds, rows);
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

  function done(frame: Frame, rows: number): void {
    const entry = waiting.get(frame);
    if (entry === undefined) return;
    entry.rows -= rows;
    if (entry.rows > 0) return;
    waiting.delete(frame);
    entry.resolve();
  }

  function fail(frame: Frame, thrown: unknown): void {
    const entry = waiting.get(frame);
    waiting.delete(frame);
    entry?.reject(thrown);
  }

  const infer = (frame: Frame): undefined | Promise<void> => {
    frame.model = plan.bundle.label;
    frame.outputs = outputWidths.map((width) => new Float64Array(frame.rows * width).fill(Number.NaN));
    if (frame.rows === 0) return undefined;
    arrivals.add(clock.monotonicMs(), frame.rows);
    queue.push(frame, 0, frame.rows);
    return new Promise<void>((resolve, reject) => {
      waiting.set(frame, { rows: frame.rows, resolve, reject });
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

/** A row that failed alone. */
interface Suspect {
  readonly frame: Frame;
  readonly row: number;
  readonly why: string;
  /** The model ran other rows after it: the row was at fault, not the model. */
  cleared: boolean;
}

interface Waiting {
  rows: number;
  readonly resolve: () => void;
  readonly reject: (reason: unknown) => void;
}

/** The first `rows` rows and the rest. */
function halves(slices: readonly Slice[], rows: number): [Slice[], Slice[]] {
  const left: Slice[] = [];
  const right: Slice[] = [];
  let room = rows;
  for (const { frame, from, to } of slices) {
    const take = Math.min(room, to - from);
    if (take > 0) left.push({ frame, from, to: from + take });
    if (from + take < to) right.push({ frame, from: from + take, to });
    room -= take;
  }
  return [left, right];
}
