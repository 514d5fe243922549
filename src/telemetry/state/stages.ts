import { added, figure, mean, perSecond, type Reading } from './reading.ts';
import type { PathState, StageState } from './state.ts';

/** The stages of the path in order, as shown everywhere; `batcher` is part of infer; `details` is left out if the topology has none. */
export const PATH = [
  'source',
  'decode',
  'enrich',
  'preprocess',
  'infer',
  'postprocess',
  'details',
  'encode',
  'deliver',
  'commit',
] as const;

/** A stage busy for less than this share of the time is no bottleneck. */
const IDLE_RATIO = 0.005;

export function pathState(now: Reading, before: Reading): PathState {
  const stages = PATH.filter((stage) => stage !== 'details' || throughOf(stage, now) !== null).map((stage) =>
    stageState(stage, now, before),
  );
  let bottleneck = '';
  let highest = IDLE_RATIO;
  for (const { stage, busyRatio } of stages) {
    if (busyRatio === null || busyRatio <= highest) continue;
    highest = busyRatio;
    bottleneck = stage;
  }
  return { stages, bottleneck };
}

function stageState(stage: string, now: Reading, before: Reading): StageState {
  const elapsedMs = now.atMonotonicMs - before.atMonotonicMs;
  const rate = (reading: Reading): number | null => throughOf(stage, reading);
  const work = added(
    now.spread('sluice_stage_seconds', 'stage', stage),
    before.spread('sluice_stage_seconds', 'stage', stage),
  );
  return {
    stage,
    recordsPerSecond: perSecond(rate(now), rate(before), elapsedMs),
    heldRecords: now.sum('sluice_stage_held_records', 'stage', stage),
    busyRatio: now.highest('sluice_stage_busy_ratio', 'stage', stage),
    meanSeconds: figure(mean(work) ?? Number.NaN),
  };
}

/** Records that came in are those settled plus those in flight; commit has processed those settled. */
function throughOf(stage: string, reading: Reading): number | null {
  const settled = reading.sum('sluice_records_total');
  if (stage === 'commit') return settled;
  if (stage === 'source') return settled === null ? null : settled + (reading.sum('sluice_inflight_records') ?? 0);
  return reading.sum('sluice_stage_records_total', 'stage', stage);
}
