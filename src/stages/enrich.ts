import { SMALLER_MODEL } from '../kernel/degraded.ts';
import { reasonCode } from '../kernel/fate.ts';
import type { FeatureRows, Frame } from '../kernel/frame.ts';
import type { Plan } from '../plan/plan.ts';
import type { FeatureStore } from '../ports/feature-store.ts';
import { LookUp, lookUpAll } from './features/look-up.ts';
import { FeatureReader } from './features/reader.ts';
import type { Stage, StageDeps } from './types.ts';

const RULES = { dates: true, missing: reasonCode('feature-missing'), stale: reasonCode('feature-stale') };

/**
 * enrich: a column of keys → rows of features, one set per read. Distinct keys only; cached, shared between frames.
 *
 * An absent row or view is NaN or, if the topology says so, a dead letter or a drop (`feature-missing`). A view older than `maxAge`
 * is used, counts as missing, or is a dead letter (`feature-stale`). A store that is down holds the frame.
 * `readers` hold the cache and the calls in flight: two plans of one topology share them.
 */
export function createEnrich(
  deps: StageDeps & { readonly store: FeatureStore },
  plan: Plan,
  readers: readonly FeatureReader[] = plan.reads.map((read) => new FeatureReader(deps, read)),
): Enrich {
  const lookUps = plan.reads.slice(0, plan.details?.from).map((read, k) => new LookUp(deps, read, readers[k], RULES));

  const enrich: Stage = (frame) => {
    if (lookUps.length > 0) frame.featuresAtMs = new Float64Array(frame.count).fill(Number.NaN);
    // A repeated run says for itself what it gave up.
    frame.degraded?.forEach((how, i, all) => {
      all[i] = how & SMALLER_MODEL;
    });
    const answered = lookUpAll(lookUps, frame, frame.columns);
    if (answered instanceof Promise) return answered.then((reads) => keep(frame, reads));
    keep(frame, answered);
    return undefined;
  };
  return Object.assign(enrich, {
    release(frame: Frame): void {
      const { reads } = frame;
      frame.reads = [];
      for (let k = 0; k < reads.length; k++) lookUps[k].recycle(reads[k]);
    },
  });
}

function keep(frame: Frame, reads: readonly FeatureRows[]): void {
  frame.reads = reads;
}

export interface Enrich extends Stage {
  /** The frame's feature rows will not be read again: the next frame may have their memory. */
  release(frame: Frame): void;
}
