/**
 * The overload ladder: which step is taken next, and when the last one is taken back. Pure; times are monotonic ms.
 *
 * Promises, whatever the readings are: only declared steps, in the order of STEPS, one at a time; two changes are at least
 * HOLD_MS apart, a step back at least CALM_MS; no step up while something else holds the pipeline, or while the lag shrinks by
 * itself; back to no step once the lag has been gone for CALM_MS per step.
 * Limit: it sees one lag, the largest of all partitions. It does not handle outages of the store: see `Overload`.
 */
export const STEPS = ['larger-batches', 'stale-cache', 'default-features', 'smaller-model', 'skip-to-latest'] as const;

export type Step = (typeof STEPS)[number];

/** Overloaded for this long, and not getting better: the next step. */
export const HOLD_MS = 5_000;
/** Calm for this long: one step back. */
export const CALM_MS = 10_000;
/** Below this share of the limit it is calm; between the two nothing changes. */
const CALM_SHARE = 0.5;
/** A lag that shrinks by this share within a hold is being worked off: what is in force suffices. */
const SHRINKS_BY = 0.1;

export interface LadderSettings {
  /** The declared ones, in the order of STEPS. */
  readonly steps: readonly Step[];
  /** Overloaded from this lag on. */
  readonly lagMs: number;
  /** `skip-to-latest` is taken from this lag on only. */
  readonly skipLagMs: number;
}

export interface LadderState {
  /** So many of the declared steps are in force: the first ones. */
  readonly level: number;
  readonly changedAtMs: number;
  /** Since when, and from which lag on, it has been overloaded without getting better; NaN while it is not. */
  readonly overSinceMs: number;
  readonly overLagMs: number;
  /** Since when it has been calm; NaN while it is not. */
  readonly calmSinceMs: number;
  /** The last reading. */
  readonly readAtMs: number;
}

export interface LadderReading {
  readonly nowMs: number;
  /** Age of the oldest record that waits, the largest of all partitions; 0 when caught up. */
  readonly lagMs: number;
  /** Something that is down holds the pipeline: its lag is no overload, and no step would help. */
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
  // A store that answers every other call holds the pipeline again and again: that time does not count, what was before does.
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
