import { zeros } from '../../adapters/onnx/zero-inputs.ts';
import type { Clock } from '../../kernel/clock.ts';
import { classify } from '../../kernel/errors.ts';
import type { Plan } from '../../plan/plan.ts';
import type { ModelLoad, ModelSession } from '../../ports/model.ts';

/** What a run took, of how many rows. */
export interface Tried {
  readonly rows: number;
  readonly runMs: number;
}

export interface Placement {
  readonly placement: 'inline' | 'thread';
  /** Threads with a session each; 0: none. */
  readonly sessions: number;
  /** Rows per run at most, so that runs stay short; undefined: as many as the plan has. */
  readonly maxRows?: number;
  /** What decided. */
  readonly because: string;
  readonly tried: Tried | undefined;
}

/**
 * A run that is longer than this goes to a thread. Below, the thread of the pipeline stands still for less than whoever
 * waits for it would notice, and the way to a thread and back (some 20 µs and two copies) would be a part of the run
 * that counts; above, it is a fiftieth at most.
 */
export const INLINE_MS = 1;

/**
 * A model of many quick rows is no quicker per row in larger batches (cause) → a thread would save nothing, and moving the tensors costs
 * more than the run: copies, and collections of garbage for memory that changes hands (effect) → it stays, in batches that take no
 * longer than a run may, where they hold so many rows and a row of twice as many is not this much cheaper (guard).
 */
const ENOUGH_ROWS = 64;
const NO_CHEAPER = 1.1;

/** The best of so many: whatever else the machine does only adds. */
const TRIES = 3;
/** Tensors of a trial, at most; a larger batch is reckoned from the largest that was tried. */
const MAX_TRIAL_BYTES = 16 * 1024 * 1024;

/** The largest batch that a plan may run. */
export function fullBatch({ topology }: Plan): number {
  return Math.max(topology.flow.maxBatch, topology.onOverload?.largerBatches ?? 1);
}

/**
 * Runs zeros in batches of 1, 2, 4 … rows and says what the full one takes; stops at the first that is over `limitMs`, which
 * decides; `within` is the one before it; `fails` is why the next size does, where it is not for memory. Promise: no run takes
 * longer than about twice the limit, or one row. Limit: a model whose time depends on what is in a row may be quicker with zeros.
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
      // One row has run in the warm-up; a size that the model or its device cannot take is no reason not to begin.
      if (last === undefined) throw thrown;
      const { code, message } = classify(thrown);
      return code === 'model-failed' ? { ...last, fails: message } : last;
    }
    if (runMs > limitMs) return { rows, runMs, within: last };
    last = { rows, runMs };
    if (rows === most) return { rows: full, runMs: (runMs * full) / most, ...(most < full && { within: last }) };
  }
}

async function bestOf(
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

/** More would wait for memory, not for cores. */
const MAX_SESSIONS = 8;

/** Threads that a model may have: as the topology says, or all cores but the pipeline's; each GPU is kept busy by one. */
export function sessionsOf({ topology }: Plan, cores: number, device = 'cpu'): number {
  const { sessions, deviceIds = [] } = topology.model;
  if (sessions !== undefined) return sessions;
  return device === 'cpu' ? Math.max(1, Math.min(MAX_SESSIONS, cores - 1)) : Math.max(1, deviceIds.length);
}

/** Where a loaded model runs from here on: decided once, at the start, and told. */
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
    // A batch in the graph, say: each larger one would fail, and be run again in halves, for as long as this runs.
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
