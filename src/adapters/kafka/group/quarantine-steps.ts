import type { Clock, Timer } from '../../../kernel/clock.ts';
import type { Credit } from '../../../kernel/credit.ts';
import { DEAD_LETTERED, reasonCode } from '../../../kernel/fate.ts';
import { decide, type Frame } from '../../../kernel/frame.ts';
import { passed, stepOf } from '../../../offsets/quarantine.ts';
import type { Telemetry } from '../../../ports/telemetry.ts';
import { messageOf } from '../client/errors.ts';
import type { ConsumerGroup, FetchedBatch } from '../client/internals.ts';
import { type Cursor, type CutLimits, cut, fill, offsetBehind } from '../fetch/frames.ts';
import type { Committer, LanePosition } from './committer.ts';
import type { Gate } from './gate.ts';
import { type Alone, goTo, type Lane, type Lanes } from './lanes.ts';
import type { Lease } from './lease.ts';
import { Mutex } from './mutex.ts';
import type { Waits } from './waits.ts';

/**
 * Hands over records suspected of crashing the process: one frame or record at a time, with a durable note before each, and the next
 * one only when it is settled (../../../offsets/quarantine.ts says in which steps).
 *
 * Promise: only one such step is in flight in this process → a crash accuses that step, not what happened to be processed at the same
 * time on another partition. A record that waits for the outside world is not accused.
 * Limit: a crash while records are fetched and decompressed accuses nobody.
 */
export interface QuarantineSteps {
  /** One step, from `from` on. Resolves to where the next one begins; undefined when the gate was shut. */
  next(group: ConsumerGroup, lane: Lane, batch: FetchedBatch, from: Cursor): Promise<Cursor | undefined>;
}

export interface QuarantineStepsDeps {
  readonly credit: Credit;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  readonly lanes: Lanes;
  readonly gate: Gate;
  readonly waits: Waits;
  readonly lease: Lease;
  readonly store: Committer['store'];
  readonly onAlone: (frame: Frame) => Promise<void>;
  /** Whether what is in flight waits for something outside the process. */
  readonly isHeld: () => boolean;
}

const QUARANTINED = reasonCode('quarantined');
const LOOK_EVERY_MS = 250;

export function createQuarantineSteps(deps: QuarantineStepsDeps, limits: CutLimits): QuarantineSteps {
  const { credit, clock, telemetry, lanes, gate, waits, lease, store } = deps;
  const mutex = new Mutex();
  /** The last settled step: its note still says that somebody works there. */
  let over: LanePosition | undefined;
  const isCurrent = (lane: Lane): boolean => gate.open && !lease.isOver && lanes.ofOrigin(lane.origin) === lane;

  function cutFor(lane: Lane, batch: FetchedBatch, from: Cursor) {
    const byRecord = stepOf(lane.suspicion) !== 'frame';
    return cut(batch.messages, from, byRecord ? { ...limits, maxRecords: 1 } : limits);
  }

  /** Keeps the note up to date while the frame is in flight, since waits for the outside world begin and end. */
  function watch(lane: Lane, alone: Alone): Timer {
    let timer = clock.after(LOOK_EVERY_MS, look);
    function look(): void {
      timer = clock.after(LOOK_EVERY_MS, look);
      if (deps.isHeld() === alone.held) return;
      alone.held = !alone.held;
      store([[lane, alone.from]]).catch((thrown: unknown) => {
        telemetry.event('quarantine-note-failed', { ...lane.origin, error: messageOf(thrown) });
      });
    }
    return { cancel: () => timer.cancel() };
  }

  /** The mutex is released when the frame is settled, or never will be. */
  async function handOver(lane: Lane, frame: Frame, alone: Alone): Promise<void> {
    const timer = watch(lane, alone);
    try {
      await deps.onAlone(frame);
    } finally {
      timer.cancel();
      lane.alone = undefined;
      if (frame.unsettled === 0) {
        lane.suspicion = passed(lane.suspicion, frame.nextOffset);
        over = [lane, frame.nextOffset];
      }
      mutex.give();
    }
  }

  /** Accuses this step and, in the same request, clears the previous one if it was of another partition. */
  async function accuse(lane: Lane, alone: Alone): Promise<void> {
    const acquitted = over !== undefined && over[0] !== lane ? [over] : [];
    await store([...acquitted, [lane, alone.from]]);
    over = undefined;
  }

  function tell(lane: Lane, frame: Frame): void {
    const step = stepOf(lane.suspicion);
    telemetry.counter('sluice_quarantine_steps_total', { step }).add(1);
    if (step !== 'condemned') return;
    decide(frame, 0, DEAD_LETTERED, QUARANTINED);
    const { topic, partition } = lane.origin;
    telemetry.event('quarantined', { topic, partition, offset: frame.offsets[0], deaths: lane.suspicion.deaths });
  }

  /** After everything accused: stores durably that somebody works here, before anything is handed over without a note of its own. */
  async function leave(lane: Lane): Promise<void> {
    const { topic, partition } = lane.origin;
    telemetry.event('quarantine-left', { topic, partition, offset: lane.position });
    await store([[lane, lane.position]]);
  }

  return {
    async next(group, lane, batch, from) {
      const receivedAtMs = clock.wallMs();
      const receivedMonotonicMs = clock.monotonicMs();
      if (
        !(await waits.whileMember(
          group,
          (signal) => mutex.take(signal),
          () => mutex.give(),
        ))
      )
        return undefined;
      let settled: Promise<void> | undefined;
      try {
        const found = cutFor(lane, batch, from);
        const records = found.count;
        const giveBack = (): void => credit.give(records, found.bytes);
        const take = (signal: AbortSignal): Promise<boolean> => credit.take(records, found.bytes, signal);
        if (!(await waits.whileMember(group, take, giveBack))) return undefined;
        const nextOffset = offsetBehind(batch, found.to);
        const isFrame = stepOf(lane.suspicion) === 'frame';
        const alone = { from: lane.position, until: isFrame ? nextOffset : lane.suspicion.until, held: false };
        lane.alone = alone;
        try {
          await accuse(lane, alone);
        } catch (thrown) {
          giveBack();
          throw thrown;
        }
        if (!isCurrent(lane)) {
          giveBack();
          return undefined;
        }
        const frame = fill(lane.origin, batch.messages, found, limits, {
          nextOffset,
          receivedAtMs,
          receivedMonotonicMs,
        });
        tell(lane, frame);
        goTo(lane, nextOffset);
        lane.lastTimestampMs = frame.timestamps[records - 1];
        settled = handOver(lane, frame, alone);
        const end = settled;
        if (!(await waits.whileMember(group, (signal) => unlessAborted(end, signal)))) return undefined;
        // The frame was let go by a pipeline that is ending: the note of a next step would commit past it.
        if (frame.unsettled > 0) return undefined;
        if (stepOf(lane.suspicion) === 'free' && isCurrent(lane)) await leave(lane);
        return found.to;
      } finally {
        if (settled === undefined) {
          lane.alone = undefined;
          mutex.give();
        }
      }
    },
  };
}

/** Resolves to true when the work has ended, to false if the signal came first. */
function unlessAborted(work: Promise<void>, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const gone = (): void => resolve(false);
    if (signal.aborted) return gone();
    signal.addEventListener('abort', gone, { once: true });
    void work.then(() => {
      signal.removeEventListener('abort', gone);
      resolve(true);
    });
  });
}
