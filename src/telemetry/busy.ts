import type { Clock } from '../kernel/clock.ts';
import type { Histogram, Telemetry } from '../ports/telemetry.ts';

export interface StageTimers {
  /** Index of a stage in the list given at construction; throws for an unknown stage. */
  indexOf(stage: string): number;
  /** Work of `ms` that has just ended. */
  add(stage: number, ms: number): void;
  /** Work begins; several pieces may overlap. Returns the argument for `leave`. */
  enter(stage: number): number;
  leave(stage: number, enteredAtMs: number): void;
  /** Share of the last seconds, 0 to 1, in which the stage worked. */
  ratio(stage: number): number;
  /** The stage with the highest ratio; empty if none works. */
  bottleneck(): string;
}

const SLOT_MS = 1000;
/** Number of completed slots in the window, besides the current one. */
const WINDOW_SLOTS = 5;
const RING = WINDOW_SLOTS + 1;
const IDLE_RATIO = 0.005;

/**
 * How busy each stage is: working time in a ring of one-second slots per stage, without allocation.
 * A stage that overlaps with itself (parallel reads) counts as busy while at least one piece of work runs, if it uses `enter` and
 * `leave`; times given to `add` are summed, and the ratio is capped at 1.
 */
export function createStageTimers(telemetry: Telemetry, clock: Clock, stages: readonly string[]): StageTimers {
  const count = stages.length;
  const seconds: Histogram[] = stages.map((stage) => telemetry.histogram('sluice_stage_seconds', { stage }));
  /** Milliseconds of work by stage × slot, and the second that each slot stands for. */
  const worked = new Float64Array(count * RING);
  const second = new Float64Array(RING).fill(-1);
  const active = new Int32Array(count);
  const activeSinceMs = new Float64Array(count);
  const startedMs = clock.monotonicMs();

  function slotOf(atSecond: number): number {
    const slot = ((atSecond % RING) + RING) % RING;
    if (second[slot] < atSecond) {
      for (let stage = 0; stage < count; stage++) worked[stage * RING + slot] = 0;
      second[slot] = atSecond;
    }
    return slot;
  }

  /** Work from `fromMs` to `toMs`, split at the borders of the slots. */
  function spread(stage: number, fromMs: number, toMs: number): void {
    const last = Math.floor(toMs / SLOT_MS);
    const first = Math.max(Math.floor(fromMs / SLOT_MS), last - WINDOW_SLOTS);
    for (let at = first; at <= last; at++) {
      const share = Math.min(toMs, (at + 1) * SLOT_MS) - Math.max(fromMs, at * SLOT_MS);
      if (share > 0) worked[stage * RING + slotOf(at)] += share;
    }
  }

  function ratio(stage: number): number {
    const nowMs = clock.monotonicMs();
    if (active[stage] > 0) {
      spread(stage, activeSinceMs[stage], nowMs);
      activeSinceMs[stage] = nowMs;
    }
    const current = Math.floor(nowMs / SLOT_MS);
    const windowFromMs = Math.max((current - WINDOW_SLOTS) * SLOT_MS, startedMs);
    const windowMs = nowMs - windowFromMs;
    if (windowMs <= 0) return 0;
    let sum = 0;
    for (let slot = 0; slot < RING; slot++) {
      if (second[slot] >= current - WINDOW_SLOTS) sum += worked[stage * RING + slot];
    }
    return Math.min(1, sum / windowMs);
  }

  for (let stage = 0; stage < count; stage++) {
    telemetry.gauge('sluice_stage_busy_ratio', { stage: stages[stage] }, () => ratio(stage));
  }

  return {
    indexOf(stage) {
      const at = stages.indexOf(stage);
      if (at < 0) throw new RangeError(`no stage ${stage} among ${stages.join(', ')}`);
      return at;
    },
    add(stage, ms) {
      seconds[stage].observe(ms / 1000);
      const nowMs = clock.monotonicMs();
      spread(stage, nowMs - ms, nowMs);
    },
    enter(stage) {
      const nowMs = clock.monotonicMs();
      if (active[stage]++ === 0) activeSinceMs[stage] = nowMs;
      return nowMs;
    },
    leave(stage, enteredAtMs) {
      const nowMs = clock.monotonicMs();
      seconds[stage].observe((nowMs - enteredAtMs) / 1000);
      if (--active[stage] === 0) spread(stage, activeSinceMs[stage], nowMs);
    },
    ratio,
    bottleneck() {
      let busiest = -1;
      let highest = IDLE_RATIO;
      for (let stage = 0; stage < count; stage++) {
        const here = ratio(stage);
        if (here > highest) {
          highest = here;
          busiest = stage;
        }
      }
      return busiest < 0 ? '' : stages[busiest];
    },
  };
}
