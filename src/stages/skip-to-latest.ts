import type { Clock } from '../kernel/clock.ts';
import { DROPPED, OPEN, reasonCode } from '../kernel/fate.ts';
import { decide, type Frame, type Origin } from '../kernel/frame.ts';
import type { Telemetry } from '../ports/telemetry.ts';

const SKIPPED = reasonCode('skipped');

export interface Skip {
  /** Drops the records of a frame that are too old while its partition is behind; before anything else happens to the frame. */
  apply(frame: Frame): void;
  /** The step is over: no partition skips any longer. */
  end(): void;
}

export interface SkipLimits {
  /** A partition begins to skip when a whole frame of it is older than this. */
  readonly fromMs: number;
  /** It drops records older than this until a frame ends with a younger one. */
  readonly untilMs: number;
}

interface Skipping {
  readonly from: number;
  to: number;
  records: number;
}

/**
 * skip to latest: records are read and dropped, each with fate and reason, instead of seeking past them. So they settle, are
 * committed and counted like all others, and the watermark passes them in order. A record without a timestamp is kept.
 */
export function createSkip(deps: { readonly clock: Clock; readonly telemetry: Telemetry }, limits: SkipLimits): Skip {
  const { clock, telemetry } = deps;
  const skipping = new Map<Origin, Skipping>();

  function over({ topic, partition }: Origin, { from, to, records }: Skipping): void {
    telemetry.event('skip-over', { topic, partition, from, to, records });
  }

  /** Undefined where the partition does not skip. */
  function entryOf(frame: Frame, youngestAgeMs: number): Skipping | undefined {
    const { origin, offsets } = frame;
    let entry = skipping.get(origin);
    if (entry === undefined && youngestAgeMs >= limits.fromMs) {
      const { topic, partition } = origin;
      entry = { from: offsets[0], to: offsets[0], records: 0 };
      skipping.set(origin, entry);
      telemetry.event('skip', { topic, partition, from: offsets[0], ageSeconds: Math.round(youngestAgeMs / 1000) });
    }
    return entry;
  }

  return {
    apply(frame) {
      const { count, timestamps, offsets, origin, fate } = frame;
      if (count === 0) return;
      const nowMs = clock.wallMs();
      let youngestMs = Number.NEGATIVE_INFINITY;
      for (let i = 0; i < count; i++) youngestMs = Math.max(youngestMs, timestamps[i]);
      if (youngestMs < 0) return;
      const entry = entryOf(frame, nowMs - youngestMs);
      if (entry === undefined) return;
      for (let i = 0; i < count; i++) {
        if (fate[i] !== OPEN || timestamps[i] < 0 || nowMs - timestamps[i] < limits.untilMs) continue;
        decide(frame, i, DROPPED, SKIPPED);
        entry.records++;
        entry.to = offsets[i];
      }
      if (nowMs - youngestMs >= limits.untilMs) return;
      skipping.delete(origin);
      over(origin, entry);
    },

    end() {
      for (const [origin, entry] of skipping) over(origin, entry);
      skipping.clear();
    },
  };
}
