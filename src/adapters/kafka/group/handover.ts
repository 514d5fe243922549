import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Clock } from '../../../kernel/clock.ts';
import type { Credit } from '../../../kernel/credit.ts';
import type { Frame } from '../../../kernel/frame.ts';
import { FramePool, type Shared } from '../../../kernel/frame-memory.ts';
import type { Telemetry } from '../../../ports/telemetry.ts';
import { fetchMemory } from '../client/fetch-memory.ts';
import type { ConsumerGroup, FetchedBatch, FetchedMessage } from '../client/internals.ts';
import {
  BEGINNING,
  type Cut,
  type CutLimits,
  cut,
  endOf,
  fill,
  firstFrom,
  offsetBehind,
  sharedBytes,
} from '../fetch/frames.ts';
import type { Committer } from './committer.ts';
import type { Gate } from './gate.ts';
import { goTo, type Lane, type Lanes } from './lanes.ts';
import type { Lease } from './lease.ts';
import { createQuarantineSteps } from './quarantine-steps.ts';
import type { Waits } from './waits.ts';

/**
 * From a fetched batch to frames: cut, wait for credit, copy or borrow, hand over, move the position.
 *
 * Promise: a record is handed over at most once per epoch, in order, and only while its lane is alive and the gate is open. What is
 * not handed over lies at or after the lane's position, and is fetched again.
 */
export interface Handover {
  /** Skips batches without records; a gap is handed over at once, as a frame without records. */
  admit(batches: readonly FetchedBatch[]): FetchedBatch[];
  /** Hands one batch over. Rejects with the client's error when the group re-forms meanwhile, so that the client re-joins. */
  deliver(group: ConsumerGroup, batch: FetchedBatch): Promise<void>;
}

export interface HandoverDeps {
  readonly credit: Credit;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  readonly lanes: Lanes;
  readonly gate: Gate;
  readonly waits: Waits;
  readonly lease: Lease;
  readonly store: Committer['store'];
  readonly onFrame: (frame: Frame) => void;
  readonly onAlone: (frame: Frame) => Promise<void>;
  readonly isHeld: () => boolean;
}

const NOTHING: Cut = { from: BEGINNING, to: BEGINNING, count: 0, bytes: 0 };

