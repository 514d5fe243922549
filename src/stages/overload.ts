import type { Clock, Timer } from '../kernel/clock.ts';
import type { Conditions } from '../kernel/conditions.ts';
import { SMALLER_MODEL } from '../kernel/degraded.ts';
import { degrade, type Frame } from '../kernel/frame.ts';
import { BOTTOM, type LadderSettings, nextRung, STEPS, type Step } from '../overload/ladder.ts';
import type { FlowSettings, OverloadSettings } from '../plan/topology.ts';
import type { Telemetry } from '../ports/telemetry.ts';
import type { Relief, StoreStep } from './features/relief.ts';
import { createSkip } from './skip-to-latest.ts';

/** How often the lag is checked. */
const LOOK_EVERY_MS = 500;

export interface Overload {
  /** For the feature readers; undefined if no step concerns the store: then an outage is a pause. */
  readonly relief: Relief | undefined;
  /** Rows per model run at most: ever, and for now. */
  readonly batch: { readonly most: number; now(): number };
  /** Called when a frame starts on the path: skips what is to be skipped; true if the smaller model is to score it. */
  begin(frame: Frame): boolean;
  close(): void;
}

export interface OverloadDeps {
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  readonly conditions: Conditions;
  /** The lag of each partition; NaN if it is unknown. */
  readonly lags: () => Iterable<{ readonly seconds: number }>;
}

/**
 * Takes the steps that `onOverload` declares, and reverts them. Two things trigger them, independently:
 *
 * - the lag: the ladder (src/overload/ladder.ts), one step after the other, for the whole pipeline. It pauses while a dependency
 *   holds frames: a lag caused by an outage is no overload, and no step would help.
 * - an outage of the store: `stale-cache` and `default-features` at once, if declared, for the reads whose store is down.
 *
 * The steps in force are a gauge, each change is an event, and each record concerned is marked and counted.
 */
export function createOverload(
  deps: OverloadDeps,
  settings: OverloadSettings,
  flow: Pick<FlowSettings, 'maxBatch'>,
): Overload {
  const { clock, telemetry, conditions } = deps;
  const { lagMs, largerBatches, staleCacheMs = 0, defaultFeatures, skipToLatestMs } = settings;
  const ladder: LadderSettings = { steps: declared(settings), lagMs, skipLagMs: skipToLatestMs ?? 0 };
  const storeSteps = ladder.steps.filter(isStoreStep);
  const storesOut = new Set<object>();
  const whenTaken: (() => void)[] = [];
  const skip =
    skipToLatestMs === undefined
      ? undefined
      : createSkip({ clock, telemetry }, { fromMs: skipToLatestMs, untilMs: lagMs });
  let state = BOTTOM;
  let closed = false;
  let timer: Timer | undefined;

  const taken = (step: Step): boolean => {
    const rung = ladder.steps.indexOf(step);
    return rung >= 0 && rung < state.level;
  };
  for (const step of ladder.steps) {
    const forStore = isStoreStep(step);
    telemetry.gauge('sluice_overload_step', { step }, () => (taken(step) || (forStore && storesOut.size > 0) ? 1 : 0));
  }

  function look(): void {
    let seconds = 0;
    for (const each of deps.lags()) if (each.seconds > seconds) seconds = each.seconds;
    const reading = { nowMs: clock.monotonicMs(), lagMs: seconds * 1000, held: !conditions.none };
    const before = state.level;
    state = nextRung(state, reading, ladder);
    const fields = { lagSeconds: Math.round(seconds), limitSeconds: lagMs / 1000 };
    if (state.level > before) {
      const step = ladder.steps[before];
      telemetry.event('overload-step', { step, ...fields });
      if (isStoreStep(step)) for (const listener of whenTaken) listener();
    } else if (state.level < before) {
      const step = ladder.steps[state.level];
      telemetry.event('overload-step-back', { step, ...fields });
      if (step === 'skip-to-latest') skip?.end();
    }
    timer = clock.after(LOOK_EVERY_MS, look);
  }
  timer = clock.after(LOOK_EVERY_MS, look);

  const relief: Relief = {
    staleMs: staleCacheMs,
    defaults: defaultFeatures,
    inForce: taken,
    onTaken: (listener) => void whenTaken.push(listener),
    storeIs(out, read, what, why) {
      if (closed) return;
      if (out) storesOut.add(read);
      else storesOut.delete(read);
      if (out) telemetry.event('outage-bridged', { what, reason: why, by: storeSteps.join(', ') });
      else telemetry.event('outage-bridged-over', { what });
    },
  };

  const most = Math.max(flow.maxBatch, largerBatches ?? 0);
  return {
    relief: storeSteps.length > 0 ? relief : undefined,
    batch: { most, now: () => (taken('larger-batches') ? most : flow.maxBatch) },
    begin(frame) {
      if (taken('skip-to-latest')) skip?.apply(frame);
      if (!taken('smaller-model')) return false;
      for (let i = 0; i < frame.count; i++) degrade(frame, i, SMALLER_MODEL);
      return true;
    },
    close() {
      closed = true;
      timer?.cancel();
    },
  };
}

function declared(settings: OverloadSettings): readonly Step[] {
  const has: Readonly<Record<Step, boolean>> = {
    'larger-batches': settings.largerBatches !== undefined,
    'stale-cache': settings.staleCacheMs !== undefined,
    'default-features': settings.defaultFeatures,
    'smaller-model': settings.smallerModel !== undefined,
    'skip-to-latest': settings.skipToLatestMs !== undefined,
  };
  return STEPS.filter((step) => has[step]);
}

function isStoreStep(step: Step): step is StoreStep {
  return step === 'stale-cache' || step === 'default-features';
}
