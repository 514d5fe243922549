import { zeros } from '../../adapters/onnx/zero-inputs.ts';
import type { Clock } from '../../kernel/clock.ts';
import { classify } from '../../kernel/errors.ts';
import type { Plan } from '../../plan/plan.ts';
import type { ModelLoad, ModelSession } from '../../ports/model.ts';

/** Time of a run, and its rows. */
export interface Tried {
  readonly rows: number;
  readonly runMs: number;
}

export interface Placement {
  readonly placement: 'inline' | 'thread';
  /** Threads with one session each; 0: none. */
  readonly sessions: number;
  /** Limit on rows per run, to keep runs short; undefined: the plan's. */
  readonly maxRows?: number;
  /** The reason for the decision. */
  readonly because: string;
  readonly tried: Tried | undefined;
}

/**
 * Models with longer runs move to a thread. A shorter run blocks the pipeline's thread for less than anyone would notice, and the transfer
 * to a thread and back (about 20 µs and two copies) would be a noticeable part of it; for longer runs it is at most a fiftieth.
 */
export const INLINE_MS = 1;

/**
 * A model with many quick rows is no quicker per row in larger batches (cause) → a thread would gain nothing, and moving its tensors
 * would cost more than the run, in copies and in garbage collections for memory that changes hands (effect) → it stays inline, with
 * batches limited to INLINE_MS, if these hold ENOUGH_ROWS and a row of a batch twice as large is not NO_CHEAPER times cheaper (guard).
 */
const ENOUGH_ROWS = 64;
const NO_CHEAPER = 1.1;

/** Best of this many tries: other load only adds time. */
const TRIES = 3;
/** Size limit for the tensors of a trial; the time of larger batches is extrapolated from the largest trial. */
export const MAX_TRIAL_BYTES = 16 * 1024 * 1024;

/** The largest batch that a plan may run. */
export function fullBatch({ topology }: Plan): number {
  return Math.max(topology.flow.maxBatch, topology.onOverload?.largerBatches ?? 1);
}

/**
 * Runs zeros in batches of 1, 2, 4 … rows and estimates the full batch. Stops at the first batch that takes longer than `limitMs`, which
 * decides; `within` is the one before it; `fails` says why the next size fails, other than for lack of memory. Promise: no run takes
 * longer than about twice the limit, or one row. Limit: if a model's time depends on its input, zeros may be quicker.
 */
export async function tryRuns(
  session: ModelSession,
  load: Pick<ModelLoad, 'feeds'>,
  clock: Clock,
  { full, limitMs }: { readonly full: number; readonly limitMs: number },
): Promise<Tried & { readonly within?: Tried; readonly fails?: string }> {
  const rowBytes = zeros(load, 1).reduce((sum, { byteLength }) => sum + byteLength, 0);
  const most = Math.max(1, Math.min(full, Math.floor(MAX_TRIAL_BYTES / Math.max(1, rowBytes))));
  let last: Tried | undefined;
  for (let rows = 1; ; rows = Math.min(2 * rows, most)) {
    let runMs: number;
    try {
      runMs = await bestOf(session, zeros(load, rows), rows, clock);
    } catch (thrown) {
      // One row has run in the warm-up; a size that the model or its device rejects is no reason not to start.
      if (last === undefined) throw thrown;
      const { code, message } = classify(thrown);
      return code === 'model-failed' ? { ...last, fails: message } : last;
    }
    if (runMs > limitMs) return { rows, runMs, within: last };
    last = { rows, runMs };
    if (rows === most) return { rows: full, runMs: (runMs * full) / most, ...(most < full && { within: last }) };
  }
}

/** The time of a run, ms: the best of a few. */
export async function bestOf(
  session: ModelSession,
  slabs: ReturnType<typeof zeros>,
  rows: number,
  clock: Clock,
): Promise<number> {
  let best = Number.POSITIVE_INFINITY;
  for (let n = 0; n < TRIES; n++) {
    const startedMs = clock.monotonicMs();
    await session.run(slabs, rows);
    best = Math.min(best, clock.monotonicMs() - startedMs);
  }
  return best;
}

/** More sessions would compete for memory bandwidth, not use more cores. */
const MAX_SESSIONS = 8;

/** Threads for a model: as configured, or all cores but the pipeline's; each GPU is kept busy by one. */
export function sessionsOf({ topology }: Plan, cores: number, device = 'cpu'): number {
  const { sessions, deviceIds = [] } = topology.model;
  if (sessions !== undefined) return sessions;
  return device === 'cpu' ? Math.max(1, Math.min(MAX_SESSIONS, cores - 1)) : Math.max(1, deviceIds.length);
}

/** Decides, once at the start, where a loaded model runs, and logs it. */
export async function place(
  plan: Plan,
  session: ModelSession,
  load: Pick<ModelLoad, 'feeds'>,
  { clock, cores }: { readonly clock: Clock; readonly cores: number },
): Promise<Placement> {
  const { placement = 'auto' } = plan.topology.model;
  const full = fullBatch(plan);
  const threads = sessionsOf(plan, cores, session.device);
  if (placement !== 'auto') {
    const sessions = placement === 'thread' ? threads : 0;
    return { placement, sessions, because: `model.placement is ${placement}`, tried: undefined };
  }
  const gpus = plan.topology.model.deviceIds?.length ?? 1;
  if (gpus > 1) {
    const because = `model.deviceIds names ${gpus} devices`;
    return { placement: 'thread', sessions: threads, because, tried: undefined };
  }
  const tried = await tryRuns(session, load, clock, { full, limitMs: INLINE_MS });
  const long = tried.runMs > INLINE_MS;
  const took = told(tried);
  const { within, fails } = tried;
  if (fails !== undefined) {
    // For example, the graph has a fixed batch size: every larger batch would fail and be run again in halves.
    const because = `${took}, and larger batches fail: ${fails}`;
    return { placement: 'inline', sessions: 0, maxRows: tried.rows, because, tried };
  }
  if (long && within !== undefined && isAsGood(within, tried)) {
    const because = `${took}, over ${INLINE_MS} ms, and no less a row than ${told(within)}`;
    return { placement: 'inline', sessions: 0, maxRows: within.rows, because, tried };
  }
  return {
    placement: long ? 'thread' : 'inline',
    sessions: long ? threads : 0,
    because: `${took}, ${long ? 'over' : 'within'} ${INLINE_MS} ms`,
    tried,
  };
}

function isAsGood(within: Tried, larger: Tried): boolean {
  return within.rows >= ENOUGH_ROWS && within.runMs / within.rows <= NO_CHEAPER * (larger.runMs / larger.rows);
}

function told({ rows, runMs }: Tried): string {
  return `${rows} ${rows === 1 ? 'row takes' : 'rows take'} ${runMs.toPrecision(2)} ms`;
}
