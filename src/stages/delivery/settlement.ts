import type { Clock } from '../../kernel/clock.ts';
import { DEGRADED } from '../../kernel/degraded.ts';
import { SluiceError } from '../../kernel/errors.ts';
import { DEAD_LETTERED, DROPPED, FATES, PUBLISHED, REASONS } from '../../kernel/fate.ts';
import type { Frame } from '../../kernel/frame.ts';
import type { Telemetry } from '../../ports/telemetry.ts';
import type { DeadLetterLimit } from './dead-letter-limit.ts';

/**
 * The end of delivery, however it is done: fates are counted when they are durable, a frame's records counted down, and
 * who waits for the frame is told. Each record settles once (law L1): one too many is a defect, and ends the run.
 */
export interface Settlement {
  /**
   * Hands the frame on, unless delivery has failed. Resolves when every record of it is settled, or the frame is let go; rejects
   * when delivery fails, as it does when `handOn` throws.
   */
  begin(frame: Frame, handOn: (frame: Frame) => void): Promise<void>;
  /** Record `i` is dead-lettered, durably; `settle` counts it with the others. */
  deadLettered(frame: Frame, i: number): void;
  /** So many records of the frame reached these fates, durably. */
  settle(frame: Frame, published: number, deadLettered: number, dropped: number): void;
  /** The frame is not ours to deliver any more: what is unsettled stays so. */
  letGo(frame: Frame): void;
  /** Ends every frame that is being delivered, and all that come: nothing of them counts as settled. */
  fail(thrown: unknown): void;
}

interface Waiting {
  readonly resolve: () => void;
  readonly reject: (reason: unknown) => void;
}

export interface SettlementDeps {
  readonly telemetry: Telemetry;
  readonly clock: Clock;
  /** Is told when a frame leaves. */
  readonly limit: Pick<DeadLetterLimit, 'left'>;
}

export function createSettlement({ telemetry, clock, limit }: SettlementDeps): Settlement {
  const fateCounters = FATES.map((fate) =>
    fate === 'open' ? undefined : telemetry.counter('sluice_records_total', { fate }),
  );
  const reasonCounters = REASONS.map((reason) =>
    reason === 'none' ? undefined : telemetry.counter('sluice_dead_letters_total', { reason }),
  );
  const dropCounters = REASONS.map((reason) =>
    reason === 'none' ? undefined : telemetry.counter('sluice_dropped_records_total', { reason }),
  );
  const degradedCounters = DEGRADED.map((how) => telemetry.counter('sluice_degraded_records_total', { how }));
  const age = telemetry.histogram('sluice_record_age_seconds');
  const residence = telemetry.histogram('sluice_residence_seconds');
  const waiting = new Map<Frame, Waiting>();
  let failure: unknown;
  let hasFailed = false;

  function observeLatency(frame: Frame): void {
    residence.observeMany((clock.monotonicMs() - frame.receivedMonotonicMs) / 1000, frame.count);
    const nowMs = clock.wallMs();
    const { timestamps, count } = frame;
    // Records of one moment stand together.
    for (let from = 0, to = 0; from < count; from = to) {
      const atMs = timestamps[from];
      for (to = from + 1; to < count && timestamps[to] === atMs; ) to++;
      // A negative timestamp says that there is none.
      if (atMs >= 0) age.observeMany(Math.max(0, nowMs - atMs) / 1000, to - from);
    }
  }

  function countDrops({ fate, reason, count }: Frame): void {
    for (let i = 0; i < count; i++) if (fate[i] === DROPPED) dropCounters[reason[i]]?.add(1);
  }

  function countDegraded({ fate, count }: Frame, degraded: Uint8Array): void {
    degradedCounters.forEach((counter, bit) => {
      let records = 0;
      for (let i = 0; i < count; i++) if (fate[i] === PUBLISHED && (degraded[i] >> bit) % 2 === 1) records++;
      counter.add(records);
    });
  }

  const settlement: Settlement = {
    begin(frame, handOn) {
      if (hasFailed) return Promise.reject(failure);
      const done = new Promise<void>((resolve, reject) => {
        waiting.set(frame, { resolve, reject });
      });
      try {
        handOn(frame);
      } catch (thrown) {
        settlement.fail(thrown);
      }
      return done;
    },

    deadLettered(frame, i) {
      reasonCounters[frame.reason[i]]?.add(1);
    },

    settle(frame, published, deadLettered, dropped) {
      if (published > 0) fateCounters[PUBLISHED]?.add(published);
      if (deadLettered > 0) fateCounters[DEAD_LETTERED]?.add(deadLettered);
      if (dropped > 0) fateCounters[DROPPED]?.add(dropped);
      frame.unsettled -= published + deadLettered + dropped;
      if (frame.unsettled > 0) return;
      const entry = waiting.get(frame);
      if (frame.unsettled < 0 || entry === undefined) {
        const said = `a record of frame ${sourceOf(frame, 0)} settled twice; please report this`;
        settlement.fail(new SluiceError('invariant-broken', said));
        return;
      }
      waiting.delete(frame);
      countDrops(frame);
      if (frame.degraded !== undefined) countDegraded(frame, frame.degraded);
      observeLatency(frame);
      limit.left(frame);
      entry.resolve();
    },

    letGo(frame) {
      limit.left(frame);
      waiting.get(frame)?.resolve();
      waiting.delete(frame);
    },

    fail(thrown) {
      if (!hasFailed) failure = thrown;
      hasFailed = true;
      for (const entry of waiting.values()) entry.reject(failure);
      waiting.clear();
    },
  };
  return settlement;
}

/** Where a record came from, as the `sluice-source` header and every message say it. */
export function sourceOf(frame: Frame, i: number): string {
  return `${frame.origin.topic}/${frame.origin.partition}/${frame.offsets[i]}`;
}
