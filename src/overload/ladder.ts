/**
 * The overload ladder: which step is taken next, and when the last one is reverted. Pure; times are monotonic ms.
 * Promises, whatever the readings: only declared steps, in the order of STEPS, one at a time; changes are at least HOLD_MS apart, and
 * steps back at least CALM_MS; no further step while something else holds the pipeline, or while the lag is already shrinking;
 * no step is left in force once the lag has been gone for CALM_MS per step.
 * Limit: it sees one lag, the largest of all partitions. It does not handle outages of the store: see `Overload`.
 */
export const STEPS = ['larger-batches', 'stale-cache', 'default-features', 'smaller-model', 'skip-to-latest'] as const;

export type Step = (typeof STEPS)[number];

/** Overloaded for this long without improvement: take the next step. */
export const HOLD_MS = 5_000;
/** Calm for this long: revert one step. */
export const CALM_MS = 10_000;
/** Below this share of the limit it is calm; in between, nothing changes. */
const CALM_SHARE = 0.5;
/** A lag that shrinks by this share within a hold is being worked off: no further step is needed. */
const SHRINKS_BY = 0.1;

export interface LadderSettings {
  /** The declared ones, in the order of STEPS. */
  readonly steps: readonly Step[];
  /** Overloaded at or above this lag. */
  readonly lagMs: number;
  /** `skip-to-latest` is taken only at or above this lag. */
  readonly skipLagMs: number;
}

export interface LadderState {
  /** Number of declared steps in force, counted from the first. */
  readonly level: number;
  readonly changedAtMs: number;
  /** Since when, and from which lag on, it has been overloaded without improvement; NaN while it is not. */
  readonly overSinceMs: number;
  readonly overLagMs: number;
  /** Since when it has been calm; NaN while it is not. */
  readonly calmSinceMs: number;
  /** The last reading. */
  readonly readAtMs: number;
}

export interface LadderReading {
  readonly nowMs: number;
  /** Age of the oldest waiting record, the largest of all partitions; 0 when caught up. */
  readonly lagMs: number;
  /** A dependency that is down holds the pipeline: the lag is not overload, and no step would help. */
  readonly held: boolean;
}

export const BOTTOM: LadderState = Object.freeze({
  level: 0,
  changedAtMs: Number.NEGATIVE_INFINITY,
  overSinceMs: Number.NaN,
  overLagMs: Number.NaN,
  calmSinceMs: Number.NaN,
  readAtMs: Number.NaN,
});

export function nextRung(before: LadderState, reading: LadderReading, settings: LadderSettings): LadderState {
  const { nowMs, lagMs } = reading;
  const state = { ...before, readAtMs: nowMs };
  // A store that fails every other call holds the pipeline again and again: held time does not count, overload before it does.
  if (reading.held) {
    return { ...state, overSinceMs: before.overSinceMs + nowMs - before.readAtMs, calmSinceMs: Number.NaN };
  }
  if (lagMs >= settings.lagMs) return overloaded({ ...state, calmSinceMs: Number.NaN }, nowMs, lagMs, settings);
  const relieved = { ...state, overSinceMs: Number.NaN, overLagMs: Number.NaN };
  if (lagMs >= settings.lagMs * CALM_SHARE) return { ...relieved, calmSinceMs: Number.NaN };
  if (Number.isNaN(state.calmSinceMs)) return { ...relieved, calmSinceMs: nowMs };
  if (state.level === 0 || nowMs - state.calmSinceMs < CALM_MS) return relieved;
  return { ...relieved, level: state.level - 1, changedAtMs: nowMs, calmSinceMs: nowMs };
}

function overloaded(state: LadderState, nowMs: number, lagMs: number, settings: LadderSettings): LadderState {
  const fresh = { ...state, overSinceMs: nowMs, overLagMs: lagMs };
  if (Number.isNaN(state.overSinceMs)) return fresh;
  if (nowMs - Math.max(state.overSinceMs, state.changedAtMs) < HOLD_MS) return state;
  if (lagMs <= state.overLagMs * (1 - SHRINKS_BY)) return fresh;
  const next = settings.steps[state.level];
  if (next === undefined || (next === 'skip-to-latest' && lagMs < settings.skipLagMs)) return state;
  return { ...fresh, level: state.level + 1, changedAtMs: nowMs };
}