export function createHandover(
  deps: HandoverDeps,
  options: { readonly frameRecords: number; readonly frameBytes: number },
): Handover {
  const { credit, clock, telemetry, lanes, gate, waits, lease } = deps;
  const limits: CutLimits = {
    maxRecords: Math.min(options.frameRecords, credit.maxRecords),
    maxBytes: Math.min(options.frameBytes, credit.maxBytes),
    maxRecordBytes: credit.maxBytes,
  };
  const steps = createQuarantineSteps(deps, limits);
  const pool = new FramePool(credit.maxBytes / 2);
  const pauses = telemetry.counter('sluice_pauses_total', { reason: 'credit' });
  const discarded = telemetry.counter('sluice_fetches_discarded_total');

  /** The lane of a batch, if the batch begins exactly at the lane's position. */
  function laneAt(batch: FetchedBatch): Lane | undefined {
    const lane = lanes.of(batch.topic, batch.partition);
    if (lane === undefined) return undefined;
    const from = Number(batch.fetchedOffset);
    if (lane.position === from) return lane;
    // With several brokers one fetch may be under way while another one re-joins → it brings records from a position
    // of before → they would come twice, or leave a gap → only a batch that continues the lane is taken.
    if (!Number.isNaN(lane.position)) {
      discarded.add(1);
      const { topic, partition } = lane.origin;
      telemetry.event('fetch-discarded', { topic, partition, from, expected: lane.position });
      goTo(lane, lane.position);
    }
    return undefined;
  }

  /** True if the credit was granted; then the frame must be made. */
  async function takeCredit(group: ConsumerGroup, records: number, bytes: number): Promise<boolean> {
    if (credit.tryTake(records, bytes)) return true;
    pauses.add(1);
    const take = (signal: AbortSignal): Promise<boolean> => credit.take(records, bytes, signal);
    return waits.whileMember(group, take, () => credit.give(records, bytes));
  }

  /** The fetch itself as the memory of a frame, if that is worthwhile and allowed. */
  function sharedOf(batch: FetchedBatch, found: Cut): Shared | undefined {
    const bytes = sharedBytes(batch.messages, found, limits);
    const giveBack = bytes && fetchMemory.borrow(batch, bytes);
    return bytes && giveBack && { bytes, giveBack };
  }

  function tellLeftBehind(lane: Lane, messages: readonly FetchedMessage[]): void {
    const first = messages.find(({ unread }) => unread !== undefined);
    if (first?.unread === undefined) return;
    const { topic, partition } = lane.origin;
    telemetry.event('batch-unreadable', { topic, partition, offset: Number(first.offset), error: first.unread.text });
  }

  /**
   * Only control records, aborted records or leftovers of compaction: no record, but a way to go. Kept to ourselves it would
   * not be committed before the next record comes, and whoever looks at the group would see a lag that is none → a frame
   * without records, which needs no credit, takes its place behind the others and moves the watermark.
   */
  function handOverGap(lane: Lane, nextOffset: number): void {
    const at = { nextOffset, receivedAtMs: clock.wallMs(), receivedMonotonicMs: clock.monotonicMs() };
    const frame = fill(lane.origin, [], NOTHING, limits, at);
    goTo(lane, nextOffset);
    deps.onFrame(frame);
  }

  return {
    admit(batches) {
      fetchMemory.begin(batches);
      return batches.filter((batch) => {
        const lane = lanes.of(batch.topic, batch.partition);
        if (lane !== undefined) lane.endOffset = Number(batch.highWatermark);
        if (batch.messages.length > 0) return true;
        const at = gate.open && batch.rawMessages.length > 0 ? laneAt(batch) : undefined;
        if (at !== undefined) handOverGap(at, Math.max(endOf(batch), Number(batch.fetchedOffset) + 1));
        fetchMemory.end(batch);
        return false;
      });
    },

    async deliver(group, batch) {
      await handOver(group, batch);
      // Frames have copied or borrowed it. Not after an exception: it is unknown what the client then does with the batch.
      fetchMemory.end(batch);
    },
  };

  async function handOver(group: ConsumerGroup, batch: FetchedBatch): Promise<void> {
    const lane = gate.open && !lease.isOver ? laneAt(batch) : undefined;
    if (lane === undefined) return;
    const receivedAtMs = clock.wallMs();
    const receivedMonotonicMs = clock.monotonicMs();
    const { messages } = batch;
    tellLeftBehind(lane, messages);
    for (let from = firstFrom(messages, lane.position); from.message < messages.length; ) {
      if (lane.suspicion.deaths > 0) {
        const then = await steps.next(group, lane, batch, from);
        if (then === undefined || lanes.ofOrigin(lane.origin) !== lane) return;
        from = then;
        continue;
      }
      const next = cut(messages, from, limits);
      if (!(await takeCredit(group, next.count, next.bytes))) return;
      // The credit may have been granted in the same turn in which the gate shut or the epoch ended.
      if (!gate.open || lease.isOver || lanes.ofOrigin(lane.origin) !== lane) {
        credit.give(next.count, next.bytes);
        return;
      }
      const nextOffset = offsetBehind(batch, next.to);
      const at = { nextOffset, receivedAtMs, receivedMonotonicMs };
      const frame = fill(lane.origin, messages, next, limits, at, pool, sharedOf(batch, next));
      goTo(lane, nextOffset);
      lane.lastTimestampMs = frame.timestamps[next.count - 1];
      deps.onFrame(frame);
      from = next.to;
      // A fetch holds up to fetchMaxBytes: without yielding, the stages would get nothing until all of it is cut.
      if (from.message < messages.length) await nextTurn();
    }
  }
}
